import { Kysely, sql } from "kysely";
import { expect, expectTypeOf, test } from "vitest";
import { codeOf } from "../../src/error.ts";
import { type KyselyTables, queryOf, TidemarkDialect } from "../../src/kysely.ts";
import { type Plain, plain } from "./database.ts";

/** As `tidemark generate ts` writes it. */
interface Tables {
  project: { row: { id: number; name: string }; insert: { id?: number | undefined; name: string } };
  task: {
    row: { id: number; project: number; title: string; done: number; short: string | null };
    insert: { id?: number | undefined; project: number; title: string; done?: number | undefined };
  };
  open_task: { row: { id: number | null }; insert: never };
}

function world(): Plain & { k: Kysely<KyselyTables<Tables>> } {
  const p = plain(
    `CREATE TABLE project (id INTEGER PRIMARY KEY, name TEXT NOT NULL);
     CREATE TABLE task (id INTEGER PRIMARY KEY, project INT NOT NULL, title TEXT NOT NULL UNIQUE, done INT NOT NULL DEFAULT 0, short AS (substr(title, 1, 1)));
     CREATE VIEW open_task AS SELECT id FROM task WHERE done = 0;
     INSERT INTO project VALUES (1, 'home'); INSERT INTO task VALUES (1, 1, 'wash', 0), (2, 1, 'cook', 1)`,
  );
  return Object.assign(p, { k: new Kysely<KyselyTables<Tables>>({ dialect: new TidemarkDialect(p.db) }) });
}

test("queries read and write, one statement each", async () => {
  const { k, ran } = world();
  const rows = await k
    .selectFrom("task as t")
    .innerJoin("project as p", "p.id", "t.project")
    .select(["t.title", "p.name", "t.short"])
    .where("t.done", "=", 0)
    .execute();
  expect(rows).toEqual([{ title: "wash", name: "home", short: "w" }]);
  const added = await k.insertInto("task").values({ project: 1, title: "iron" }).executeTakeFirstOrThrow();
  expect([added.insertId, added.numInsertedOrUpdatedRows]).toEqual([3n, 1n]);
  const done = await k.updateTable("task").set({ done: 1 }).where("id", ">", 1).executeTakeFirstOrThrow();
  expect(done.numUpdatedRows).toBe(2n);
  const gone = await k.deleteFrom("task").where("id", "=", 3).returning("title").executeTakeFirstOrThrow();
  expect(gone).toEqual({ title: "iron" });
  expect(await sql<{ n: number }>`SELECT count(*) AS n FROM open_task`.execute(k)).toMatchObject({ rows: [{ n: 1 }] });
  expect(ran.length).toBe(5);
});

test("types say what can be written", async () => {
  const { k } = world();
  const into = k.insertInto("task");
  // @ts-expect-error a title is needed
  into.values({ project: 1 });
  // @ts-expect-error a generated column cannot be written
  into.values({ project: 1, title: "x", short: "x" });
  const rows = await k.selectFrom("task").select(["id", "short"]).execute();
  expectTypeOf(rows).toEqualTypeOf<{ id: number; short: string | null }[]>();
  expect(rows.length).toBe(2);
});

test("a transaction is one, and is undone as a whole", async () => {
  const { k, ran } = world();
  const title = await k.transaction().execute(async (tx) => {
    await tx.insertInto("task").values({ project: 1, title: "new" }).execute();
    return (await tx.selectFrom("task").select("title").where("id", "=", 3).executeTakeFirstOrThrow()).title;
  });
  expect([title, ran.filter((r) => r.startsWith("tx: ")).length]).toEqual(["new", 2]);
  const failed = k.transaction().execute(async (tx) => {
    await tx.deleteFrom("task").execute();
    throw new Error("no");
  });
  await expect(failed).rejects.toThrow("no");
  const unique = k.transaction().execute(async (tx) => {
    await tx.deleteFrom("task").where("id", "=", 1).execute();
    await tx.insertInto("task").values({ project: 1, title: "cook" }).execute();
  });
  await expect(unique).rejects.toThrow("UNIQUE");
  expect(await k.selectFrom("task").select("id").orderBy("id").execute()).toEqual([{ id: 1 }, { id: 2 }, { id: 3 }]);
});

test("a transaction that would have to run again fails with busy, and leaves nothing", async () => {
  const w = world();
  w.conflicts = 1;
  const clash = w.k.transaction().execute((tx) => tx.deleteFrom("task").execute());
  await expect(clash.catch(codeOf)).resolves.toBe("busy");
  expect(w.lite.int("SELECT count(*) FROM task")).toBe(2);
  await w.k.transaction().execute((tx) => tx.deleteFrom("task").execute());
  expect(w.lite.int("SELECT count(*) FROM task")).toBe(0);
});

test("a query can be watched", () => {
  const { k } = world();
  expect(queryOf(k.selectFrom("task").select("id").where("done", "=", 0))).toEqual({
    sql: 'select "id" from "task" where "done" = ?',
    params: [0],
  });
});
