import type { Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { browser, openTab, type Stage, sqlite3, stage, until } from "./harness.ts";

const ROWS = 50_000;

/** What one reading saw: how many rows, their sum, and the number of one row. */
type Seen = [count: number, sum: number, one: number];

describe.skipIf(browser === "")("reads beside a sync", () => {
  let s: Stage;
  /** What n of all rows is at the server. */
  let round = 0;

  beforeAll(async () => {
    s = await stage({
      name: "many",
      sql: `
        CREATE TABLE item (id INTEGER PRIMARY KEY, n INTEGER NOT NULL, text TEXT NOT NULL);
        CREATE INDEX item_n ON item (n);
        WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ${ROWS})
        INSERT INTO item SELECT i, 0, hex(randomblob(30)) FROM n;
        CREATE TABLE note (id TEXT PRIMARY KEY, text TEXT);`,
    });
  });
  afterAll(() => s?.end());

  /** Opens a database, which is offline until a test says more. */
  async function open(name: string, storage: "opfs" | "indexeddb"): Promise<Page> {
    const tab = await openTab(s.chrome.context, s.site);
    await tab.evaluate(
      async ([name, server, storage]) => {
        window.db = await window.tidemark.open({ name, server, storage, online: false, deadline: 120_000 });
      },
      [name, s.space, storage] as const,
    );
    return tab;
  }

  /** Has all rows of the server come. */
  const fill = (page: Page): Promise<void> =>
    page.evaluate(() => window.db.setNetwork(true).then(() => window.db.caughtUp()));

  /** Changes all rows at the server while the page is away. */
  async function change(page: Page): Promise<void> {
    await page.evaluate(() => window.db.setNetwork(false));
    round++;
    await sqlite3(s.file, `UPDATE item SET n = n + 1`);
  }

  /** Reads one after the other, by any way there is, until the page that goes online here has caught up; the first and the last come before and behind that, the first of an empty one when it has its tables. */
  const readOn = (page: Page, empty: boolean): Promise<{ seen: Seen[]; live: Seen[] }> =>
    page.evaluate(async (empty) => {
      const { db } = window;
      const sql = "SELECT count(*) AS count, coalesce(sum(n), 0) AS sum, coalesce(max(n), 0) AS one FROM item";
      const live: Seen[] = [];
      const stop = db.watch<{ count: number; sum: number; one: number }>(sql, [], ([r]) =>
        live.push([r!.count, r!.sum, r!.one]),
      );
      const seen: Seen[] = [];
      const read = async (): Promise<void> => {
        const [r] = await db.query<{ count: number; sum: number; one: number }>(sql);
        seen.push([r!.count, r!.sum, r!.one]);
      };
      if (empty) await db.setNetwork(true);
      await read();
      let over = false;
      const ends = (async () => {
        await db.setNetwork(true);
        await db.ready;
        await db.caughtUp();
        over = true;
      })();
      while (!over) await read();
      await ends;
      await read();
      while (JSON.stringify(live.at(-1)) !== JSON.stringify(seen.at(-1))) await new Promise((r) => setTimeout(r, 10));
      stop();
      return { seen, live };
    }, empty);

  /** The states that were seen, in order, and how often the first of them. */
  function statesOf(seen: readonly Seen[]): [states: Seen[], first: number] {
    const states = seen.filter((r, i) => String(r) !== String(seen[i - 1]));
    return [states, seen.filter((r) => String(r) === String(seen[0])).length];
  }

  test.for(["opfs", "indexeddb"] as const)(
    "go on while many rows come in, and see one state or the other (%s)",
    async (storage) => {
      const page = await open(`reads-${storage}`, storage);
      const was = round;
      const first = await readOn(page, true);
      // Until the rows were there, reads saw the empty tables; the server's snapshot may be of before it changed them.
      const [filled, empty] = statesOf(first.seen);
      expect([filled[0], filled.at(-1)]).toEqual([
        [0, 0, 0],
        [ROWS, was * ROWS, was],
      ]);
      for (const [count, sum, one] of first.seen) expect(sum).toBe(count * one);
      expect(filled.slice(1).every(([count]) => count === ROWS)).toBe(true);
      expect(empty).toBeGreaterThan(3);
      expect(statesOf(first.live)[0].at(-1)).toEqual([ROWS, was * ROWS, was]);
      for (let i = 0; i < 2; i++) {
        await change(page);
        const { seen, live } = await readOn(page, false);
        const [states, old] = statesOf(seen);
        expect(states).toEqual([
          [ROWS, (round - 1) * ROWS, round - 1],
          [ROWS, round * ROWS, round],
        ]);
        expect(old).toBeGreaterThan(5);
        expect(statesOf(live)[0]).toEqual(states);
      }
      await page.evaluate(() => window.db.logout({ force: true }));
      await page.close();
    },
  );

  test.for(["opfs", "indexeddb"] as const)("leave what is written meanwhile its turn (%s)", async (storage) => {
    const page = await open(`writes-${storage}`, storage);
    await fill(page);
    await change(page);
    const kept = await page.evaluate(async () => {
      const { db } = window;
      let over = false;
      const ends = (async () => {
        await db.setNetwork(true);
        await db.caughtUp();
        over = true;
      })();
      let reads = 0;
      let n = 0;
      const reading = (async () => {
        for (; !over; reads++) await db.query("SELECT n FROM item WHERE id = ?", [reads]);
      })();
      for (; !over; n++) {
        const id = `w${String(n).padStart(6, "0")}`;
        if (n % 2 === 0) await db.exec("INSERT INTO note VALUES (?, 'done')", [id]);
        else {
          await db.transaction(async (tx) => {
            await tx.exec("INSERT INTO note VALUES (?, 'begun')", [id]);
            await tx.exec("UPDATE note SET text = 'done' WHERE id = ?", [id]);
          });
        }
      }
      await Promise.all([reading, ends]);
      await db.sync();
      return n;
    });
    expect(kept).toBeGreaterThan(0);
    const here = await page.evaluate(() =>
      window.db.query("SELECT count(*) AS n FROM note WHERE text = 'done' AND id LIKE 'w%'"),
    );
    expect(here).toEqual([{ n: kept }]);
    expect(
      await sqlite3(s.file, "SELECT count(*) FROM note WHERE text = 'done' AND id LIKE 'w%'; DELETE FROM note"),
    ).toBe(`${kept}\n`);
    expect(await page.evaluate(async () => (await window.db.verify()).differed)).toBe(0);
    await page.evaluate(() => window.db.logout({ force: true }));
    await page.close();
  });

  test.for(["opfs", "indexeddb"] as const)("a tab that is gone in the middle loses nothing (%s)", async (storage) => {
    const name = `gone-${storage}`;
    let page = await open(name, storage);
    await fill(page);
    await change(page);
    await page.evaluate(() => window.db.exec("INSERT INTO note VALUES ('mine', 'kept')"));
    for (let i = 0; i < 3; i++) {
      // Reads are answered while rows come in; after some of them the tab goes. The next one finds it as it was then.
      await page.evaluate(async (many) => {
        const { db } = window;
        void db.setNetwork(true);
        while (db.status.head === db.status.seq) await db.query("SELECT n FROM item WHERE id = 1");
        for (let n = 0; n < many; n++) await db.query("SELECT n FROM item WHERE id = 1");
      }, 10 * i);
      await page.close();
      page = await open(name, storage);
      const [r] = await page.evaluate(() =>
        window.db.query<{ c: number; a: number; b: number }>(
          "SELECT count(*) AS c, min(n) AS a, max(n) AS b FROM item",
        ),
      );
      expect(r).toEqual({ c: ROWS, a: r!.b, b: r!.a });
      expect([round - 1, round]).toContain(r!.a);
      expect(await page.evaluate(() => window.db.query("PRAGMA integrity_check"))).toEqual([{ integrity_check: "ok" }]);
    }
    await page.evaluate(() => window.db.setNetwork(true).then(() => window.db.sync()));
    expect(await page.evaluate(async () => (await window.db.verify()).differed)).toBe(0);
    expect(await sqlite3(s.file, "SELECT text FROM note WHERE id = 'mine'; DELETE FROM note")).toBe("kept\n");
    await until(page, () => window.db.status.proven, true);
    await page.evaluate(() => window.db.logout({ force: true }));
    await page.close();
  });
});
