import { afterEach, expect, test } from "vitest";
import { begin, clear, end, recorded, touched } from "../../src/capture/capture.ts";
import { changesOf } from "../../src/capture/changes.ts";
import { install } from "../../src/capture/install.ts";
import { segments } from "../../src/capture/segment.ts";
import { codeOf } from "../../src/error.ts";
import { Database } from "../../src/lite/database.ts";
import { loadSqlite } from "../../src/lite/load.ts";
import type { Schema } from "../../src/schema.ts";
import { inspect } from "../inspect.ts";
import { kinds } from "./kinds.ts";

const sqlite = await loadSqlite();
let open: Database[] = [];

afterEach(() => {
  for (const db of open) db.close();
  open = [];
});

/** A database with capture. */
function captured(ddl: string, readOnly = false): { db: Database; s: Schema } {
  const db = Database.open(sqlite, ":memory:");
  open.push(db);
  db.script(ddl);
  const s = inspect(db, new Map());
  install(db, s, readOnly);
  return { db, s };
}

/** What the log tells, without its marks. */
const told = (db: Database, s: Schema) => segments(db, s).flatMap((x) => x.rows.map((row) => [row.before, row.after]));

/** Gives columns of table a the policy of the newest edit. */
function newest(s: Schema, ...names: string[]): Schema {
  const columns = s.tables[0]!.columns.map((c) =>
    names.includes(c.name) ? { ...c, policy: "latest-edit" as const } : c,
  );
  return { ...s, tables: [{ ...s.tables[0]!, columns }] };
}

test("changes of each kind carry what they need", () => {
  const { db, s } = captured(
    "CREATE TABLE a(x, k TEXT PRIMARY KEY NOT NULL, y); INSERT INTO a VALUES(1, 'gone', 2), (3, 'here', 4)",
  );
  db.script("DELETE FROM a WHERE k = 'gone'; UPDATE a SET y = NULL, x = x; INSERT INTO a VALUES(x'00', 'new', 1.5)");
  const row = { table: 1, columns: [], values: [], old: null, edits: null, madeAt: 0 };
  expect(changesOf(segments(db, s)[0]!.rows)).toEqual([
    { ...row, op: 3, key: ["gone"], old: [1n, "gone", 2n] },
    { ...row, op: 2, key: ["here"], columns: [2], values: [null], old: [4n] },
    { ...row, op: 1, key: ["new"], values: [Uint8Array.of(0), "new", 1.5] },
  ]);
});

test("a swap of two keys is two moves", () => {
  const { db, s } = captured("CREATE TABLE a(id INTEGER PRIMARY KEY, v); INSERT INTO a VALUES(1, 'x'), (2, 'y')");
  db.script("UPDATE a SET id = 99 WHERE id = 1; UPDATE a SET id = 1 WHERE id = 2; UPDATE a SET id = 2 WHERE id = 99");
  expect(told(db, s)).toEqual([
    [
      [2n, "y"],
      [1n, "y"],
    ],
    [
      [1n, "x"],
      [2n, "x"],
    ],
  ]);
});

test.each(Object.keys(kinds))("the second install changes nothing: %s", (kind) => {
  const { db } = captured(kinds[kind]!);
  const s = inspect(db, new Map());
  const before = db.int("PRAGMA schema_version");
  install(db, s, false);
  expect(db.int("PRAGMA schema_version")).toBe(before);
});

test("a copy to read refuses writes until it may be written", () => {
  const { db, s } = captured("CREATE TABLE a(id INTEGER PRIMARY KEY, v); INSERT INTO a VALUES(1, 2)", true);
  for (const sql of [
    "INSERT INTO a VALUES(2, 2)",
    "UPDATE a SET v = 3",
    "DELETE FROM a",
    "REPLACE INTO a VALUES(1, 3)",
  ]) {
    expect(() => db.run(sql), sql).toThrow("read-only");
  }
  install(db, s, false);
  db.run("UPDATE a SET v = 3");
  expect(told(db, s)).toEqual([
    [
      [1n, 2n],
      [1n, 3n],
    ],
  ]);
});

test("rowids of the log never start again", () => {
  const { db, s } = captured("CREATE TABLE a(id INTEGER PRIMARY KEY, v)");
  clear(db);
  expect([begin(db), recorded(db)]).toEqual([1, false]);
  db.run("INSERT INTO a VALUES(1, 1), (2, 2)");
  expect([begin(db), recorded(db)]).toEqual([3, true]);
  clear(db);
  clear(db);
  expect([begin(db), recorded(db), segments(db, s)]).toEqual([3, false, []]);
  end(db, { first: begin(db), salt: new Uint8Array(8), madeAt: 1, seen: 1 });
  expect(recorded(db)).toBe(false);
  db.run("UPDATE a SET v = 5 WHERE id = 2");
  expect([touched(db, 0), told(db, s)]).toEqual([
    [1],
    [
      [
        [2n, 2n],
        [2n, 5n],
      ],
    ],
  ]);
});

test("writes that nothing marks are segments between those that are", () => {
  const { db, s } = captured("CREATE TABLE a(id INTEGER PRIMARY KEY, v)");
  const own = (salt: number, sql: string) =>
    db.transaction(() => {
      const first = begin(db);
      db.run(sql);
      end(db, { first, salt: new Uint8Array(8).fill(salt), madeAt: 42, seen: 7 });
    });
  db.run("INSERT INTO a VALUES(1, 'f')");
  own(1, "UPDATE a SET v = 'o1'");
  own(2, "UPDATE a SET v = 'o2'");
  db.run("UPDATE a SET v = 'f'");
  own(3, "DELETE FROM a");
  db.run("INSERT INTO a VALUES(9, 'f')");
  expect(segments(db, s).map((x) => [x.mark?.salt[0] ?? null, x.rows[0]!.before, x.rows[0]!.after])).toEqual([
    [null, null, [1n, "f"]],
    [1, [1n, "f"], [1n, "o1"]],
    [2, [1n, "o1"], [1n, "o2"]],
    [null, [1n, "o2"], [1n, "f"]],
    [3, [1n, "f"], null],
    [null, null, [9n, "f"]],
  ]);
});

