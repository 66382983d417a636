import { expect, test } from "vitest";
import { type Change, DELETE, INSERT, UPDATE } from "../src/change.ts";
import { arrivalID, columnsOf, eachID, type Renaming, rename, renumbers } from "../src/ids/ids.ts";
import type { ForeignKey, Schema, Table } from "../src/schema.ts";
import type { Value } from "../src/value.ts";
import { columnOf, tableOf } from "./tables.ts";

function table(
  id: number,
  name: string,
  columns: string[],
  foreignKeys: ForeignKey[] = [],
  more: Partial<Table> = {},
): Table {
  const t = tableOf({ id, name, key: [] });
  const policy = { ...t.policy, onInsert: "renumber" } as const;
  return { ...t, columns: columns.map((c) => columnOf(c)), key: [0], rowidAlias: true, foreignKeys, policy, ...more };
}

function to(columns: number[], parent: string, names: string[]): ForeignKey {
  return { columns, parent, to: names, onUpdate: "", onDelete: "", setNull: false, loose: false };
}

/** Refers to artists in every way, and to albums in one. */
function music(onInsert: "renumber" | "reject" = "renumber"): Schema {
  const tables = [
    table(1, "artist", ["id", "name", "idol", "best"], [to([2], "artist", ["id"]), to([3], "album", ["id"])]),
    table(2, "album", ["id", "artist", "year"], [to([1], "artist", ["id"])]),
    table(3, "bio", ["artist", "text"], [to([0], "Artist", ["ID"])]),
    table(4, "line", ["id", "bio"], [to([1], "bio", ["artist"])]),
    table(5, "guest", ["album", "artist", "fee"], [to([1], "artist", ["id"]), to([0], "album", ["id"])], {
      key: [1, 0],
      rowidAlias: false,
    }),
    table(6, "pair", ["id", "a", "b"], [to([1, 2], "artist", ["name", "id"])]),
    table(7, "gone", ["id", "artist"], [to([1], "artist", ["id"])], { out: "it is gone" }),
  ];
  const policyOf = (t: Table): Table["policy"] => ({ ...t.policy, onInsert: t.name === "bio" ? "merge" : onInsert });
  return {
    hash: "",
    objects: [],
    scopes: [],
    public: [],
    declared: "",
    guards: [],
    tables: tables.map((t) => ({ ...t, policy: policyOf(t) })),
  };
}

function change(c: Partial<Change> & { table: number }): Change {
  return { op: INSERT, key: [], columns: [], values: [], old: null, edits: null, madeAt: 0, ...c };
}

/** Artists 7 and 8 trade their ids; everything else that is 7 or 8 stays. */
const swap: Renaming = (of, id) => (of.name === "artist" && (id === 7n || id === 8n) ? 15n - id : null);

const insert = (t: number, key: Value[], ...values: Value[]): Change => change({ table: t, key, values });
const update = (t: number, key: Value[], columns: number[], ...values: Value[]): Change =>
  change({ table: t, op: UPDATE, key, columns, values });

test.each<[string, Change, Value[], Value[]]>([
  ["its key", insert(1, [7n], 7n, 7n, 8n, 7n), [8n], [8n, 7n, 7n, 7n]],
  ["a column", insert(2, [7n], 7n, 7n, 7n), [7n], [7n, 8n, 7n]],
  ["an update's column", update(2, [7n], [1, 2], 8n, 8n), [7n], [7n, 8n]],
  ["another column", update(2, [7n], [2], 8n), [7n], [8n]],
  ["a key that refers", insert(3, [7n], 7n, 7n), [8n], [8n, 7n]],
  ["through that key", insert(4, [7n], 7n, 7n), [7n], [7n, 8n]],
  ["part of a key", change({ table: 5, op: DELETE, key: [7n, 7n] }), [8n, 7n], []],
  ["a move", update(1, [7n], [0], 9n), [8n], [9n]],
  ["a wider reference", insert(6, [7n], 7n, 7n, 7n), [7n], [7n, 7n, 8n]],
  ["as text", insert(2, [1n], 1n, "7"), [1n], [1n, "8"]],
  ["as a real", insert(2, [1n], 1n, 7), [1n], [1n, 8]],
  ["no id at all", insert(2, [1n], 1n, "7 dwarfs"), [1n], [1n, "7 dwarfs"]],
  ["a NULL", insert(2, [1n], 1n, null), [1n], [1n, null]],
  ["a shorter row", insert(2, [7n], 7n), [7n], [7n]],
  ["out of sync", insert(7, [7n], 7n, 7n), [7n], [7n, 7n]],
  ["an edit", { ...update(2, [1n], [1], 7n), edits: [{ kind: "a", body: "7" }] }, [1n], [7n]],
])("a renamed row is followed: %s", (name, is, key, values) => {
  const cols = columnsOf(music());
  const list = [is];
  const before = structuredClone(is);
  const got = rename(cols, list, swap);
  expect(got[0]).toStrictEqual({ ...is, key, values });
  expect(got === list).toBe(got[0] === is);
  expect(is).toStrictEqual(before);
  const back = rename(cols, got, swap)[0];
  expect(back).toStrictEqual(name === "a move" ? { ...is, values } : is);
});

test("ids are named by their table", () => {
  const got = new Map<string, bigint[]>();
  eachID(columnsOf(music()), update(5, [3n, 4n], [0, 2], 5n, 6n), (of, id) =>
    got.set(of.name, [...(got.get(of.name) ?? []), id]),
  );
  expect([...got].map(([name, ids]) => [name, ids.sort()]).sort()).toEqual([
    ["album", [4n, 5n]],
    ["artist", [3n]],
  ]);
});

test.each<[string, Change, bigint | null]>([
  ["an insert", insert(1, [4n], 4n), 4n],
  ["a move", update(1, [4n], [0], 5n), 5n],
  ["a move to where it is", update(1, [4n], [0], 4n), null],
  ["another column", update(1, [4n], [1], 5n), null],
  ["a delete", change({ table: 1, op: DELETE, key: [4n] }), null],
])("the id that a row arrives at: %s", (_, c, id) => {
  expect(arrivalID(music().tables[0]!, c)).toBe(id);
});

test("only tables that say so give their rows other ids", () => {
  const s = music();
  expect(columnsOf(s).given).toBe(true);
  expect(s.tables.map(renumbers)).toEqual([true, true, false, true, false, true, false]);
  expect(columnsOf(music("reject")).given).toBe(false);
});
