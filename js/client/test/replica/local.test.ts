import fc from "fast-check";
import { expect, test } from "vitest";
import { INSERT, UPDATE } from "../../src/change.ts";
import { codeOf } from "../../src/error.ts";
import { atOnce, step } from "../../src/lite/work.ts";
import { carry, takeAlong } from "../../src/replica/carry.ts";
import { asEngine } from "../../src/replica/connection.ts";
import { mirrorSQL } from "../../src/replica/mirror.ts";
import { compareValues } from "../../src/replica/order.ts";
import { Replica } from "../../src/replica/replica.ts";
import { begin, commit, rollback, touched } from "../../src/replica/write.ts";
import { RawText } from "../../src/value.ts";
import { hashOf } from "../../src/wire/wire.ts";
import { all } from "../integrity.ts";
import { anyValue } from "../values.ts";
import { bytesFrom, Origin, people } from "./fixture.ts";

/** The code of the error that fn throws, "" when it throws none. */
function codeThat(fn: () => unknown): string {
  try {
    fn();
    return "";
  } catch (err) {
    return codeOf(err);
  }
}

test("each local transaction becomes one changeset", () => {
  const d = new Origin(people).clone();
  d.own(() => d.db.script("INSERT INTO person VALUES (4, 'Di', 'd@x'); UPDATE person SET name = 'Ann B' WHERE id = 1"));
  d.own(() => d.db.run("DELETE FROM person WHERE id = 1"));
  d.own(() => d.db.run("UPDATE person SET name = name"));
  expect(d.r.status()).toMatchObject({ pending: 0, unsealed: true });
  expect(d.r.seal(9)).toBe(2);
  expect(d.r.seal(9)).toBe(0);
  expect(d.r.status()).toMatchObject({ pending: 2, suspended: 0, unsealed: false, proven: true });
  const pushes = d.r.unsent(0, 1 << 20);
  expect(pushes.map((p) => [p.n, p.madeAt, p.seen, new TextDecoder().decode(p.body!)])).toEqual([
    [1, 1, 0, '[[1,"i",[0],4,"Di","d@x"],[1,"u",[1],1,"Ann B"]]'],
    [2, 2, 0, '[[1,"d",1],[2,"d",10]]'],
  ]);
  expect(d.hash(2)).toEqual(hashOf(pushes[1]!.salt, pushes[1]!.body!));
  const rand = bytesFrom(7);
  expect(pushes.map((p) => p.salt)).toEqual([rand(8), rand(8)]);
  expect(d.r.unsent(0, 1).map((p) => p.n)).toEqual([1]);
  expect(d.r.unsent(1, 1).map((p) => p.n)).toEqual([2]);
});

test("a transaction that fails leaves nothing, whatever it was", () => {
  const d = new Origin(
    `${people} CREATE TABLE late (id INTEGER PRIMARY KEY, p INTEGER REFERENCES person DEFERRABLE INITIALLY DEFERRED)`,
  ).clone();
  begin(d.r);
  d.db.run("INSERT INTO late VALUES (1, 77)");
  expect(codeThat(() => commit(d.r, 1))).toBe("foreign_key");
  expect(d.db.inTransaction).toBe(false);
  begin(d.r);
  expect(() => d.db.run("INSERT OR ROLLBACK INTO person VALUES (1, 'again', NULL)")).toThrow("UNIQUE");
  expect(codeThat(() => commit(d.r, 1))).toBe("usage");
  rollback(d.r);
  expect(d.seal()).toBe(0);
  expect(d.get("SELECT count(*) FROM person")).toEqual([3n]);
});

