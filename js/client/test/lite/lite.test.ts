import fc from "fast-check";
import { afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { Database } from "../../src/lite/database.ts";
import { environment, SqliteError, violation } from "../../src/lite/failure.ts";
import { loadSqlite, type Sqlite } from "../../src/lite/load.ts";
import { quote } from "../../src/lite/quote.ts";
import { sameName } from "../../src/schema.ts";
import { RawText, type Value } from "../../src/value.ts";
import { deserialize } from "./image.ts";

let sqlite: Sqlite;
let db: Database;

beforeAll(async () => {
  sqlite = await loadSqlite();
});

beforeEach(() => {
  db = Database.open(sqlite, ":memory:");
});

afterEach(() => {
  expect(db.inTransaction).toBe(false);
  expect(db.text("PRAGMA integrity_check")).toBe("ok");
  db.close();
  expect(sqlite.holders).toBe(0);
});

const thrown = (fn: () => void): unknown => {
  try {
    fn();
  } catch (err) {
    return err;
  }
  return null;
};

test("values are exact", () => {
  db.script("CREATE TABLE v (id INTEGER PRIMARY KEY, x)");
  const values: Value[] = [
    ...[null, -(2n ** 63n), 2n ** 63n - 1n, 0n, -0, 1, Infinity, -Infinity, Number.MIN_VALUE, Number.MAX_VALUE],
    ...[
      "",
      "a\0b",
      "\u{1F9ED} e\u0301",
      "\uFEFFbom",
      "ä".repeat(40),
      "x".repeat(24),
      "x".repeat(25),
      "y".repeat(70_000),
    ],
    ...[new RawText(Uint8Array.of(0xff, 0xfe)), new Uint8Array(), Uint8Array.of(0, 1, 255), new Uint8Array(1 << 20)],
  ];
  for (const [i, v] of values.entries()) {
    db.run("INSERT INTO v VALUES (?1, ?2)", BigInt(i), v);
    expect(db.get("SELECT x FROM v WHERE id = ?1", BigInt(i))).toStrictEqual([v]);
  }
});

test("any text comes back, however many statements hold others", () => {
  fc.assert(
    fc.property(fc.array(fc.string({ unit: "binary", maxLength: 60 }), { maxLength: 8 }), (texts) => {
      const read = (from: number): string[] => {
        const out: string[] = [];
        if (from === texts.length) return out;
        db.each(
          "SELECT ?1",
          (s) => {
            const rest = read(from + 1);
            out.push(s.text(0), ...rest);
          },
          texts[from]!,
        );
        return out;
      };
      expect(read(0)).toEqual(texts);
    }),
  );
});

test("a quoted name is that name and nothing else", () => {
  fc.assert(
    fc.property(fc.string({ unit: "binary", minLength: 1, maxLength: 12 }), (name) => {
      fc.pre(!name.includes("\0") && !/^sqlite_/i.test(name));
      db.run(`CREATE TABLE ${quote(name)} (${quote(name)} INTEGER PRIMARY KEY)`);
      expect(db.text("SELECT name FROM sqlite_master")).toBe(name);
      db.run(`INSERT INTO ${quote(name)} (${quote(name)}) VALUES (7)`);
      db.run(`DROP TABLE ${quote(name)}`);
    }),
  );
});

test("a transaction is undone when its function throws", () => {
  db.script("CREATE TABLE v (x)");
  const boom = new Error("boom");
  const err = thrown(() =>
    db.transaction(() => {
      db.run("INSERT INTO v VALUES (1)");
      throw boom;
    }),
  );
  expect(err).toBe(boom);
  expect(db.int("SELECT count(*) FROM v")).toBe(0);
});

test("a transaction is undone when its commit is refused", () => {
  db.script("CREATE TABLE p (id INTEGER PRIMARY KEY, r REFERENCES p DEFERRABLE INITIALLY DEFERRED)");
  db.setForeignKeys(true);
  const err = thrown(() =>
    db.transaction(() => {
      db.run("INSERT INTO p VALUES (1, 9)");
    }),
  );
  expect(violation(err)?.code).toBe("foreign_key");
});

test("a savepoint undoes only its part", () => {
  db.script("CREATE TABLE v (x UNIQUE)");
  db.transaction(() => {
    db.run("INSERT INTO v VALUES (1)");
    const err = thrown(() =>
      db.savepoint("s", () => {
        db.run("INSERT INTO v VALUES (2)");
        db.run("INSERT INTO v VALUES (1)");
      }),
    );
    expect(violation(err)).toMatchObject({ code: "unique", detail: { table: "v", columns: ["x"] } });
  });
  expect(db.int("SELECT count(*) FROM v")).toBe(1);
});

test("every constraint is told apart", () => {
  db.script(`
    CREATE TABLE p (id INTEGER PRIMARY KEY, u UNIQUE, n NOT NULL, c CHECK (c > 0), r REFERENCES p(id));
    CREATE TABLE s (id TEXT PRIMARY KEY, i INTEGER) STRICT, WITHOUT ROWID;
    CREATE TRIGGER g BEFORE INSERT ON s WHEN new.id = 'no' BEGIN SELECT RAISE(ABORT, 'not this one'); END;
    INSERT INTO p VALUES (1, 1, 1, 1, NULL)`);
  db.setForeignKeys(true);
  for (const [sql, code, table, columns] of [
    ["INSERT INTO p VALUES (2, 1, 1, 1, NULL)", "unique", "p", ["u"]],
    ["INSERT INTO p VALUES (1, 2, 1, 1, NULL)", "unique", "p", ["id"]],
    ["INSERT INTO p VALUES (2, 2, NULL, 1, NULL)", "not_null", "p", ["n"]],
    ["INSERT INTO p VALUES (2, 2, 1, 0, NULL)", "check"],
    ["INSERT INTO p VALUES (2, 2, 1, 1, 9)", "foreign_key"],
    ["INSERT INTO p VALUES ('x', 2, 1, 1, NULL)", "type"],
    ["INSERT INTO s VALUES ('a', 'text')", "type"],
    ["INSERT INTO s VALUES ('no', 1)", "raised"],
  ] as const) {
    const v = violation(thrown(() => db.run(sql)));
    expect([sql, v?.code, v?.detail.table, v?.detail.columns]).toEqual([sql, code, table, columns]);
  }
  expect(violation(thrown(() => db.run("SELECT * FROM nothing")))).toBeNull();
});

test("what is no constraint is the environment's, or nothing", () => {
  db.script("PRAGMA max_page_count = 3; CREATE TABLE v (x)");
  const err = thrown(() => db.run("INSERT INTO v VALUES (zeroblob(100000))"));
  expect(err).toBeInstanceOf(SqliteError);
  expect([environment(err), violation(err)]).toEqual([true, null]);
});

test("a statement in use is prepared anew", () => {
  const sql = "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x+1 FROM c WHERE x < 3) SELECT x FROM c";
  let pairs = 0;
  db.each(sql, () => db.each(sql, () => pairs++));
  expect(pairs).toBe(9);
});

test("the cache of statements is bounded, and forgets those in use too", () => {
  for (let i = 0; i < 1200; i++) expect(db.int(`SELECT ${i}`)).toBe(i);
  db.each("SELECT 1 UNION SELECT 2", () => db.forget());
  db.script("CREATE TABLE v (x); DROP TABLE v");
});

test("nothing but one statement is a statement", () => {
  expect(() => db.run("SELECT 1; SELECT 2")).toThrow("more than one");
  expect(() => db.run(" -- nothing")).toThrow("no statement");
  expect(db.int("SELECT 3; \n")).toBe(3);
});

test("triggers and foreign keys are switched", () => {
  db.script(`
    CREATE TABLE p (id INTEGER PRIMARY KEY); CREATE TABLE c (p REFERENCES p ON DELETE CASCADE);
    CREATE TRIGGER t AFTER INSERT ON p BEGIN INSERT INTO c VALUES (new.id); END`);
  expect([db.setTriggers(false), db.setForeignKeys(true)]).toEqual([true, false]);
  db.run("INSERT INTO p VALUES (1)");
  expect(db.setTriggers(true)).toBe(false);
  db.run("INSERT INTO p VALUES (2)");
  db.transaction(() => {
    db.setForeignKeys(false);
    db.run("DELETE FROM p");
  });
  expect(db.int("SELECT count(*) FROM c")).toBe(1);
});

test("triggers do not fire themselves unless asked to", () => {
  db.script(`
    CREATE TABLE v (x); CREATE TRIGGER t AFTER INSERT ON v WHEN new.x < 5 BEGIN INSERT INTO v VALUES (new.x + 1); END`);
  db.run("INSERT INTO v VALUES (1)");
  expect(db.int("SELECT count(*) FROM v")).toBe(2);
});

test("compiling tells what a statement will do", () => {
  db.script("CREATE TABLE v (x); CREATE TABLE w (x); CREATE TRIGGER t AFTER INSERT ON v BEGIN DELETE FROM w; END");
  const heard: string[] = [];
  db.authorize(
    (action, a, _b, _db, inside) => heard.push(`${action} ${a} ${inside}`),
    () => db.compile("INSERT INTO v VALUES (1)"),
  );
  expect(heard).toContain("18 v null");
  expect(heard).toContain("9 w t");
  const before = heard.length;
  db.compile("INSERT INTO v VALUES (2)");
  expect(heard.length).toBe(before);
});

test("bytes of a file open elsewhere, also those of one with a write-ahead log", () => {
  db.script("CREATE TABLE v (x); INSERT INTO v VALUES (7)");
  const bytes = db.serialize();
  bytes.fill(2, 18, 20);
  const other = Database.open(sqlite, ":memory:");
  deserialize(other, bytes);
  other.run("INSERT INTO v VALUES (8)");
  expect(other.int("SELECT sum(x) FROM v")).toBe(15);
  other.close();
});

test("definitions may have strings in double quotes", () => {
  db.script(`CREATE TABLE v (x CHECK (x <> "bad"), y);
    CREATE TRIGGER t AFTER INSERT ON v WHEN new.x = "a" BEGIN UPDATE v SET y = "b" WHERE x = new.x; END`);
  db.run("INSERT INTO v VALUES ('a', 1)");
  expect(db.text("SELECT y FROM v")).toBe("b");
});

test("names are one to us when they are one to SQLite", () => {
  const oneTable = (a: string, b: string): boolean => {
    db.script(`DROP TABLE IF EXISTS "${a}"; CREATE TABLE "${a}" (x)`);
    try {
      db.run(`CREATE TABLE "${b}" (x)`);
      db.run(`DROP TABLE "${b}"`);
      return false;
    } catch {
      return true;
    }
  };
  for (const [a, b] of [
    ["Task", "tASK"],
    ["Éa", "éa"],
    ["K", "\u212a"],
    ["Ünit", "ÜNIT"],
    ["İ", "i̇"],
  ] as const) {
    expect(`${a} ${b} ${sameName(a, b)}`).toBe(`${a} ${b} ${oneTable(a, b)}`);
  }
});
