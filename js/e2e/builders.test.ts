import type { Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { browser, openTab, type Stage, sqlite3, stage, until } from "./harness.ts";
import type {} from "./site/builders.ts"; // what it adds to the window

const SCHEMA = `
  CREATE TABLE task (id TEXT PRIMARY KEY, title TEXT NOT NULL, done INTEGER NOT NULL DEFAULT 0, picture BLOB);
  INSERT INTO task (id, title, done) VALUES ('a', 'wash', 0), ('b', 'cook', 1);`;

describe.skipIf(browser === "")("Kysely and Drizzle", () => {
  let s: Stage;
  let page: Page;
  let other: Page;

  beforeAll(async () => {
    s = await stage({ sql: SCHEMA, scripts: { "/builders.js": "e2e/site/builders.ts" } });
    [page, other] = [await openBuilders(), await openBuilders()];
  });
  afterAll(() => s?.end());

  /** A tab of the one copy that all of them share. */
  async function openBuilders(): Promise<Page> {
    const tab = await openTab(s.chrome.context, s.site);
    await tab.addScriptTag({ url: "/builders.js", type: "module" });
    await until(tab, () => "openBuilders" in window, true);
    await tab.evaluate(async (server) => {
      window.b = await window.openBuilders("builders", server);
    }, s.space);
    return tab;
  }

  const atServer = (): Promise<string> =>
    sqlite3(s.file, "SELECT id, title, done, hex(picture) FROM task WHERE id > 'b' ORDER BY id");

  test("a transaction of Kysely's is one changeset, and live in the other tab as Drizzle has its rows", async () => {
    await other.evaluate(() => {
      const { db, orm, task, eq, queryOfDrizzle } = window.b;
      const open = orm.select({ id: task.id, title: task.title }).from(task).where(eq(task.done, false));
      db.watch(queryOfDrizzle(open.orderBy(task.id)), [], (rows) => {
        window.kept.lists = [...((window.kept.lists as unknown[]) ?? []), rows.map((r) => Object.values(r).join(" "))];
      });
    });
    await until(other, () => window.kept.lists as string[][], [["a wash"]]);
    const seen = await page.evaluate(async () => {
      const { db, kysely } = window.b;
      await db.setNetwork(false);
      const within = await kysely.transaction().execute(async (tx) => {
        await tx
          .insertInto("task")
          .values({ id: "c", title: "iron", picture: new Uint8Array([0, 255]) })
          .execute();
        await tx.insertInto("task").values({ id: "d", title: "sew" }).execute();
        await tx.updateTable("task").set({ done: 1 }).where("id", "=", "a").execute();
        return await tx.selectFrom("task").select(["id", "done"]).orderBy("id").execute();
      });
      const made = (await db.pending()).length;
      const undone = await kysely
        .transaction()
        .execute(async (tx) => {
          await tx.deleteFrom("task").execute();
          throw new Error("never mind");
        })
        .catch((err: Error) => err.message);
      const rows = await kysely.selectFrom("task").select("picture").where("id", "=", "c").execute();
      await db.setNetwork(true);
      await db.flushed();
      return { within, made, undone, picture: [...(rows[0]?.picture ?? [])] };
    });
    expect(seen.within.map((r) => `${r.id}${r.done}`)).toEqual(["a1", "b1", "c0", "d0"]);
    expect([seen.made, seen.undone, seen.picture]).toEqual([1, "never mind", [0, 255]]);
    await until(other, () => window.kept.lists as string[][], [["a wash"], ["c iron", "d sew"]]);
    expect(await atServer()).toBe("c|iron|0|00FF\nd|sew|0|\n");
  });

  test("a transaction of Drizzle's is one too, and live as Kysely has its rows, wherever a change comes from", async () => {
    await other.evaluate(() => {
      const { db, kysely, queryOf } = window.b;
      const query = kysely.selectFrom("task").select(["title", "done"]).where("id", ">=", "e").orderBy("id");
      db.watch(queryOf(query), [], (rows) => {
        window.kept.rows = rows.map((r) => Object.values(r).join(" "));
      });
    });
    const seen = await page.evaluate(async () => {
      const { db, orm, task, eq } = window.b;
      const within = await orm.transaction(async (tx) => {
        await tx.insert(task).values([
          { id: "e", title: "bake", done: true },
          { id: "f", title: "mow" },
        ]);
        await tx.update(task).set({ title: "mow the lawn" }).where(eq(task.id, "f"));
        return await tx.query.task.findMany({ where: eq(task.title, "mow the lawn") });
      });
      const undone = await orm
        .transaction(async (tx) => {
          await tx.delete(task);
          throw new Error("never mind");
        })
        .catch((err: Error) => err.message);
      await db.flushed();
      const all = await orm.select().from(task).orderBy(task.id);
      return { within, undone, all: all.map((t) => `${t.id} ${t.done} ${t.picture}`) };
    });
    expect(seen).toEqual({
      within: [{ id: "f", title: "mow the lawn", done: false, picture: null }],
      undone: "never mind",
      all: ["a true null", "b true null", "c false 0,255", "d false null", "e true null", "f false null"],
    });
    await until(other, () => window.kept.rows as string[], ["bake 1", "mow the lawn 0"]);
    await sqlite3(s.file, "UPDATE task SET done = 1 WHERE id = 'f'");
    await until(other, () => window.kept.rows as string[], ["bake 1", "mow the lawn 1"]);
  });

  test("who read what another tab changed is told so by Kysely, and begins again with Drizzle", async () => {
    // The other tab writes when this one has read.
    await page.exposeFunction("meanwhile", (title: string) =>
      other.evaluate(async (title) => {
        const { orm, task, eq } = window.b;
        await orm.update(task).set({ title }).where(eq(task.id, "a"));
      }, title),
    );
    const seen = await page.evaluate(async () => {
      const { db, kysely, orm, task, eq, codeOf } = window.b;
      await db.setNetwork(false); // nothing else writes
      // Playwright put it there.
      const { meanwhile } = window as unknown as { meanwhile: (title: string) => Promise<void> };
      const refused = await kysely
        .transaction()
        .execute(async (tx) => {
          const row = await tx.selectFrom("task").select("title").where("id", "=", "a").executeTakeFirstOrThrow();
          await meanwhile("wash up");
          await tx
            .updateTable("task")
            .set({ title: `${row.title}!` })
            .where("id", "=", "a")
            .execute();
        })
        .then(() => "", codeOf);
      let runs = 0;
      await orm.transaction(async (tx) => {
        const [row] = await tx.select().from(task).where(eq(task.id, "a"));
        if (++runs === 1) await meanwhile("wash it");
        await tx
          .update(task)
          .set({ title: `${row!.title}!` })
          .where(eq(task.id, "a"));
      });
      await db.setNetwork(true);
      await db.flushed();
      return [refused, runs, (await orm.query.task.findFirst({ where: eq(task.id, "a") }))!.title];
    });
    expect(seen).toEqual(["busy", 2, "wash it!"]);
    expect(await sqlite3(s.file, "SELECT title FROM task WHERE id = 'a'")).toBe("wash it!\n");
  });
});