test("foreign keys and triggers act for the app, and not for the engine", () => {
  const d = new Origin(people).clone();
  const count = () => d.db.int("SELECT count(*) FROM pet");
  expect(() => atOnce(asEngine(d.db, () => step(() => d.db.run("DELETE FROM nothing"))))).toThrow();
  const asOne = (sql: string) => asEngine(d.db, () => step(() => d.db.run(sql)));
  atOnce(asEngine(d.db, () => asOne("INSERT INTO pet VALUES (11, 99, 'stray')")));
  expect([count(), d.r.status().unsealed]).toEqual([2, false]);
  atOnce(asOne("DELETE FROM pet WHERE id = 11"));
  expect(() => d.db.run("INSERT INTO pet VALUES (11, 99, 'stray')")).toThrow("FOREIGN KEY");
  d.own(() => d.db.run("DELETE FROM person WHERE id = 1"));
  expect([count(), d.seal()]).toEqual([0, 1]);
});

test("what a transaction touched is told until it is sealed", () => {
  const d = new Origin(
    `${people} CREATE TABLE wide (a, b, c, d, e, f, v, PRIMARY KEY (a, b, c, d, e, f)) WITHOUT ROWID`,
  ).clone();
  d.own(() => d.db.run("INSERT INTO pet VALUES (11, 2, 'Tom')"));
  d.own(() => d.db.script("UPDATE person SET mail = id WHERE id > 1; UPDATE pet SET name = name WHERE id = 10"));
  const set = (...names: string[]) => new Set(names);
  expect(touched(d.r)).toEqual(
    new Map([
      ["person", { columns: set("mail"), keys: [[2], [3]] }],
      ["pet", { columns: set(), keys: [[10]] }],
    ]),
  );
  d.own(() => d.db.script("UPDATE pet SET id = 12 WHERE id = 11; INSERT INTO wide VALUES (1, 2, 3, 4, 5, 6, 7)"));
  const moved = touched(d.r);
  expect(moved.get("pet")!.columns).toBeNull();
  expect(new Set(moved.get("pet")!.keys!.map(String))).toEqual(set("11", "12"));
  expect(moved.get("wide")).toEqual({ columns: null, keys: null });
  d.own(() =>
    d.db.run(
      "INSERT INTO person (name) SELECT value FROM json_each('[1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17]') a, (SELECT 1 UNION SELECT 2)",
    ),
  );
  expect(touched(d.r)).toEqual(new Map([["person", { columns: null, keys: null }]]));
  d.own(() => d.get("SELECT 1"));
  expect(touched(d.r).size).toBe(0);
  d.seal();
  expect(touched(d.r).size).toBe(0);
});

test("a row without a key is kept as rejected and leaves its table, without a trigger", () => {
  const d = new Origin(
    "CREATE TABLE a (k TEXT PRIMARY KEY, v); CREATE TABLE b (id INTEGER PRIMARY KEY); CREATE TRIGGER gone AFTER DELETE ON a BEGIN INSERT INTO b VALUES (NULL); END",
  ).clone();
  d.own(() => d.db.script("INSERT INTO a VALUES (NULL, 1), ('x', 2), (NULL, 3)"));
  expect(d.seal()).toBe(1);
  expect(all(d.db, "SELECT * FROM a")).toEqual([["x", 2n]]);
  expect(all(d.db, "SELECT * FROM b")).toEqual([]);
  const [kept] = d.r.rejected();
  expect(kept).toMatchObject({ id: 1, n: 0, code: "not_null", table: "a", columns: ["k"], key: [null] });
  expect(kept!.changes.map((c) => c.values)).toEqual([
    [null, 1n],
    [null, 3n],
  ]);
  expect(JSON.parse(d.r.export(1))).toMatchObject({
    code: "not_null",
    key: [null],
    changes: [{ table: "a", op: "insert", key: { k: null }, set: { k: null, v: 1 } }, { set: { v: 3 } }],
  });
  d.r.discard(1);
  expect(d.r.rejected()).toEqual([]);
  expect(() => d.r.export(1)).toThrow("there is no rejected changeset 1");
});

