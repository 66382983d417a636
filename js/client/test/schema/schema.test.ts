import fc from "fast-check";
import { beforeAll, expect, test } from "vitest";
import { TidemarkError } from "../../src/error.ts";
import { Database } from "../../src/lite/database.ts";
import { loadSqlite, type Sqlite } from "../../src/lite/load.ts";
import { compare } from "../../src/schema/compare.ts";
import { decode } from "../../src/schema/encode.ts";
import { inspect } from "../../src/schema/inspect.ts";
import { listIn, namesIn, tokens } from "../../src/schema/token.ts";
import { triggersIn } from "../../src/schema/trigger.ts";
import type { Schema, Table } from "../../src/schema.ts";
import * as made from "../inspect.ts";

let sqlite: Sqlite;

beforeAll(async () => {
  sqlite = await loadSqlite();
});

/** A database made by these statements, closed behind fn. */
function using<T>(sql: string, fn: (db: Database) => T): T {
  const db = Database.open(sqlite, ":memory:");
  try {
    db.script(sql);
    return fn(db);
  } finally {
    expect(db.text("PRAGMA integrity_check")).toBe("ok");
    db.close();
  }
}

/** The schemas before and behind some DDL, as a server tells them. */
function moved(before: string, ddl: string): [Schema, Schema] {
  return using(before, (db) => {
    const from = made.inspect(db, new Map());
    db.script(ddl);
    const to = made.inspect(db, new Map(from.tables.map((t) => [t.name, t.id])));
    return [decode(made.encode(from)), decode(made.encode(to))];
  });
}

test("a schema comes back", () => {
  const sql =
    `CREATE TABLE a (id INTEGER PRIMARY KEY AUTOINCREMENT, "n ame" TEXT COLLATE NOCASE NOT NULL DEFAULT 'x', r REAL UNIQUE);
    CREATE TABLE b (x, y ANY, a REFERENCES a ON DELETE CASCADE, PRIMARY KEY (y, x)) STRICT, WITHOUT ROWID`.replace(
      "x, y",
      "x INT, y",
    );
  const s = using(sql.replace("a REF", "a INT REF"), (db) => made.inspect(db, new Map()));
  expect(s.tables.length).toBe(2);
  expect(decode(made.encode(s))).toEqual(s);
});

test("what is left out of a schema has its zero value", () => {
  const { tables } = decode(
    '{"tables":[{"id":3,"name":"t","sql":"","columns":[{"name":"k","affinity":3}],"key":[0]}]}',
  );
  expect(tables[0]).toMatchObject({ id: 3, rowidAlias: false, uniques: [], foreignKeys: [], out: "" });
  expect(tables[0]?.policy).toEqual({
    ...{ columns: "", onDelete: "", onInsert: "", onUnique: "", keep: "", keepFor: 0, maxSkew: 0, lease: 0 },
  });
});

test("a schema that points outside its tables is refused", () => {
  const column = { name: "k", affinity: 0 };
  const table = { id: 1, name: "t", columns: [column], key: [0] };
  const bad: object[] = [
    ...[
      { ...table, id: 0 },
      { ...table, key: [] },
      { ...table, key: [1] },
      { ...table, key: [0, 0] },
    ],
    ...[
      { ...table, columns: [] },
      { ...table, columns: [{ ...column, affinity: 5 }] },
      { ...table, name: 7 },
    ],
    { ...table, uniques: [{ name: "u", terms: [{ column: 1 }] }] },
    { ...table, foreign_keys: [{ columns: [0], parent: "t", to: [] }] },
    { ...table, foreign_keys: [{ columns: [-2], parent: "t", to: ["k"] }] },
  ];
  expect(decode(JSON.stringify({ tables: [table] })).tables.length).toBe(1);
  for (const t of bad) expect(() => decode(JSON.stringify({ tables: [t] })), JSON.stringify(t)).toThrow(TidemarkError);
  expect(() => decode(JSON.stringify({ tables: [table, table] }))).toThrow("one number");
});

