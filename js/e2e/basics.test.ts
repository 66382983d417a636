import { join } from "node:path";
import type { BrowserContext } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { browser, launch, openTab, type Served, scratch, serve, serveSite, sqlite3 } from "./harness.ts";

const SCHEMA = `
  CREATE TABLE task (id TEXT PRIMARY KEY, title TEXT NOT NULL, done INTEGER NOT NULL DEFAULT 0, votes INTEGER);
  INSERT INTO task (id, title) VALUES ('a', 'first'), ('b', 'second');`;

describe.skipIf(browser === "")("a page", () => {
  const dir = scratch();
  let site: Awaited<ReturnType<typeof serveSite>>;
  let served: Served;
  let context: BrowserContext;

  beforeAll(async () => {
    site = await serveSite();
    const file = join(dir.path, "shop.sqlite");
    await sqlite3(file, SCHEMA);
    served = await serve([file], site.url);
    context = await launch(join(dir.path, "profile"));
  });

  afterAll(async () => {
    await context?.close();
    await served?.stop();
    await site?.close();
    dir.remove();
  });

  test.for(["opfs", "indexeddb", "memory"] as const)("fetches a space, reads, writes and syncs (%s)", async (storage) => {
    const page = await openTab(context, site.url);
    const result = await page.evaluate(
      async ({ server, storage }) => {
        const { open, id } = window.tidemark;
        const db = await open({ name: `basics-${storage}`, server, storage });
        await db.ready;
        const rows = await db.query`SELECT id, title FROM task WHERE length(id) = ${1} ORDER BY id`;
        const made = await db.exec`INSERT INTO task (id, title, votes) VALUES (${id()}, ${"from a page"}, ${7n})`;
        await db.transaction(async (tx) => {
          const one = await tx.queryOne<{ n: number }>`SELECT count(*) AS n FROM task`;
          await tx.exec`UPDATE task SET votes = ${one!.n} WHERE id = 'a'`;
        });
        const synced = await db.sync();
        const { status } = db;
        await db.close();
        return { rows, made, synced, level: status.storage, pending: status.pending };
      },
      { server: `${served.url}/shop`, storage },
    );
    expect(result.rows).toEqual([
      { id: "a", title: "first" },
      { id: "b", title: "second" },
    ]);
    expect(result.made.changes).toBe(1);
    expect(result.synced).toMatchObject({ accepted: 2, rejected: 0 });
    expect(result.level).toMatchObject({ level: storage });
    expect(result.pending).toBe(0);
    await page.close();
  });
});