test("an export can hold every value, and says what edits do", () => {
  const o = new Origin(
    "CREATE TABLE a (id INTEGER PRIMARY KEY, count INT, doc TEXT, v); INSERT INTO a VALUES (1, 5, 'a text', 0)",
  );
  o.declare({ count: "counter", doc: "text" });
  const d = o.clone();
  d.own(() => d.db.script("UPDATE a SET count = 8, doc = 'a brave text' WHERE id = 1"));
  d.own(() =>
    d.db.run(
      "INSERT INTO a VALUES (?1, NULL, ?2, ?3), (?4, 1, 'x', ?5)",
      2n ** 60n,
      new RawText(Uint8Array.of(255)),
      Infinity,
      2n,
      Uint8Array.of(1, 2),
    ),
  );
  d.seal();
  d.settle(d.rejection(1, 0), d.rejection(2, 0));
  const [first, second] = [1, 2].map((id) => JSON.parse(d.r.export(id)).changes);
  expect(first).toEqual([
    { table: "a", op: "update", key: { id: 1 }, set: {}, edit: { count: "+3", doc: expect.stringContaining("brave") } },
  ]);
  expect(second[0].set).toEqual({
    id: { int: `${2n ** 60n}` },
    count: null,
    doc: { text: "ff" },
    v: { real: "Infinity" },
  });
  expect(second[1].set.v).toEqual({ blob: "0102" });
});

test("a copied file keeps the first names of what is pending", () => {
  const d = new Origin(people).clone();
  const welcome = {
    type: "welcome",
    protocol: 1,
    space: "s",
    incarnation: "inc",
    term: "term",
    replica: "r1",
    ticket: "t",
    head: 0,
  } as const;
  const more = {
    schema: "",
    digestKey: Uint8Array.from({ length: 16 }, (_, i) => i + 1),
    time: 0,
    limits: { message: 0, changeset: 0, row: 0 },
    resync: false,
    principal: "",
    expires: 0,
    scopes: [],
    ask: 0,
  };
  atOnce(d.r.welcome({ ...welcome, ...more }, 5));
  for (const name of ["a", "b", "c"]) d.commit(`INSERT INTO person (name) VALUES ('${name}')`);
  d.settle(d.acceptance(1, 0));
  expect(d.r.hello()).toMatchObject({ replica: "r1", ticket: "t", settled: 1, seq: 0, space: "s" });
  const hashes = [2, 3].map((n) => d.hash(n));
  d.r.reidentify();
  d.r.reidentify();
  expect(d.r.hello()).toMatchObject({ replica: "", ticket: "", settled: 0 });
  const was = d.r.unsent(0, 1 << 20).map((p) => [p.n, p.was]);
  expect(was).toEqual([
    [1, { replica: "r1", n: 2, hash: hashes[0] }],
    [2, { replica: "r1", n: 3, hash: hashes[1] }],
  ]);
  for (const [change, code] of [
    [{ space: "t" }, "wrong_space"],
    [{ incarnation: "x" }, "incarnation"],
    [{ digestKey: new Uint8Array(16) }, "incarnation"],
  ] as const) {
    expect(codeThat(() => atOnce(d.r.welcome({ ...welcome, ...more, ...change }, 6)))).toBe(code);
  }
});

test("a stop is remembered", () => {
  const d = new Origin(people).clone();
  d.r.stop("forbidden");
  d.crash();
  expect(d.r.status().stopped).toBe("forbidden");
});

test("what is pending moves to another copy, suspended", () => {
  const o = new Origin(people);
  const old = o.clone();
  old.own(() => old.db.run("UPDATE person SET name = 'Anna' WHERE id = 1"));
  old.own(() => old.db.run("INSERT INTO pet VALUES (12, 3, 'Kit')"));
  old.seal();
  const d = o.clone();
  d.commit("UPDATE person SET name = 'Annie' WHERE id = 1");
  const list = takeAlong(old.r);
  carry(d.r, list, 3);
  expect(d.r.pending(true).map((p) => [p.n, p.suspended, p.changes!.map((c) => c.op)])).toEqual([
    [1, false, [UPDATE]],
    [2, true, [UPDATE]],
    [3, true, [INSERT]],
  ]);
  expect(d.hash(3)).toEqual(old.hash(2));
  expect(d.r.unsent(1, 1 << 20).map((p) => p.body)).toEqual(list.map((c) => c.push.body));
  d.checkBase(o.rows);
});

