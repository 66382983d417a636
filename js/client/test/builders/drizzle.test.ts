import { eq, sql } from "drizzle-orm";
import { integer, sqliteTable, text } from "drizzle-orm/sqlite-core";
import { expect, test } from "vitest";
import { drizzle, queryOf } from "../../src/drizzle.ts";
import { type Plain, plain } from "./database.ts";

const project = sqliteTable("project", { id: integer().primaryKey(), name: text().notNull() });
const task = sqliteTable("task", {
  id: integer().primaryKey(),
  project: integer().notNull(),
  title: text().notNull(),
  done: integer({ mode: "boolean" }).notNull().default(false),
});

function world(): Plain & { orm: ReturnType<typeof drizzle<{ project: typeof project; task: typeof task }>> } {
  const p = plain(
    `CREATE TABLE project (id INTEGER PRIMARY KEY, name TEXT NOT NULL);
     CREATE TABLE task (id INTEGER PRIMARY KEY, project INT NOT NULL, title TEXT NOT NULL UNIQUE, done INT NOT NULL DEFAULT 0);
     INSERT INTO project VALUES (7, 'home'); INSERT INTO task VALUES (1, 7, 'wash', 0), (2, 7, 'cook', 1)`,
  );
  return Object.assign(p, { orm: drizzle(p.db, { schema: { project, task } }) });
}

test("queries read and write, columns of one name too", async () => {
  const { orm, ran } = world();
  const joined = await orm
    .select()
    .from(task)
    .innerJoin(project, eq(project.id, task.project))
    .where(eq(task.done, false));
  expect(joined).toEqual([
    { task: { id: 1, project: 7, title: "wash", done: false }, project: { id: 7, name: "home" } },
  ]);
  await orm.insert(task).values({ project: 7, title: "iron", done: true });
  expect(await orm.update(task).set({ done: true }).where(eq(task.id, 1)).returning({ id: task.id })).toEqual([
    { id: 1 },
  ]);
  expect(await orm.query.task.findFirst({ where: eq(task.id, 3) })).toEqual({
    id: 3,
    project: 7,
    title: "iron",
    done: true,
  });
  expect(await orm.query.task.findFirst({ where: eq(task.id, 99) })).toBeUndefined();
  expect(await orm.get(sql`SELECT count(*) FROM task`)).toEqual([3]);
  expect(ran.length).toBe(6);
});

test("a transaction is one, may run again, and is undone as a whole", async () => {
  const w = world();
  w.conflicts = 1;
  let runs = 0;
  const title = await w.orm.transaction(async (tx) => {
    runs++;
    await tx.insert(task).values({ project: 7, title: "new" });
    return (await tx.select().from(task).where(eq(task.id, 3)))[0]!.title;
  });
  expect([title, runs, w.ran.every((r) => r.startsWith("tx: "))]).toEqual(["new", 2, true]);
  const given = w.orm.transaction(async (tx) => {
    await tx.delete(task);
    tx.rollback();
  });
  await expect(given).rejects.toThrow("Rollback");
  await expect(w.orm.transaction((tx) => (tx as unknown as typeof w.orm).transaction(async () => {}))).rejects.toThrow(
    "cannot hold",
  );
  expect(w.lite.int("SELECT count(*) FROM task")).toBe(3);
});

test("a query can be watched", () => {
  const { orm } = world();
  expect(queryOf(orm.select({ id: task.id }).from(task).where(eq(task.title, "x")))).toEqual({
    sql: 'select "id" from "task" where "task"."title" = ?',
    params: ["x"],
  });
});
