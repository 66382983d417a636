import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { browser, openTab, type Stage, sqlite3, stage } from "./harness.ts";

describe.skipIf(browser === "")("a page", () => {
  let s: Stage;

  beforeAll(async () => {
    s = await stage();
  });
  afterAll(() => s?.end());

  test.for(["opfs", "indexeddb", "memory"] as const)(
    "fetches a space, reads, writes and syncs (%s)",
    async (storage) => {
      const page = await openTab(s.chrome.context, s.site);
      const result = await page.evaluate(
        async ({ server, storage }) => {
          const { open, id } = window.tidemark;
          const db = await open({ name: `basics-${storage}`, server, storage });
          await db.ready;
          await db.caughtUp();
          const rows = await db.query`SELECT id, title FROM task WHERE length(id) = ${1} ORDER BY id`;
          const made = await db.exec`INSERT INTO task (id, title, votes) VALUES (${id()}, ${storage}, ${7n})`;
          await db.transaction(async (tx) => {
            const one = await tx.queryOne<{ n: number }>`SELECT count(*) AS n FROM task`;
            await tx.exec`UPDATE task SET votes = ${one!.n} WHERE id = 'a'`;
          });
          const synced = await db.sync();
          const { status } = db;
          await db.close();
          return { rows, made, synced, level: status.storage, pending: status.pending };
        },
        { server: s.space, storage },
      );
      expect(result.rows).toEqual([
        { id: "a", title: "first" },
        { id: "b", title: "second" },
      ]);
      expect(result.made.changes).toBe(1);
      expect(result.synced.rejected).toBe(0);
      const counted = await sqlite3(s.file, `SELECT (SELECT count(*) FROM task) = votes FROM task WHERE id = 'a'`);
      expect(counted.trim()).toBe("1");
      expect(await sqlite3(s.file, `SELECT votes FROM task WHERE title = '${storage}'`)).toBe("7\n");
      expect(result.level).toMatchObject({ level: storage });
      expect(result.pending).toBe(0);
      await page.close();
    },
  );
});