test("a younger trigger of the app comes behind ours again", () => {
  const { db } = captured("CREATE TABLE q(id INTEGER PRIMARY KEY, v)");
  db.script("CREATE TRIGGER gone AFTER INSERT ON q BEGIN DELETE FROM q WHERE id = NEW.id; END");
  const s = inspect(db, new Map());
  install(db, s, false);
  db.run("INSERT INTO q VALUES(1, 2)");
  expect(told(db, s)).toEqual([]);
});

test("columns that the triggers do not know had their default", () => {
  const { db } = captured("CREATE TABLE a(id INTEGER PRIMARY KEY, v); INSERT INTO a VALUES(1, 1), (2, 2), (3, 3)");
  db.run("DELETE FROM a WHERE id = 3");
  db.script(
    "ALTER TABLE a ADD COLUMN w REAL DEFAULT 7; UPDATE a SET v = 5, w = 8 WHERE id = 1; INSERT INTO a VALUES(4, 4, 4)",
  );
  const s = inspect(db, new Map([["a", 1]]));
  expect(told(db, s)).toEqual([
    [[3n, 3n, 7], null],
    [
      [1n, 1n, 8],
      [1n, 5n, 8],
    ],
    [null, [4n, 4n, 4]],
  ]);
  clear(db);
  install(db, s, false);
  db.run("UPDATE a SET w = 1 WHERE id = 2");
  expect(told(db, s)).toEqual([
    [
      [2n, 2n, 7],
      [2n, 2n, 1],
    ],
  ]);
});

test("a wide table and wide keys fit into several records", () => {
  const { db, s } = captured(kinds["wide keys"]!);
  db.run("INSERT INTO b(k0, k5, k22, v) VALUES(1, 2, 3, 'x')");
  const [[, row]] = told(db, s) as [[null, unknown[]]];
  expect([row[0], row[5], row[22], row[23]]).toEqual([1n, 2n, 3n, "x"]);
  db.run("UPDATE b SET k22 = 4");
  db.run("DELETE FROM b");
  expect(told(db, s)).toEqual([]);
});

test("the newest edit's time is that of the columns that go by it", () => {
  const { db, s } = captured("CREATE TABLE a(id INTEGER PRIMARY KEY, t TEXT, u INT)");
  const timed = newest(s, "t");
  install(db, timed, false);
  const at = () => segments(db, timed)[0]!.rows[0]!.editedAt;
  const before = Date.now();
  db.run("INSERT INTO a VALUES(1, 'a', 1)");
  const made = at();
  expect(made).toBeGreaterThanOrEqual(before - 1);
  expect(made).toBeLessThanOrEqual(Date.now() + 1);
  // The time stands above the bits of the mask: set it back, and edit a column that does not go by it.
  db.run("UPDATE _tm_log SET m = 65536 * 1000 WHERE m > 65536");
  db.run("UPDATE a SET u = 2");
  expect(at()).toBe(1000);
  db.run("UPDATE a SET t = 'b'");
  expect(at()).toBeGreaterThanOrEqual(made);
  expect(changesOf(segments(db, timed)[0]!.rows)[0]!.madeAt).toBe(at());
});

test("a log that something else wrote into is damaged, or harmless", () => {
  const { db, s } = captured(kinds["wide keys"]!);
  db.run("INSERT INTO a VALUES(1, 2, 3, 4, 5, 6, 7)");
  for (const sql of [
    "INSERT INTO _tm_log(t, op) VALUES(1, 2000)",
    "INSERT INTO _tm_log(t, op) VALUES('x', 'y')",
    "INSERT INTO _tm_log(t, op, m) VALUES(1, 4, -1)",
    "INSERT INTO _tm_log(t, op, v0) VALUES(2, 9, -5)",
    "INSERT INTO _tm_log(t, op) VALUES(2, 1)",
    "INSERT INTO _tm_log(t, op) VALUES(1, -7)",
    "INSERT INTO _tm_log DEFAULT VALUES",
  ]) {
    db.run(sql);
    let err: unknown = null;
    try {
      segments(db, s);
    } catch (e) {
      err = e;
    }
    expect(err === null || codeOf(err) === "corrupt", `${sql}: ${err}`).toBe(true);
  }
});

test("the app sees no difference", () => {
  const answers = (on: boolean) => {
    const db = Database.open(sqlite, ":memory:");
    open.push(db);
    db.script("CREATE TABLE a(id INTEGER PRIMARY KEY, v UNIQUE)");
    if (on) install(db, inspect(db, new Map()), false);
    return [
      "INSERT INTO a(v) VALUES(1), (2), (3)",
      "UPDATE a SET v = v + 10",
      "UPDATE a SET id = id + 5 WHERE id > 1",
      "INSERT OR REPLACE INTO a VALUES(1, 13)",
      "INSERT INTO a(v) VALUES(13) ON CONFLICT DO UPDATE SET v = 14",
      "DELETE FROM a WHERE id = 1",
    ].map((sql) => {
      db.run(sql);
      return [db.changes(), db.lastInsertRowid()];
    });
  };
  expect(answers(true)).toEqual(answers(false));
});
