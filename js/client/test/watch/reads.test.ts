import { expect, test } from "vitest";
import { readsOf } from "../../src/watch/reads.ts";
import { newCopy } from "../shell/fixture.ts";

test("a TEMP table that is named like a synced one is another", () => {
  const { copy } = newCopy("CREATE TABLE task (id INTEGER PRIMARY KEY, title TEXT)");
  const { db, replica } = copy;
  const told = (sql: string): unknown => {
    const { tables, other, key, shape } = readsOf(db, replica.schema, sql);
    return [[...tables.keys()], other, key, shape === null];
  };
  expect(told("SELECT id, title FROM task")).toEqual([["task"], false, [0], false]);
  db.script("CREATE TEMP TABLE task (id INTEGER PRIMARY KEY, title TEXT)");
  expect(told("SELECT id, title FROM task")).toEqual([[], true, [], true]);
  expect(told("SELECT id, title FROM main.task")).toEqual([["task"], false, [0], true]);
  const both = told("SELECT b.id FROM main.task a JOIN task b USING (id)");
  expect(both).toEqual([["task"], true, [], true]);
  db.script("DROP TABLE temp.task; CREATE TEMP VIEW task AS SELECT id, title FROM main.task");
  expect(told("SELECT id, title FROM task")).toEqual([["task"], false, [0], false]);
  db.script("DROP VIEW temp.task");
});