test("anything else is refused", () => {
  const try_ = (text: string): void => {
    try {
      decode(text);
    } catch (err) {
      expect(err).toBeInstanceOf(TidemarkError);
    }
  };
  fc.assert(fc.property(fc.json(), try_));
  fc.assert(fc.property(fc.array(fc.jsonValue()), (tables) => try_(JSON.stringify({ tables }))));
  try_("");
});

test("columns added at the end travel", () => {
  const [from, to] = moved(
    "CREATE TABLE t (id INTEGER PRIMARY KEY, a, CHECK (a > 0))",
    "ALTER TABLE t ADD COLUMN b TEXT NOT NULL DEFAULT 'x, (y)'; ALTER TABLE t ADD COLUMN c",
  );
  const m = compare(from, to);
  expect(m.out).toEqual([]);
  expect(m.widened.map((w) => w.defs)).toEqual([["b TEXT NOT NULL DEFAULT 'x, (y)'", "c"]]);
});

test("any other change takes a table out, and says why", () => {
  const t = "CREATE TABLE t (id INTEGER PRIMARY KEY, a TEXT, b)";
  for (const [ddl, why] of [
    ["DROP TABLE t", "was dropped or renamed"],
    ["DROP TABLE t; CREATE TABLE t (a)", "recreated in a form that cannot sync"],
    ["ALTER TABLE t DROP COLUMN b", "fewer columns"],
    ["ALTER TABLE t RENAME COLUMN a TO c", "column a is not what it was"],
    ["DROP TABLE t; CREATE TABLE t (id INTEGER, a TEXT, b, PRIMARY KEY (id, a))", "another primary key"],
    ["DROP TABLE t; CREATE TABLE t (id INTEGER PRIMARY KEY, a TEXT, b, c NOT NULL)", "has no default"],
    ["DROP TABLE t; CREATE TABLE t (id INTEGER PRIMARY KEY, a TEXT, b, c CHECK (b), UNIQUE (b))", ""],
    ["DROP TABLE t; CREATE TABLE t (id INTEGER PRIMARY KEY, a TEXT, b /* c */, d)", "rewritten"],
  ] as const) {
    const m = compare(...moved(t, ddl));
    if (why === "") expect(m.widened.length, ddl).toBe(1);
    else expect(m.out.map((o) => o.reason).join(), ddl).toContain(why);
  }
});

test("new tables, other objects and other rules are found", () => {
  const [from, to] = moved(
    "CREATE TABLE t (id INTEGER PRIMARY KEY, a); CREATE INDEX i ON t (a); CREATE INDEX j ON t (a); CREATE VIEW v AS SELECT 1",
    `CREATE TABLE u (id INTEGER PRIMARY KEY); CREATE TABLE w (x); DROP INDEX i; DROP INDEX j; CREATE INDEX j ON t (a, id);
     CREATE TRIGGER g AFTER INSERT ON t BEGIN SELECT 1; END`,
  );
  const m = compare(from, to);
  expect(m.added.map((t) => t.name)).toEqual(["u"]);
  expect([m.objects, m.changed, m.dropped].map((list) => list.map((o) => o.name))).toEqual([["w", "g"], ["j"], ["i"]]);
  expect(m.policies).toEqual([]);
  const ruled = (t: Table): Table => ({ ...t, columns: t.columns.map((c) => ({ ...c, policy: "counter" })) });
  const n = compare(from, { ...from, tables: from.tables.map(ruled) });
  expect([n.policies.map((t) => t.name), n.out, n.widened]).toEqual([["t"], [], []]);
});

