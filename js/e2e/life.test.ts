import { writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { browser, openTab, run, type Stage, sqlite3, stage, until } from "./harness.ts";

describe.skipIf(browser === "")("a database", () => {
  let s: Stage;

  beforeAll(async () => {
    s = await stage();
  });
  afterAll(() => s?.end());

  test.for(["opfs", "indexeddb"] as const)(
    "that is exported is a copy for every other program (%s)",
    async (storage) => {
      const page = await openTab(s.chrome.context, s.site);
      const bytes = await page.evaluate(
        async ({ server, storage }) => {
          const db = await window.tidemark.open({ name: `export-${storage}`, server, storage });
          await db.ready;
          await db.setNetwork(false);
          await db.exec`INSERT INTO task (id, title) VALUES (${storage}, 'exported')`;
          const file = await db.exportFile();
          await db.close();
          let text = "";
          for (const b of file) text += String.fromCharCode(b);
          return btoa(text);
        },
        { server: s.space, storage },
      );
      const file = join(dirname(s.file), `${storage}.db`);
      await writeFile(file, Buffer.from(bytes, "base64"));
      expect(await sqlite3(file, `SELECT title FROM task WHERE id = '${storage}'`)).toBe("exported\n");
      expect(JSON.parse(await run("status", file, "--json"))).toMatchObject({ pending: 1, rejected: 0 });
      await run("sync", file);
      expect(await sqlite3(s.file, `SELECT title FROM task WHERE id = '${storage}'`)).toBe("exported\n");
      await page.close();
    },
  );

  test.for(["opfs", "indexeddb"] as const)(
    "is wiped by nobody while something is pending, then for all tabs (%s)",
    async (storage) => {
      const open = async () => {
        const page = await openTab(s.chrome.context, s.site);
        await page.evaluate(
          async ({ server, storage }) => {
            window.db = await window.tidemark.open({ name: `wipe-${storage}`, server, storage });
            await window.db.ready;
          },
          { server: s.space, storage },
        );
        return page;
      };
      const [one, two] = [await open(), await open()];
      const refused = await two.evaluate(async () => {
        await window.db.setNetwork(false);
        await window.db.exec`INSERT INTO task (id, title) VALUES ('unsent', 'unsent')`;
        return await window.db.logout().catch((e) => e.code);
      });
      expect(refused).toBe("pending");
      await two.evaluate(() => window.db.logout({ force: true }));
      await until(one, () => window.db.status.phase, "closed");
      expect(await one.evaluate(() => window.db.query`SELECT 1`.catch((e) => e.code))).toBe("usage");
      const again = await open();
      expect(await again.evaluate(() => window.db.query`SELECT * FROM task WHERE id = 'unsent'`)).toEqual([]);
      for (const p of [one, two, again]) await p.close();
    },
  );

  test("is handed over in order when the tab that leads closes it", async () => {
    const tabs = [];
    for (let i = 0; i < 2; i++) {
      const page = await openTab(s.chrome.context, s.site);
      await page.evaluate(async (server) => {
        window.db = await window.tidemark.open({ name: "close", server });
        await window.db.ready;
      }, s.space);
      tabs.push(page);
    }
    const [first, second] = tabs;
    const told = await first!.evaluate(async () => {
      const writes = Promise.all(
        [1, 2, 3].map((i) => window.db.exec`INSERT INTO task (id, title) VALUES (${`close-${i}`}, '')`),
      );
      const closing = window.db.close();
      await Promise.all([writes, closing]);
      return await window.db.query`SELECT 1`.catch((e) => e.code);
    });
    expect(told).toBe("usage");
    const rows = await second!.evaluate(
      async () => (await window.db.query`SELECT id FROM task WHERE id LIKE 'close-%'`).length,
    );
    expect(rows).toBe(3);
    expect(await second!.evaluate(() => window.db.status.leader)).toBe(true);
    for (const p of tabs) await p.close();
  });

  test("in a page that gets no locks from the browser lives in memory and says so", async () => {
    const page = await openTab(s.chrome.context, s.site);
    const storage = await page.evaluate(async (server) => {
      // What pages have that are not served in a secure way.
      Object.defineProperty(navigator, "locks", { value: undefined });
      const db = await window.tidemark.open({ name: "insecure", server });
      await db.ready;
      await db.exec`UPDATE task SET title = 'insecure' WHERE id = 'b'`;
      await db.flushed();
      return db.status.storage;
    }, s.space);
    expect(storage).toMatchObject({ level: "memory", reason: expect.stringContaining("secure") });
    expect(await sqlite3(s.file, "SELECT title FROM task WHERE id = 'b'")).toBe("insecure\n");
    await page.close();
  });
});
