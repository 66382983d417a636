import type { Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { browser, openTab, type Stage, sqlite3, stage, until } from "./harness.ts";

const tables = `CREATE TABLE guest (project INTEGER, person TEXT, PRIMARY KEY (project, person));
  CREATE TABLE project (id INTEGER PRIMARY KEY, title TEXT);
  CREATE TABLE task (id TEXT PRIMARY KEY, project INTEGER REFERENCES project (id), title TEXT NOT NULL);
  CREATE TABLE label (name TEXT PRIMARY KEY);
  INSERT INTO project VALUES (1, 'one'), (2, 'two'), (3, 'three');
  INSERT INTO guest VALUES (1, 'ana'), (2, 'ana'), (1, 'ben'), (3, 'ben');
  INSERT INTO task VALUES ('a', 1, 'first'), ('b', 1, 'second'), ('c', 2, 'third'), ('d', 3, 'secret of three');
  INSERT INTO label VALUES ('red')`;

const declared = `rules:
  default: public
scopes:
  project:
    grant: SELECT project FROM guest WHERE person = :user
    tables: { project: id, task: project, guest: project }
  catalog: { grant: public, tables: { label: all } }
`;

describe.skipIf(browser === "")("a page of a space with scopes", () => {
  let s: Stage;

  beforeAll(async () => {
    s = await stage({ name: "team", sql: tables, declared });
  });
  afterAll(() => s?.end());

  interface Opening {
    readonly name: string;
    readonly who: string;
    readonly scopes?: string[];
    readonly transport?: "websocket" | "http";
    readonly storage?: "opfs" | "indexeddb";
  }

  /** Opens a tab with a person's database. */
  async function signIn({ name, who, scopes, transport = "websocket", storage = "opfs" }: Opening): Promise<Page> {
    const page = await openTab(s.chrome.context, s.site);
    await page.evaluate(
      async ({ token, scopes, ...more }) => {
        const { open } = window.tidemark;
        window.db = await open({ ...more, token, ...(scopes && { scopes }) });
        window.kept.news = [];
        const list = window.kept.news as string[];
        window.db.onEvent((e) => e.type === "scope" && list.push(`${e.scope.scope} ${e.scope.state}`));
        await window.db.ready;
      },
      { name, transport, storage, server: s.space, token: await s.token(who), scopes },
    );
    return page;
  }

  const tasks = (page: Page): Promise<string> =>
    page.evaluate(async () =>
      (await window.db.query<{ id: string }>`SELECT id FROM task ORDER BY id`).map((r) => r.id).join(),
    );
  const shows = (page: Page, ids: string): Promise<void> =>
    until(
      page,
      async () => (await window.db.query<{ id: string }>`SELECT id FROM task ORDER BY id`).map((r) => r.id).join(),
      ids,
    );
  const leave = async (page: Page): Promise<void> => {
    await page.evaluate(() => window.db.close());
    await page.close();
  };

  test.for(["websocket", "http"] as const)("holds what its person may read and wants, over %s", async (transport) => {
    const page = await signIn({
      name: `named-${transport}`,
      who: "ana",
      scopes: ["project/1"],
      transport,
    });
    await page.evaluate(() => window.db.subscribe("project/1").ready);
    expect(await tasks(page)).toBe("a,b");
    expect(await page.evaluate(() => window.db.status.phase)).toBe("ready");
    expect(await page.evaluate(async () => (await window.db.query("SELECT * FROM label")).length)).toBe(1);
    const refused = await page.evaluate(() => window.db.subscribe("project/3").ready.catch((err) => err.code));
    expect(refused).toBe("forbidden");
    await page.evaluate(() => window.db.subscribe("project/2").ready);
    await shows(page, "a,b,c");
    expect(
      await page.evaluate(async () => (await window.db.scopes()).map((s) => `${s.scope} ${s.ready} ${s.rows}`)),
    ).toEqual(["catalog true 1", "project/1 true 5", "project/2 true 3", "project/3 false 0"]);
    await page.evaluate(() => window.db.unsubscribe("project/2"));
    await shows(page, "a,b");
    await until(page, () => (window.kept.news as string[]).includes("project/2 lost"), true);
    await leave(page);
  });

  test("all tabs share what one subscribes to, over the end of the one that leads", async () => {
    const first = await signIn({ name: "tabs", who: "ben", scopes: ["project/1"] });
    const second = await signIn({ name: "tabs", who: "ben" });
    await until(second, () => window.db.status.leader, false);
    await second.evaluate(() => window.db.setNetwork(false));
    await second.evaluate(() => {
      window.kept.ready = "waits";
      window.db.subscribe("project/3").ready.then(
        () => (window.kept.ready = "ready"),
        (err) => (window.kept.ready = err.code),
      );
    });
    const wanted = () => window.db.status.scopes.filter((s) => s.wanted).map((s) => s.scope);
    await until(first, wanted, ["project/1", "project/3"]);
    await leave(first);
    await until(second, () => window.db.status.leader, true);
    await until(second, wanted, ["project/1", "project/3"]);
    expect(await second.evaluate(() => window.kept.ready)).toBe("waits");
    await second.evaluate(() => window.db.setNetwork(true));
    await until(second, () => window.kept.ready as string, "ready");
    await shows(second, "a,b,d");
    await leave(second);
  });

  test.for(["opfs", "indexeddb"] as const)(
    "rows leave with a grant: at once, and after a time without network (%s)",
    async (storage) => {
      await sqlite3(s.file, "INSERT OR IGNORE INTO guest VALUES (2, 'ana')");
      await sqlite3(s.file, "INSERT OR IGNORE INTO task VALUES ('b', 1, 'second')");
      const page = await signIn({ name: `losing-${storage}`, who: "ana", storage });
      expect(await page.evaluate(() => window.db.status.storage?.level)).toBe(storage);
      await page.evaluate(() => window.db.caughtUp());
      await shows(page, "a,b,c");
      await page.evaluate(() => {
        window.kept.gone = [];
        const list = window.kept.gone as string[];
        window.db.watch<{ id: string }>("SELECT id FROM task ORDER BY id", [], (_, { removed, left }) =>
          list.push(...removed.map((r) => `${r.id} ${left.includes(r) ? "left" : "deleted"}`)),
        );
      });
      const gone = () => window.kept.gone as string[];
      await sqlite3(s.file, "DELETE FROM guest WHERE project = 2 AND person = 'ana'");
      await shows(page, "a,b");
      await until(page, gone, ["c left"]);
      await sqlite3(s.file, "DELETE FROM task WHERE id = 'b'");
      await until(page, gone, ["c left", "b deleted"]);

      await page.evaluate(() => window.db.setNetwork(false));
      await page.evaluate(() => window.db.exec`UPDATE task SET title = 'mine' WHERE id = 'a'`);
      await sqlite3(s.file, "DELETE FROM guest WHERE project = 1 AND person = 'ana'");
      expect(await tasks(page)).toBe("a");
      await page.evaluate(() => window.db.setNetwork(true));
      await shows(page, "");
      await until(page, gone, ["c left", "b deleted", "a left"]);
      await page.evaluate(() => window.db.flushed());
      expect(await page.evaluate(async () => (await window.db.rejected()).map((r) => r.code))).toEqual(["forbidden"]);
      expect(await sqlite3(s.file, "SELECT title FROM task WHERE id = 'a'")).toBe("first\n");

      await sqlite3(s.file, "INSERT INTO guest VALUES (1, 'ana')");
      await shows(page, "a");
      await leave(page);
    },
  );
});