test("triggers are told apart by what they write", () => {
  const sql = `
    CREATE TABLE t (id INTEGER PRIMARY KEY, a); CREATE TABLE log (x); CREATE VIEW v AS SELECT * FROM t;
    CREATE VIRTUAL TABLE f USING fts5(a);
    CREATE TRIGGER guard BEFORE INSERT ON t WHEN new.a = 'no' BEGIN SELECT RAISE(ABORT, 'no'); END;
    CREATE TRIGGER upkeep AFTER INSERT ON t BEGIN INSERT INTO f(rowid, a) VALUES (new.id, new.a); END;
    CREATE TRIGGER log AFTER DELETE ON t BEGIN INSERT INTO log VALUES (old.id); END;
    CREATE TRIGGER touch AFTER UPDATE OF a ON t BEGIN UPDATE t SET a = 1 WHERE id = new.id; END;
    CREATE TRIGGER instead INSTEAD OF INSERT ON v BEGIN INSERT INTO log VALUES (1); END;
    CREATE TRIGGER broken AFTER INSERT ON log BEGIN INSERT INTO nowhere VALUES (1); END;
    CREATE TRIGGER _tm_own AFTER INSERT ON t BEGIN SELECT 1; END`;
  const classes = using(sql, (db) => {
    const schema = made.inspect(db, new Map());
    expect(schema.tables.map((t) => t.name)).toEqual(["t"]);
    db.setTriggers(false);
    const found = triggersIn(db, schema);
    expect(db.setTriggers(false)).toBe(false);
    return Object.fromEntries(found.map((t) => [t.name, t.class]));
  });
  expect(classes).toEqual({
    ...{
      guard: "guard",
      upkeep: "everywhere",
      log: "everywhere",
      touch: "origin",
      instead: "origin",
      broken: "origin",
    },
  });
});

test("a table that only this copy has counts by its key", () => {
  const sql = `CREATE TABLE t (id INTEGER PRIMARY KEY); CREATE TABLE mine (k INTEGER PRIMARY KEY); CREATE TABLE note (x);
    CREATE TRIGGER a AFTER INSERT ON t BEGIN INSERT INTO mine VALUES (new.id); END;
    CREATE TRIGGER b AFTER INSERT ON t BEGIN INSERT INTO note VALUES (new.id); END`;
  using(sql, (db) => {
    const all = made.inspect(db, new Map());
    const schema = { ...all, tables: all.tables.slice(0, 1), objects: [] };
    expect(triggersIn(db, schema).map((t) => t.class)).toEqual(["origin", "everywhere"]);
  });
});

test("a table is found as it is", () => {
  using(
    "CREATE TABLE T (a PRIMARY KEY, b UNIQUE, c AS (a), d); CREATE UNIQUE INDEX u ON T (d); CREATE INDEX n ON T (d)",
    (db) => {
      const found = inspect(db, "t");
      expect(found?.columns.map((c) => c.name)).toEqual(["a", "b", "d"]);
      expect(found?.uniques.map((u) => u.name).sort()).toEqual(["sqlite_autoindex_T_2", "u"]);
      expect(inspect(db, "nothing")).toBeNull();
    },
  );
});

test("SQL is split as SQLite does", () => {
  const sql =
    "CREATE TABLE \"a\"\"b\" ([x y] INT, `z` -- ), (\n, w TEXT DEFAULT 'it''s (,', x'00' 1.5e-3 /* ( */) STRICT";
  expect(tokens(sql).map((t) => t.name || t.text)).toEqual([
    ...["CREATE", "TABLE", 'a"b', "(", "x y", "INT", ",", "z", ",", "w", "TEXT", "DEFAULT", "'it''s (,'", ","],
    ...["x'00'", "1.5e-3", ")", "STRICT"],
  ]);
  expect(listIn(sql)?.parts).toEqual(["[x y] INT", "`z` -- ), (", "w TEXT DEFAULT 'it''s (,'", "x'00' 1.5e-3 /* ( */"]);
  expect(namesIn('lower("A") || B')).toEqual(new Set(["lower", "a", "b"]));
});

test("any text is split into what it is made of", () => {
  fc.assert(
    fc.property(fc.string({ unit: fc.constantFrom(..."ab'\"`[](),-/*\n x0.eE9ü"), maxLength: 40 }), (sql) => {
      let end = 0;
      for (const t of tokens(sql)) {
        expect(t.start).toBeGreaterThanOrEqual(end);
        expect(sql.slice(t.start, t.end)).toBe(t.text);
        end = t.end;
      }
      expect(end).toBeLessThanOrEqual(sql.length);
    }),
  );
});