test("a copy that nobody may write refuses, and seals nothing", () => {
  const d = new Origin(people).clone();
  d.db.run("UPDATE _tm_meta SET v = 1 WHERE k = 'read_only'");
  d.db.run("UPDATE _tm_meta SET v = 0 WHERE k = 'ddl_version'");
  d.crash();
  expect(() => d.db.run("DELETE FROM pet")).toThrow("read-only");
  expect(d.r.status()).toMatchObject({ readOnly: true, unsealed: false });
});

test("a file of another role, or of none, is refused", () => {
  const o = new Origin(people);
  const open = (sql: string) => {
    const d = o.clone();
    d.db.script(sql);
    const code = codeThat(() => Replica.open(d.db, { rand: bytesFrom(1) }));
    d.close();
    return code;
  };
  expect(open("UPDATE _tm_meta SET v = 'server' WHERE k = 'role'")).toBe("wrong_role");
  expect(open("UPDATE _tm_meta SET v = 99 WHERE k = 'format'")).toBe("newer_format");
  expect(open("DROP TABLE _tm_meta")).toBe("not_adopted");
  expect(open("UPDATE _tm_meta SET v = x'00' WHERE k = 'schema_body'")).toBe("corrupt");
  expect(
    open(
      "DROP TABLE _tm_text; DROP TABLE _tm_history; ALTER TABLE _tm_pending DROP COLUMN view; CREATE TABLE _tm_other (x)",
    ),
  ).toBe("");
});

test("values are ordered as SQLite orders them", () => {
  const { db } = new Origin("CREATE TABLE o (v, i INTEGER PRIMARY KEY)");
  fc.assert(
    fc.property(anyValue, anyValue, fc.constantFrom("BINARY", "NOCASE", "RTRIM"), (a, b, collation) => {
      db.run("DELETE FROM o");
      db.run("INSERT INTO o VALUES (?1, 1), (?2, 2)", a, b);
      const c = `v COLLATE ${collation}`;
      const less = db.int(`SELECT rank() OVER (ORDER BY ${c}) FROM o ORDER BY i LIMIT 1`);
      const more = db.int(`SELECT rank() OVER (ORDER BY ${c} DESC) FROM o ORDER BY i LIMIT 1`);
      expect(Math.sign(compareValues(a, b, collation))).toBe(less - more);
    }),
    {
      examples: [
        ["a\0b", "A\0c", "NOCASE"],
        ["a\0bc", "A\0c", "NOCASE"],
        ["a ", "a", "RTRIM"],
        [2n ** 53n + 1n, 2 ** 53, "BINARY"],
      ],
    },
  );
});

test("a trigger's text gets another name", () => {
  const cases = [
    ["CREATE TRIGGER a AFTER INSERT ON t BEGIN SELECT 1; END", " AFTER INSERT ON t BEGIN SELECT 1; END"],
    ['CREATE TRIGGER "a ""b" AFTER INSERT ON t', " AFTER INSERT ON t"],
    ["create trigger\n[a ]b]\tBEFORE x", "b]\tBEFORE x"],
    ["CREATE TRIGGER `x``y`/*c*/AFTER", "/*c*/AFTER"],
    ["CREATE TRIGGER 'x''y'AFTER", "AFTER"],
    ["CREATE TRIGGER é--c\nAFTER", "--c\nAFTER"],
  ];
  for (const [sql, rest] of cases) expect(mirrorSQL("m", sql!)).toBe(`CREATE TEMP TRIGGER "m" ${rest}`);
});
