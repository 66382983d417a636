import type { Page } from "playwright-core";
import { afterAll, beforeAll, describe, test } from "vitest";
import { browser, openTab, type Stage, sqlite3, stage } from "../e2e/harness.ts";

/** The rows that the peers were measured with: an id of 26 characters, a title of 40, a body of 120. */
const SCHEMA = `
  CREATE TABLE task (id TEXT NOT NULL PRIMARY KEY, project TEXT NOT NULL, title TEXT NOT NULL, body TEXT NOT NULL,
    done INTEGER NOT NULL DEFAULT 0, votes INTEGER NOT NULL DEFAULT 0, updated_at INTEGER NOT NULL);
  CREATE INDEX task_project ON task (project, updated_at);
  WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100000)
  INSERT INTO task (id, project, title, body, updated_at)
  SELECT printf('%026d', i), 'project ' || (i % 100), substr(hex(randomblob(20)), 1, 40), substr(hex(randomblob(60)), 1, 120), i FROM n;`;

const ROUNDS = Number(process.env.ROUNDS ?? 3);

/** What was measured, in the order in which it is printed. */
const figures = new Map<string, number[]>();

function note(name: string, ...ms: number[]): void {
  figures.set(name, [...(figures.get(name) ?? []), ...ms]);
}

function report(): void {
  const at = (list: readonly number[], q: number): string =>
    (list[Math.min(list.length - 1, Math.floor(q * list.length))] ?? Number.NaN).toFixed(2).padStart(10);
  console.log(`${"".padEnd(64)}    median       p95       max`);
  for (const [name, list] of figures) {
    const sorted = list.toSorted((a, b) => a - b);
    console.log(`${name.padEnd(64)}${at(sorted, 0.5)}${at(sorted, 0.95)}${at(sorted, 1)}`);
  }
}

