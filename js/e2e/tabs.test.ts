import { readFileSync } from "node:fs";
import type { Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { browser, openTab, type Stage, sqlite3, stage, until } from "./harness.ts";

/** Takeovers in a row; `TIDEMARK_CYCLES` says how many in long runs. */
const CYCLES = Number(process.env.TIDEMARK_CYCLES ?? 20);

/** What a process takes of memory, kilobytes; 0 for one that has just ended. */
function memoryOf(pid: number): number {
  try {
    return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1] ?? 0);
  } catch {
    return 0;
  }
}

/** How a leader goes; what the browser does when it puts a page away is told to it by an event. */
const WAYS = ["close", "crash", "freeze"] as const;

type StorageLevel = "opfs" | "indexeddb";

describe.skipIf(browser === "")("tabs", () => {
  let s: Stage;

  beforeAll(async () => {
    s = await stage();
  });
  afterAll(() => s?.end());

  /** A test that fails leaves no tab behind that would disturb the next. */
  const open = new Set<Page>();
  afterEach(async () => {
    for (const page of open) await page.close();
    open.clear();
  });

  async function tab(name: string, storage: StorageLevel = "opfs"): Promise<Page> {
    const page = await openTab(s.chrome.context, s.site);
    open.add(page);
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
          // A call that is lost never ends; one that is slow does, on the busiest machine.
          const write = window.db.exec("INSERT INTO task (id, title) VALUES (?, ?)", [id, prefix], {
            deadline: 40_000,
          });
          await write.then(
            () => told.push(id),
            (err) => failed.push(`${id}: ${err.code} ${err.message}`),
          );
          slowest = Math.max(slowest, performance.now() - begun);
          await window.db.query`SELECT 1`.catch(() => {}); // others get their turn
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

  /** Which process runs a tab: the one that grows when the tab does. */
  async function processOf(page: Page): Promise<number> {
    const before = new Map(s.chrome.renderers().map((pid) => [pid, memoryOf(pid)]));
    await page.evaluate(() => {
      window.kept.ballast = new Uint8Array(256 << 20).fill(1);
    });
    const grown = s.chrome.renderers().filter((pid) => memoryOf(pid) - (before.get(pid) ?? 0) > 200_000);
    await page.evaluate(() => {
      window.kept.ballast = null;
    });
    if (grown.length !== 1) throw new Error(`${grown.length} processes grew with the tab`);
    return grown[0]!;
  }

  /** A tab that leads and can be stopped, and another that cannot be stopped with it. */
  async function two(name: string, storage: StorageLevel): Promise<[leader: Page, other: Page, pid: number]> {
    const leader = await tab(name, storage);
    const other = await tab(name, storage);
    const pid = await processOf(leader);
    if (pid === (await processOf(other))) throw new Error("both tabs are run by one process");
    expect(await leads(leader)).toBe(true);
    return [leader, other, pid];
  }

  /** Opens a transaction in IndexedDB in which nobody else gets anything done, until the page is told to end it. */
  const obstruct = (page: Page, name: string): Promise<void> =>
    page.evaluate(
      (name) =>
        new Promise<void>((resolve, reject) => {
          const opening = indexedDB.open(`tidemark:${name}`);
          opening.onerror = () => reject(opening.error);
          opening.onsuccess = () => {
            const facts = opening.result.transaction(["blocks", "facts"], "readwrite").objectStore("facts");
            window.kept.obstructs = true;
            const goOn = (): void => {
              resolve();
              if (window.kept.obstructs) facts.count().onsuccess = goOn;
              else opening.result.close();
            };
            facts.count().onsuccess = goOn;
          };
        }),
      name,
    );

  /** Writes a row, however long that takes here. */
  const insert = (page: Page, id: string): Promise<unknown> =>
    page.evaluate(
      (id) => window.db.exec("INSERT INTO task (id, title) VALUES (?, '')", [id], { deadline: 60_000 }),
      id,
    );

  const idsIn = (page: Page): Promise<string[]> =>
    page.evaluate(async () => (await window.db.query<{ id: string }>`SELECT id FROM task`).map((r) => r.id));

  /** While the leader stands still another tab's calls end in time, and it says what it waits for. */
  async function waitsInVain(page: Page): Promise<void> {
    const ask = (): Promise<string> =>
      page.evaluate(() =>
        window.db.query("SELECT 1", [], { deadline: 3000 }).then(
          () => "answered",
          (err) => err.code,
        ),
      );
    expect(await ask()).toBe("busy");
    await until(page, () => window.db.status.waiting, "another tab still holds the database's files");
    expect(await ask()).toBe("busy");
  }

  const leads = (page: Page): Promise<boolean> => page.evaluate(() => window.db.status.leader);

  test.for(["opfs", "indexeddb"] as const)("take the lead from each other and lose nothing (%s)", async (storage) => {
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
    await until(pages[1]!, () => window.db.status.pending, 0);
    expect(await pages[1]!.evaluate(() => window.db.rejected())).toEqual([]);
    expect(
      Number(await sqlite3(s.file, `SELECT count(*) FROM task WHERE id LIKE '${storage}-%'`)),
    ).toBeGreaterThanOrEqual(all.size);
    console.log(`${storage}: the slowest write over a takeover took ${Math.round(slowest)} ms, ${all.size} writes`);
  });

  describe.runIf(process.platform === "linux")("whose leader stands still", () => {
    test("take over from it (indexeddb)", async () => {
      const [leader, other, pid] = await two("still", "indexeddb");
      await writing(leader, "still");
      await until(leader, () => (window.kept.told as string[]).length > 5, true);
      const { told, failed } = await stopped(leader);
      expect(failed).toEqual([]);
      await leader.evaluate(() => window.db.flushed().then(() => window.db.caughtUp()));
      process.kill(pid, "SIGSTOP");
      try {
        await insert(other, "still");
        expect(await leads(other)).toBe(true);
      } finally {
        process.kill(pid, "SIGCONT");
      }
      // What was the leader follows, and is answered by the other.
      await until(leader, () => window.db.status.leader, false);
      await insert(leader, "still-again");
      const all = expect.arrayContaining(["still", "still-again", ...told]);
      expect(await idsIn(other)).toEqual(all);
      expect(await idsIn(leader)).toEqual(all);
    });

    test.for(["goes on", "dies"] as const)(
      "inside a transaction wait for it, and go on when it %s (indexeddb)",
      async (end) => {
        const name = `inside-${end.replace(" ", "-")}`;
        const [leader, other, pid] = await two(name, "indexeddb");
        await writing(leader, name);
        await until(leader, () => (window.kept.told as string[]).length > 5, true);
        await obstruct(leader, name);
        const told = await leader.evaluate(() => [...(window.kept.told as string[])]);
        process.kill(pid, "SIGSTOP");
        try {
          await waitsInVain(other);
        } finally {
          process.kill(pid, end === "dies" ? "SIGKILL" : "SIGCONT");
        }
        if (end === "goes on") {
          await leader.evaluate(() => {
            window.kept.obstructs = false;
          });
        }
        await insert(other, name);
        expect(await leads(other)).toBe(true);
        if (end === "goes on") {
          await until(leader, () => window.db.status.leader, false);
          const done = await stopped(leader);
          // What it was asked meanwhile may have taken too long; nothing was refused for coming twice.
          expect(done.failed.filter((f) => !f.includes(": busy "))).toEqual([]);
          told.push(...done.told);
        }
        expect(await idsIn(other)).toEqual(expect.arrayContaining([name, ...told]));
      },
    );

    test("say what they wait for while it holds the files (opfs)", async () => {
      const [leader, other, pid] = await two("held", "opfs");
      process.kill(pid, "SIGSTOP");
      try {
        await waitsInVain(other);
      } finally {
        process.kill(pid, "SIGCONT");
      }
      await insert(other, "held");
      expect(await leads(other)).toBe(true);
      expect(await idsIn(leader)).toContain("held");
    });

    test("let one open that comes meanwhile, and it says what it waits for (opfs)", async () => {
      const [leader, other, pid] = await two("comes", "opfs");
      await other.evaluate(() => window.db.close());
      process.kill(pid, "SIGSTOP");
      try {
        await other.evaluate(async (server) => {
          window.db = await window.tidemark.open({ name: "comes", server, deadline: 2000 });
        }, s.space);
        await waitsInVain(other);
        expect(await other.evaluate(() => window.db.status.phase)).toBe("opening");
      } finally {
        process.kill(pid, "SIGCONT");
      }
      await insert(other, "comes");
      expect(await idsIn(leader)).toContain("comes");
    });
  });

  test("of an older version of the page are told to reload", async () => {
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
