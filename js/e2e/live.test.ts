import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { browser, openTab, type Stage, sqlite3, stage, until } from "./harness.ts";

const SCHEMA = `
  CREATE TABLE task (id INTEGER PRIMARY KEY, project INT NOT NULL, title TEXT NOT NULL, done INT NOT NULL DEFAULT 0);
  WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3000)
  INSERT INTO task (id, project, title) SELECT i, i % 1000, 'task ' || i FROM n;`;

describe.skipIf(browser === "")("live queries", () => {
  let s: Stage;

  beforeAll(async () => {
    s = await stage({ sql: SCHEMA });
  });
  afterAll(() => s?.end());

  const openDatabase = async (name: string) => {
    const page = await openTab(s.chrome.context, s.site);
    await page.evaluate(
      async ({ server, name }) => {
        window.db = await window.tidemark.open({ name, server });
        await window.db.ready;
        await window.db.caughtUp();
      },
      { server: s.space, name },
    );
    return page;
  };

  test("a commit of one tab reaches the others once, as a difference, and shares one run", async () => {
    const tabs = [await openDatabase("tabs"), await openDatabase("tabs"), await openDatabase("tabs")];
    const sql = "SELECT id, title FROM task WHERE id <= 50 ORDER BY id";
    for (const page of tabs) {
      await page.evaluate(
        (sql) =>
          new Promise<void>((done) => {
            const calls: unknown[] = [];
            let first: readonly unknown[] = [];
            window.kept.calls = calls;
            window.db.watch(sql, [], (rows, { added, changed, removed }) => {
              if (first.length === 0) first = rows;
              else calls.push([added.length, changed, removed.length, rows.filter((r, i) => r === first[i]).length]);
              done();
            });
          }),
        sql,
      );
    }
    await tabs[1]!.evaluate(async () => {
      await window.db.transaction(async (tx) => {
        await tx.exec`UPDATE task SET title = 'x' WHERE id = 7`;
        await tx.exec`UPDATE task SET title = 'TASK 7' WHERE id = 7`;
        await tx.exec`UPDATE task SET done = 1 WHERE id = 8`;
      });
      await window.db.exec`UPDATE task SET done = 2 WHERE id = 8`;
    });
    for (const page of tabs) {
      await until(page, () => (window.kept.calls as unknown[]).length > 0, true);
      const changed = [{ before: { id: 7, title: "task 7" }, after: { id: 7, title: "TASK 7" } }];
      expect(await page.evaluate(() => window.kept.calls)).toEqual([[0, changed, 0, 49]]);
    }
    const costs = await tabs[2]!.evaluate(async () => (await window.db.inspect()).watches);
    expect(costs.map((w) => [w.sql, w.tabs, w.rows, w.runs])).toEqual([[sql, 3, 50, 2]]);
    for (const page of tabs) await page.close();
  });

  test("of a thousand standing queries run those that a commit concerns, from here and from elsewhere", async () => {
    const page = await openDatabase("thousand");
    const runs = (): Promise<number> =>
      page.evaluate(async () => (await window.db.inspect()).watches.reduce((n, w) => n + w.runs, 0));
    await page.evaluate(async () => {
      let told = 0;
      await new Promise<void>((done) => {
        for (let p = 0; p < 1000; p++) {
          window.db.watch("SELECT id, title FROM task WHERE project = ? ORDER BY id", [p], (rows) => {
            if (++told === 1000) done();
            window.kept[p] = rows.map((r) => r.title).join();
          });
        }
      });
      window.kept.told = () => told;
    });
    expect(await runs()).toBe(1000);
    await page.evaluate(() => window.db.exec("UPDATE task SET title = 'here' WHERE project < 5 AND id <= 1005"));
    await until(page, () => (window.kept.told as () => number)(), 1005);
    expect(await runs()).toBe(1005);
    await page.evaluate(() => window.db.flushed());
    expect(await runs()).toBe(1005);
    await sqlite3(s.file, "UPDATE task SET title = 'there' WHERE project BETWEEN 100 AND 104 AND id < 1000");
    await until(page, () => (window.kept.told as () => number)(), 1010);
    expect(await runs()).toBe(1010);
    expect(await page.evaluate(() => [window.kept[3], window.kept[102]])).toEqual([
      "here,here,task 2003",
      "there,task 1102,task 2102",
    ]);
    await page.close();
  });
});