describe.skipIf(browser === "")("in Chromium, milliseconds", () => {
  let s: Stage;

  beforeAll(async () => {
    s = await stage({ name: "big", sql: SCHEMA, scripts: { "/bench/rebase.js": "bench/rebase.ts" } });
  });

  afterAll(async () => {
    report();
    await s?.end();
  });

  /** Opens the space in a tab and returns how long it took until the rows were there. */
  async function openSpace(name: string): Promise<[Page, number]> {
    const page = await openTab(s.chrome.context, s.site);
    const ms = await page.evaluate(
      async ([name, server]) => {
        const begin = performance.now();
        window.db = await window.tidemark.open({ name: name!, server: server!, deadline: 120_000 });
        await window.db.ready;
        await window.db.queryOne`SELECT title FROM task WHERE id = 'none'`;
        return performance.now() - begin;
      },
      [name, s.space],
    );
    return [page, ms];
  }

  test("first sync, cold start", async () => {
    for (let i = 0; i < ROUNDS; i++) {
      const [page, ms] = await openSpace(`first${i}`);
      // The first download makes the snapshot on the server.
      note(i === 0 ? "first sync of 100,000 rows, the server makes the snapshot" : "first sync of 100,000 rows", ms);
      await page.evaluate(() => window.db.caughtUp());
      await page.close();
      const [again, cold] = await openSpace(`first${i}`);
      note("cold start with 100,000 rows", cold);
      await again.evaluate(() => window.db.logout({ force: true }));
      await again.close();
    }
  });

  test("local reads and writes", async () => {
    const [page] = await openSpace("local");
    const ms = await page.evaluate(async () => {
      const { db } = window;
      const timed = async (n: number, fn: (i: number) => Promise<unknown>): Promise<number[]> => {
        const list: number[] = [];
        for (let i = 0; i < n; i++) {
          const begin = performance.now();
          await fn(i);
          list.push(performance.now() - begin);
        }
        return list;
      };
      const insert = (i: number): Promise<unknown> =>
        db.exec`INSERT INTO task (id, project, title, body, updated_at) VALUES (${window.tidemark.id()}, 'mine', 'title', 'body', ${i})`;
      await db.setNetwork(false);
      await timed(50, insert);
      return {
        "local write, durable: insert": await timed(300, insert),
        "local write, durable: update": await timed(
          300,
          (i) => db.exec`UPDATE task SET done = 1 - done WHERE id = ${String(i + 1).padStart(26, "0")}`,
        ),
        "transaction of 10,000 inserts in one statement": await timed(3, (n) =>
          db.exec(
            `WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 10000)
             INSERT INTO task (id, project, title, body, updated_at) SELECT 'bulk' || ${n} || '-' || i, 'bulk', 'title', 'body', i FROM n`,
          ),
        ),
        "point read": await timed(
          1000,
          (i) => db.queryOne`SELECT * FROM task WHERE id = ${String(i + 1).padStart(26, "0")}`,
        ),
        "read of 1,000 rows": await timed(20, () => db.query`SELECT * FROM task WHERE project = 'project 7'`),
      };
    });
    for (const [name, list] of Object.entries(ms)) note(name, ...list);
    await page.close();
  });

  test("live queries", async () => {
    const [page] = await openSpace("live");
    const ms = await page.evaluate(async () => {
      const { db } = window;
      await db.setNetwork(false);
      let hear = (): void => {};
      db.watch(
        "SELECT id, title, done FROM task WHERE project = ? ORDER BY updated_at DESC LIMIT 50",
        ["project 7"],
        () => hear(),
      );
      db.watch("SELECT count(*) AS n, sum(done) AS done FROM task", [], () => {});
      await new Promise<void>((resolve) => {
        hear = resolve;
      });
      const list: number[] = [];
      for (let i = 0; i < 50; i++) {
        const told = new Promise<void>((resolve) => {
          hear = resolve;
        });
        const begin = performance.now();
        await db.exec`UPDATE task SET title = ${`new ${i}`} WHERE id = ${"99907".padStart(26, "0")}`;
        await told;
        list.push(performance.now() - begin);
      }
      return list;
    });
    note("write until the callback of a list of 50 of 100,000 rows", ...ms);
    await page.close();
  });

  test("catch-up and rebase", async () => {
    const [page] = await openSpace("rebase");
    for (let i = 0; i < ROUNDS; i++) {
      await page.evaluate(() => window.db.setNetwork(false));
      await sqlite3(s.file, `UPDATE task SET votes = votes + 1 WHERE updated_at BETWEEN 1 AND 10000`);
      note(
        "catch-up of 10,000 rows",
        await page.evaluate(async () => {
          const begin = performance.now();
          await window.db.setNetwork(true);
          await window.db.sync();
          return performance.now() - begin;
        }),
      );
      await page.evaluate(async (i) => {
        const { db } = window;
        await db.setNetwork(false);
        for (let k = 1; k <= 1000; k++) {
          await db.exec`UPDATE task SET title = ${`edited ${i}`} WHERE id = ${String(k * 10).padStart(26, "0")}`;
        }
      }, i);
      await sqlite3(s.file, `UPDATE task SET votes = votes + 1 WHERE updated_at BETWEEN 1 AND 10000`);
      note(
        "10,000 rows come in under 1,000 pending, until all is settled",
        await page.evaluate(async () => {
          const begin = performance.now();
          await window.db.setNetwork(true);
          await window.db.sync();
          return performance.now() - begin;
        }),
      );
    }
    await page.close();
  });

  test("a rebase alone", async () => {
    const page = await openTab(s.chrome.context, s.site);
    const times = await page.evaluate(
      (rounds) =>
        new Promise<number[]>((resolve, reject) => {
          const worker = new Worker("/bench/rebase.js", { type: "module" });
          worker.onmessage = ({ data }) => (Array.isArray(data) ? resolve(data) : reject(new Error(data)));
          worker.onerror = (e) => reject(new Error(e.message));
          worker.postMessage(rounds);
        }),
      3 * ROUNDS,
    );
    note("rebase of 1,000 pending over 10,000 rows, alone, in OPFS", ...times);
    await page.close();
  });

  test.for(["opfs", "indexeddb"] as const)("reads while rows come in (%s)", async (storage) => {
    const page = await openTab(s.chrome.context, s.site);
    /** The longest that one of many point reads waited until what is begun here was done. */
    const longest = (first: boolean): Promise<number> =>
      page.evaluate(
        async ([server, storage, first]) => {
          const options = { name: `waits-${storage}`, server, storage, deadline: 120_000 };
          if (first) window.db = await window.tidemark.open(options);
          const { db } = window;
          const reads: Promise<number>[] = [];
          const read = async (): Promise<number> => {
            const begin = performance.now();
            await db.queryOne`SELECT title FROM task WHERE id = ${"50000".padStart(26, "0")}`;
            return performance.now() - begin;
          };
          await read();
          const timer = setInterval(() => reads.push(read()), 4);
          if (!first) await db.setNetwork(true);
          await db.ready;
          await db.caughtUp();
          clearInterval(timer);
          await db.setNetwork(false);
          return Math.max(...(await Promise.all(reads)));
        },
        [s.space, storage, first] as const,
      );
    for (let i = 0; i < ROUNDS; i++) {
      note(`longest wait of a read in a first sync of 100,000 rows, ${storage}`, await longest(true));
      for (const n of [1_000, 10_000, 100_000]) {
        await sqlite3(s.file, `UPDATE task SET votes = votes + 1 WHERE updated_at <= ${n}`);
        note(`longest wait of a read while ${n} rows come in, ${storage}`, await longest(false));
      }
      await page.evaluate(() => window.db.logout({ force: true }));
    }
    await page.close();
  });

  test("across tabs", async () => {
    const [leader] = await openSpace("tabs");
    const [follower] = await openSpace("tabs");
    // By their keys: what is measured is telling of rows, not finding them.
    const thousand = `id BETWEEN '${"1".padStart(26, "0")}' AND '${"1000".padStart(26, "0")}'`;
    await follower.evaluate(async (thousand) => {
      window.kept.rows = 0;
      await new Promise<void>((resolve) => {
        window.db.watch(`SELECT id, votes FROM task WHERE ${thousand}`, [], (_, diff) => {
          window.kept.rows = (window.kept.rows as number) + diff.changed.length;
          resolve();
        });
      });
    }, thousand);
    await leader.evaluate(() => window.db.setNetwork(false));
    const commits = 40;
    const begin = Date.now();
    await leader.evaluate(
      async ([n, thousand]) => {
        for (let i = 0; i < n; i++) await window.db.exec(`UPDATE task SET votes = votes + 1 WHERE ${thousand}`);
      },
      [commits, thousand] as const,
    );
    await follower.waitForFunction((n) => (window.kept.rows as number) >= n, commits * 1000, { polling: 10 });
    const seconds = (Date.now() - begin) / 1000;
    note("row events a second in another tab (not milliseconds)", (commits * 1000) / seconds);
    await leader.close();
    await follower.close();
  });
});
