import { spawn } from "node:child_process";
import { join } from "node:path";
import type { Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { browser, openTab, run, type Stage, scratch, stage, tidemark, until } from "./harness.ts";

interface Watcher {
  heard(text: string): Promise<void>;
  /** Ids of those whom it saw leave, in order. */
  left(): string[];
  end(): Promise<void>;
}

/** The program on a copy of its own, present until it is ended. */
function watcher(file: string, state: string): Watcher {
  const args = ["presence", file, "--state", state, "--watch", "--json"];
  const child = spawn(tidemark, args, { stdio: ["ignore", "pipe", "inherit"] });
  let out = "";
  child.stdout.on("data", (d) => (out += d));
  const gone = new Promise<void>((resolve) => child.on("close", () => resolve()));
  return {
    heard: async (text) => {
      await expect.poll(() => out).toContain(text);
    },
    left: () => {
      const lines = out.split("\n").slice(0, -1);
      const events = lines.map((l) => JSON.parse(l) as { event: string; peer?: { id: string } });
      return events.filter((e) => e.event === "left").map((e) => e.peer?.id ?? "");
    },
    end: async () => {
      child.kill("SIGINT");
      await gone;
    },
  };
}

/** Waits until a tab sees exactly these states of others. */
const sees = (page: Page, states: readonly unknown[]): Promise<void> =>
  until(
    page,
    () => {
      const others = window.db.presence().peers.filter((p) => !p.me);
      return others.map((p) => JSON.stringify(p.state)).sort();
    },
    states.map((s) => JSON.stringify(s)).sort(),
  );

describe.skipIf(browser === "")("presence", () => {
  const dir = scratch();
  let s: Stage;

  beforeAll(async () => {
    s = await stage();
  });
  afterAll(async () => {
    await s?.end();
    dir.remove();
  });

  const present = async (state: object, name = "presence"): Promise<Page> => {
    const page = await openTab(s.chrome.context, s.site);
    await page.evaluate(
      async ({ server, state, name }) => {
        window.db = await window.tidemark.open({ name, server });
        const p = window.db.presence();
        window.kept.casts = [];
        p.onCast((c) => (window.kept.casts as unknown[]).push(c.body));
        p.join(state as Record<string, unknown>);
      },
      { server: s.space, state, name },
    );
    await until(page, () => window.db.presence().peers.some((p) => p.me), true);
    return page;
  };
  const idOf = (page: Page): Promise<string> =>
    page.evaluate(() => window.db.presence().peers.find((p) => p.me)?.id ?? "");
  const heard = (page: Page, casts: readonly unknown[]): Promise<void> => until(page, () => window.kept.casts, casts);

  test("two tabs of one replica and a Go program see each other", async () => {
    const file = join(dir.path, "go.db");
    await run("clone", s.space, file);
    const go = watcher(file, '{"name":"go"}');
    const one = await present({ name: "one" });
    const two = await present({ name: "two" });
    await sees(one, [{ name: "two" }, { name: "go" }]);
    await sees(two, [{ name: "one" }, { name: "go" }]);
    await go.heard('"state":{"name":"one"}');
    await go.heard('"state":{"name":"two"}');

    // Updates, as fast as a pointer moves, and what is said.
    await two.evaluate(async () => {
      for (let x = 0; x <= 300; x++) {
        window.db.presence().update({ x });
        if (x % 10 === 0) await window.db.query`SELECT 1`; // others get their turn
      }
    });
    await sees(one, [{ x: 300 }, { name: "go" }]);
    await go.heard('"state":{"x":300}');
    await two.evaluate(() => window.db.presence().cast({ wave: true }));
    await go.heard('"body":{"wave":true}');
    await heard(one, [{ wave: true }]);
    await heard(two, []);

    // The tab that leads is closed: the other one was never gone, and the closed one is.
    await one.evaluate(() => window.db.close());
    await one.close();
    await sees(two, [{ name: "go" }]);
    const three = await present({ name: "three" });
    await sees(three, [{ x: 300 }, { name: "go" }]);
    await go.end();
    await sees(two, [{ name: "three" }]);
    await two.evaluate(() => window.db.presence().leave());
    await sees(three, []);
    for (const page of [two, three]) {
      await page.evaluate(() => window.db.close());
      await page.close();
    }
  });

  test("the network is switched off and on, the server declines, and plain HTTP cannot", async () => {
    const file = join(dir.path, "go3.db");
    await run("clone", s.space, file);
    const go = watcher(file, '{"name":"go"}');
    const one = await present({ name: "one" });
    await sees(one, [{ name: "go" }]);
    await one.evaluate(() => window.db.setNetwork(false));
    await go.heard('"event":"left"');
    expect(await one.evaluate(() => window.db.presence().error?.code)).toBe("offline");
    await one.evaluate(() => window.db.setNetwork(true));
    await sees(one, [{ name: "go" }]);
    const declined = await one.evaluate(async () => {
      const p = window.db.presence("project/42");
      const told = new Promise<void>((resolve) => p.onChange(() => p.error !== null && resolve()));
      p.join();
      await told;
      return p.error;
    });
    expect(declined).toMatchObject({ code: "not_found" });
    const code = await one.evaluate(async (server) => {
      const db = await window.tidemark.open({ name: "trips", server, transport: "http", storage: "memory" });
      const p = db.presence();
      const told = new Promise<void>((resolve) => p.onChange(() => p.error?.code === "usage" && resolve()));
      p.join();
      await told;
      await db.exec`UPDATE task SET votes = 1 WHERE id = 'a'`;
      await db.flushed();
      await db.close();
      return p.error?.code;
    }, s.space);
    expect(code).toBe("usage");
    await go.end();
    await sees(one, []);
    await one.close();
  });

  /** Another browser process may show the crash page, but nobody says goodbye. */
  async function crash(page: Page): Promise<void> {
    const cdp = await s.chrome.context.newCDPSession(page);
    const gone = page.waitForEvent("crash");
    cdp.send("Page.crash").catch(() => {}); // nobody is left to answer
    await gone;
  }

  test("a tab that goes leaves at once, one that crashes after a while", async () => {
    const file = join(dir.path, "go4.db");
    await run("clone", s.space, file);
    const go = watcher(file, '{"name":"go"}');
    // Each of these ways to go is over before the ten seconds of the crash are.
    const crashed = await present({ name: "crashed" }, "crashed");
    const lost = await idOf(crashed);
    const leader = await present({ name: "leader" });
    const [other, away, last] = await Promise.all([
      present({ name: "other" }),
      present({ name: "away" }),
      present({ name: "last" }, "last"),
    ]);
    await sees(
      other,
      ["crashed", "leader", "away", "last", "go"].map((name) => ({ name })),
    );
    const [stays, ...goes] = await Promise.all([other, away, leader, last].map(idOf));
    await crash(crashed);
    await away.goto("about:blank"); // follows another tab
    await leader.close();
    await last.close(); // with it the replica has no tab any more
    // Those who go at about the same time may be told of together, and where the browser
    // is slow to let another tab lead, the one that stays may be missed for a moment.
    await expect.poll(() => go.left()).toEqual(expect.arrayContaining([...goes, lost]));
    const left = go.left();
    for (const id of [goes[0]!, goes[2]!]) expect(left.indexOf(id)).toBeLessThan(left.indexOf(lost));
    await sees(other, [{ name: "go" }]);
    expect(await idOf(other)).toBe(stays);
    await crashed.close();
    await away.close();
    await go.end();
    await sees(other, []);
    await other.close();
  });

  test("a page that is put away leaves, and is back when it is shown again", async () => {
    const leader = await present({ name: "leader" });
    const other = await present({ name: "other" });
    const witness = await present({ name: "witness" }, "witness");
    const all = [{ name: "leader" }, { name: "other" }];
    await sees(witness, all);
    // What the browser does when it keeps a page is told to it by an event.
    const turn = (page: Page, event: "pagehide" | "pageshow"): Promise<unknown> =>
      page.evaluate((event) => dispatchEvent(new PageTransitionEvent(event, { persisted: true })), event);
    for (const [page, name] of [
      [other, "other"],
      [leader, "leader"],
    ] as const) {
      await turn(page, "pagehide");
      await sees(
        witness,
        all.filter((s) => s.name !== name),
      );
      await turn(page, "pageshow");
      await sees(witness, all);
      await page.evaluate(() => window.db.query`SELECT 1`);
    }
    for (const page of [leader, other, witness]) await page.close();
  });

  test("a page that the browser keeps while one is elsewhere is back with its database", async () => {
    const page = await present({ name: "kept" }, "kept");
    const witness = await present({ name: "witness" }, "witness");
    await sees(witness, [{ name: "kept" }]);
    await page.goto(`${s.site}?elsewhere`);
    await sees(witness, []);
    await page.evaluate(() => history.back());
    // Loaded anew it would open no database.
    await sees(witness, [{ name: "kept" }]);
    await page.close();
    await witness.close();
  });
});
