import type { Page } from "playwright-core";
import { afterAll, beforeAll, describe, test } from "vitest";
import { browser, openTab, type Stage, sqlite3, stage, until } from "./harness.ts";

/** Takeovers in a row; `TIDEMARK_CYCLES` says how many in long runs. */
const CYCLES = Number(process.env.TIDEMARK_CYCLES ?? 20);

/** How a leader goes; what the browser does when it puts a page away is told to it by an event. */
const WAYS = ["close", "crash", "freeze"] as const;

type StorageLevel = "opfs" | "indexeddb";

describe.skipIf(browser === "")("tabs", () => {
  let s: Stage;

  beforeAll(async () => {
    s = await stage();
  });
  afterAll(() => s?.end());

  async function tab(name: string, storage: StorageLevel = "opfs"): Promise<Page> {
    const page = await openTab(s.chrome.context, s.site);
    await page.evaluate(
      async ({ server, name, storage }) => {
        window.db = await window.tidemark.open({ name, server, storage });
        await window.db.ready;
        window.db.watch("SELECT count(*) AS n FROM task", [], (rows) => {
          window.kept.watched = rows[0]!.n;
        });
      },
      { server: s.space, name, storage },
    );
    return page;
  }

  /** Writes rows one after the other until it is stopped; keeps which it was told are written. */
  const writing = (page: Page, prefix: string): Promise<void> =>
    page.evaluate((prefix) => {
      const told: string[] = [];
      const failed: string[] = [];
      let slowest = 0;
      Object.assign(window.kept, { told, failed, stop: false, slowest: () => slowest });
      window.kept.writing = (async () => {
        for (let i = 0; !window.kept.stop; i++) {
          const id = `${prefix}-${i}`;
          const begun = performance.now();
          // Twice the same id would be refused: a write that is done twice shows as a failure.
          await window.db.exec`INSERT INTO task (id, title) VALUES (${id}, ${prefix})`.then(
            () => told.push(id),
            (err) => failed.push(`${id}: ${err.code} ${err.message}`),
          );
          slowest = Math.max(slowest, performance.now() - begun);
          await new Promise((resolve) => setTimeout(resolve, 5));
        }
      })();
    }, prefix);

  const stopped = (page: Page): Promise<{ told: string[]; failed: string[]; slowest: number }> =>
    page.evaluate(async () => {
      window.kept.stop = true;
      await window.kept.writing;
      const { told, failed, slowest } = window.kept as { told: string[]; failed: string[]; slowest: () => number };
      return { told, failed, slowest: slowest() };
    });

  async function crash(page: Page): Promise<void> {
    const cdp = await s.chrome.context.newCDPSession(page);
    const gone = page.waitForEvent("crash");
    cdp.send("Page.crash").catch(() => {}); // nobody is left to answer
    await gone;
  }

  /** Opens a tab and tells which process runs it. */
  async function tabWithProcess(name: string, storage: StorageLevel): Promise<[Page, number]> {
    const before = s.chrome.renderers();
    const page = await tab(name, storage);
    const pid = s.chrome
      .renderers()
      .filter((p) => !before.includes(p))
      .at(-1);
    if (pid === undefined) throw new Error("the tab shares a process with another");
    return [page, pid];
  }

  /** Which process runs a tab is the browser's affair: where the wrong one was stopped, another attempt is made. */
  const again = { retry: 2 };
  let attempts = 0;

  const leads = (page: Page): Promise<boolean> => page.evaluate(() => window.db.status.leader);

  test.for(["opfs", "indexeddb"] as const)(
    "take the lead from each other and lose nothing (%s)",
    async (storage, { expect }) => {
      const name = `cycles-${storage}`;
      let pages = [await tab(name, storage), await tab(name, storage), await tab(name, storage)];
      const all = new Set<string>();
      let slowest = 0;
      for (let cycle = 0; cycle < CYCLES / 2; cycle++) {
        const roles = await Promise.all(pages.map(leads));
        expect(roles.filter(Boolean)).toHaveLength(1);
        const leader = pages[roles.indexOf(true)]!;
        const others = pages.filter((p) => p !== leader);
        await Promise.all(others.map((p, i) => writing(p, `${storage}-${cycle}-${i}`)));
        await until(others[0]!, () => (window.kept.told as string[]).length > 2, true);

        const way = WAYS[cycle % 3];
        if (way === "close") await leader.close();
        else if (way === "crash") await crash(leader);
        else await leader.evaluate(() => document.dispatchEvent(new Event("freeze")));
        await Promise.any(others.map((p) => until(p, () => window.db.status.leader, true)));
        const count = await others[1]!.evaluate(() => (window.kept.told as string[]).length);
        await until(others[1]!, (n) => (window.kept.told as string[]).length > n + 2, true, count);
        for (const p of others) {
          const done = await stopped(p);
          expect(done.failed).toEqual([]);
          slowest = Math.max(slowest, done.slowest);
          for (const id of done.told) all.add(id);
        }
        if (way === "freeze") {
          // It comes back as one of those that follow.
          await leader.evaluate(async () => {
            document.dispatchEvent(new Event("resume"));
            await window.db.query`SELECT 1`;
          });
          expect(await leads(leader)).toBe(false);
        } else {
          if (way === "crash") await leader.close();
          pages = [...others, await tab(name, storage)];
        }
      }
      const ids = await pages[0]!.evaluate(async () =>
        (await window.db.query<{ id: string }>`SELECT id FROM task`).map((r) => r.id),
      );
      for (const id of all) expect(ids).toContain(id);
      // Live queries went over from leader to leader.
      for (const p of pages) await until(p, () => window.kept.watched, ids.length);
      await pages[2]!.evaluate(() => window.db.sync());
      expect(
        await pages[1]!.evaluate(async () => [window.db.status.pending, (await window.db.rejected()).length]),
      ).toEqual([0, 0]);
      expect(
        Number(await sqlite3(s.file, `SELECT count(*) FROM task WHERE id LIKE '${storage}-%'`)),
      ).toBeGreaterThanOrEqual(all.size);
      console.log(`${storage}: the slowest write over a takeover took ${Math.round(slowest)} ms, ${all.size} writes`);
      for (const p of pages) await p.close();
    },
  );

  test.runIf(process.platform === "linux")(
    "take over from a tab that does not answer any more (indexeddb)",
    again,
    async ({ expect }) => {
      const name = `stopped-idb-${++attempts}`;
      const [leader, pid] = await tabWithProcess(name, "indexeddb");
      const other = await tab(name, "indexeddb");
      await writing(leader, name);
      await until(leader, () => (window.kept.told as string[]).length > 5, true);
      process.kill(pid, "SIGSTOP");
      try {
        const took = await other.evaluate(async (id) => {
          const begun = performance.now();
          await window.db.exec`INSERT INTO task (id, title) VALUES (${id}, '')`;
          return performance.now() - begun;
        }, name);
        console.log(`the first write after the leader was stopped took ${Math.round(took)} ms`);
        expect(await leads(other)).toBe(true);
      } finally {
        process.kill(pid, "SIGCONT");
      }
      // What was the leader writes nothing any more, and follows.
      await until(leader, () => window.db.status.leader, false);
      const { told, failed } = await stopped(leader);
      expect(failed).toEqual([]);
      const ids = await other.evaluate(async () =>
        (await window.db.query<{ id: string }>`SELECT id FROM task`).map((r) => r.id),
      );
      expect(ids).toEqual(expect.arrayContaining([name, ...told]));
      await leader.close();
      await other.close();
    },
  );

  test.runIf(process.platform === "linux")(
    "say what they wait for while a tab that stands still holds the files (opfs)",
    again,
    async ({ expect }) => {
      const name = `stopped-opfs-${++attempts}`;
      const [leader, pid] = await tabWithProcess(name, "opfs");
      const other = await tab(name, "opfs");
      process.kill(pid, "SIGSTOP");
      let waited: { code: string; waiting: string };
      try {
        waited = await other.evaluate(async () => {
          const late = await window.db.query("SELECT 1", [], { deadline: 3000 }).catch((e) => e.code);
          return { code: late as string, waiting: window.db.status.waiting };
        });
      } finally {
        process.kill(pid, "SIGCONT");
      }
      expect(waited).toEqual({ code: "busy", waiting: "another tab still holds the database's files" });
      await other.evaluate((id) => window.db.exec`INSERT INTO task (id, title) VALUES (${id}, '')`, name);
      expect(await leads(other)).toBe(true);
      await leader.evaluate(() => window.db.query`SELECT 1`);
      await leader.close();
      await other.close();
    },
  );

  test("of an older version of the page are told to reload", async ({ expect }) => {
    const open = (page: Page, version: number): Promise<string> =>
      page.evaluate(
        async ({ server, version }) => {
          try {
            window.db = await window.tidemark.open({ name: "versions", server, version });
            await window.db.ready;
            await window.db.query`SELECT 1`;
            return window.db.status.phase;
          } catch (err) {
            return (err as { code: string }).code;
          }
        },
        { server: s.space, version },
      );
    const old = await openTab(s.chrome.context, s.site);
    expect(await open(old, 1)).toBe("ready");
    await old.evaluate(() => window.db.exec`INSERT INTO task (id, title) VALUES ('of-the-old', '')`);
    const fresh = await openTab(s.chrome.context, s.site);
    expect(await open(fresh, 2)).toBe("ready");
    const refused = await old.evaluate(async () => {
      const err = await window.db.query`SELECT 1`.catch((e) => ({ code: e.code, hint: e.hint }));
      return { err, phase: window.db.status.phase };
    });
    expect(refused).toEqual({ err: { code: "protocol", hint: "reload the page" }, phase: "outdated" });
    const late = await openTab(s.chrome.context, s.site);
    expect(await open(late, 1)).toBe("protocol");
    const rows = await fresh.evaluate(() => window.db.query`SELECT id FROM task WHERE id = 'of-the-old'`);
    expect(rows).toEqual([{ id: "of-the-old" }]);
    for (const p of [old, fresh, late]) await p.close();
  });
});
