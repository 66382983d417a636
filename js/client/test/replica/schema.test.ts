import { describe, expect, test } from "vitest";
import { quote } from "../../src/lite/quote.ts";
import { atOnce } from "../../src/lite/work.ts";
import type { Batch } from "../../src/wire/down.ts";
import { all } from "../integrity.ts";
import { type Device, expectRows, Origin, people, tellSchema } from "./fixture.ts";

/** Runs DDL, then rows, on the origin and gives the replica the schema. */
function migrate(o: Origin, d: Device, ddl: string, rows = ""): Batch {
  o.alter(ddl);
  o.db.script(rows);
  tellSchema(o, d);
  return o.commit();
}

test("columns, tables and objects come under pending", () => {
  const o = new Origin(people);
  const d = o.clone();
  d.commit("INSERT INTO person VALUES (40, 'Dot', 'd@x')");
  d.commit("UPDATE person SET name = 'Ann!' WHERE id = 1");
  const b = migrate(
    o,
    d,
    `ALTER TABLE person ADD COLUMN age INTEGER NOT NULL DEFAULT 7;
     ALTER TABLE person ADD COLUMN note TEXT;
     CREATE TABLE thing (id TEXT PRIMARY KEY NOT NULL, owner INTEGER REFERENCES person(id));
     CREATE INDEX pet_name ON pet(name);
     CREATE VIEW grown AS SELECT * FROM person WHERE age > 17;`,
    "INSERT INTO thing VALUES ('t', 2); UPDATE person SET age = 30, name = 'B' WHERE id = 2;",
  );
  expect(d.applyWell(b)).toMatchObject({ schema: true, skipped: [] });
  expect(d.get("SELECT name, age, note FROM person WHERE id = 40")).toEqual(["Dot", 7n, null]);
  expect(d.get("SELECT name, age FROM person WHERE id = 1")).toEqual(["Ann!", 7n]);
  expect(d.get("SELECT count(*) FROM grown")).toEqual([1n]);
  d.checkBase(o.rows);
  expect(d.r.status()).toMatchObject({ proven: true, out: new Map() });
  d.crash();

  // Capture knows the new column and the new table.
  d.commit("UPDATE person SET age = 8 WHERE id = 3; INSERT INTO thing VALUES ('u', 40)");
  expect(d.pending()[2]!.changes!.length).toBe(2);
  for (const p of d.pending()) {
    const { outcome, batch } = o.judge(p.n, d.hash(p.n), p.changes!);
    d.applyWell(batch!, outcome);
  }
  expectRows(d.rows(), o.rows);
});

test("after a resync a schema is taken over at once", () => {
  const o = new Origin(people);
  const d = o.clone();
  d.commit("UPDATE person SET name = 'mine' WHERE id = 1");
  atOnce(
    d.r.welcome(
      {
        type: "welcome",
        space: "s",
        incarnation: "inc",
        term: "t2",
        head: 1,
        resync: true,
        principal: "",
        expires: 0,
        scopes: [],
        ask: 0,
        digestKey: o.key,
        time: 1,
        replica: "",
        ticket: "",
        protocol: 1,
        schema: o.schema.hash,
        limits: { message: 1, changeset: 1, row: 1 },
      },
      1,
    ),
  );
  migrate(o, d, "ALTER TABLE person ADD COLUMN age DEFAULT 3");
  expect(d.get("SELECT name, age FROM person WHERE id = 1")).toEqual(["mine", 3n]);
  d.checkBase(o.rows);
  atOnce(d.r.prove(2));
  d.applyWell(o.do("UPDATE person SET age = 4 WHERE id = 1"));
  expect(d.get("SELECT name, age FROM person WHERE id = 1")).toEqual(["mine", 4n]);
});

test("a table that changed beyond columns leaves syncing, and its pending stays", () => {
  const o = new Origin(people);
  const d = o.clone();
  d.commit("UPDATE pet SET name = 'mine' WHERE id = 10");
  d.commit("UPDATE person SET name = 'mine' WHERE id = 1");
  const tables = o.schema.tables.map((t) => (t.name === "pet" ? { ...t, out: "changed" } : t));
  o.alter("ALTER TABLE pet RENAME COLUMN name TO title");
  o.db.script("UPDATE person SET name = 'B' WHERE id = 2");
  o.schema = { ...o.schema, tables, hash: "feedfeedfeedfeed" };
  for (const id of o.rows.keys()) if (id.startsWith("2:")) o.rows.delete(id);
  tellSchema(o, d);
  d.applyWell(o.commit());
  expect(d.r.status()).toMatchObject({ out: new Map([["pet", "changed"]]), proven: true, pending: 2 });
  expect(d.get("SELECT name FROM pet WHERE id = 10")).toEqual(["mine"]);
  expect(d.get("SELECT name FROM person WHERE id = 1")).toEqual(["mine"]);
  expect(d.get("SELECT name FROM person WHERE id = 2")).toEqual(["B"]);
  d.settle(d.rejection(1, 1, "schema"));
  expect(d.get("SELECT name FROM pet WHERE id = 10")).toEqual(["mine"]);
});

describe("DDL of the app takes only that table out", () => {
  test.each([
    ["ALTER TABLE pet ADD COLUMN fur TEXT"],
    ["DROP TABLE pet"],
    ["ALTER TABLE pet RENAME TO animal"],
    ["CREATE UNIQUE INDEX one_name ON pet(name)"],
    ["ALTER TABLE pet RENAME COLUMN name TO title"],
  ])("%s", (ddl) => {
    const o = new Origin(people);
    const d = o.clone();
    d.write("UPDATE person SET name = 'before' WHERE id = 1");
    d.db.forget();
    d.db.script(ddl);
    d.write("UPDATE person SET mail = 'after' WHERE id = 1");
    d.applyWell(o.do("UPDATE person SET name = 'B' WHERE id = 2; UPDATE pet SET name = 'theirs' WHERE id = 10"));
    expect(d.r.status()).toMatchObject({ proven: false, repair: "" });
    expect([...d.r.status().out.keys()]).toEqual(["pet"]);
    expect(d.get("SELECT name, mail FROM person WHERE id = 1")).toEqual(["before", "after"]);
    expect(d.get("SELECT name FROM person WHERE id = 2")).toEqual(["B"]);
    d.crash();
    expect([...d.r.status().out.keys()]).toEqual(["pet"]);
  });
});

test("tables and indexes of the app alone stay its own", () => {
  const o = new Origin(people);
  const d = o.clone();
  d.db.script(
    "CREATE TABLE scratch (x PRIMARY KEY); CREATE INDEX by_name ON person(name); INSERT INTO scratch VALUES (1)",
  );
  d.applyWell(o.do("UPDATE person SET name = 'B' WHERE id = 2"));
  expect(d.r.status()).toMatchObject({ out: new Map(), pending: 0, proven: true });
  d.commit("UPDATE person SET name = 'C' WHERE id = 2");
});

const searchable = `
CREATE TABLE doc (id INTEGER PRIMARY KEY, body TEXT, seen TEXT);
CREATE VIRTUAL TABLE doc_text USING fts5(body, content='doc', content_rowid='id');
CREATE TRIGGER doc_ai AFTER INSERT ON doc BEGIN INSERT INTO doc_text(rowid, body) VALUES (new.id, new.body); END;
CREATE TRIGGER "doc ad" AFTER DELETE ON doc BEGIN INSERT INTO doc_text(doc_text, rowid, body) VALUES ('delete', old.id, old.body); END;
CREATE TRIGGER [doc_au] AFTER UPDATE ON doc BEGIN
  INSERT INTO doc_text(doc_text, rowid, body) VALUES ('delete', old.id, old.body);
  INSERT INTO doc_text(rowid, body) VALUES (new.id, new.body);
END;
CREATE TRIGGER stamp AFTER UPDATE OF body ON doc BEGIN UPDATE doc SET seen = 'stamped' WHERE id = new.id; END;
INSERT INTO doc VALUES (1, 'old words', NULL);
`;

const found = (d: Device, table: string, word: string): unknown =>
  d.get(`SELECT group_concat(rowid) FROM ${table} WHERE ${table} MATCH '${word}'`)![0];

test("a full-text index follows what is applied, and only that trigger fires", () => {
  const o = new Origin(searchable);
  const d = o.clone();
  expect(d.r.skipped).toEqual([]);
  d.commit("INSERT INTO doc VALUES (2, 'local words', 'x')");
  o.db.setTriggers(false);
  d.applyWell(o.do("UPDATE doc SET body = 'new text' WHERE id = 1; INSERT INTO doc VALUES (3, 'third text', NULL)"));
  expect(found(d, "doc_text", "text")).toBe("1,3");
  expect(found(d, "doc_text", "words")).toBe("2");
  expect(d.get("SELECT seen FROM doc WHERE id = 1")).toEqual([null]);
  d.settle(d.rejection(1, 1));
  expect(found(d, "doc_text", "words")).toBe(null);
  d.db.script("INSERT INTO doc_text(doc_text) VALUES ('integrity-check')");
  expect(all(d.db, "SELECT name FROM temp.sqlite_master")).toEqual([]);
  d.commit("UPDATE doc SET body = 'mine' WHERE id = 1"); // the app's own triggers fire again
  expect(d.get("SELECT seen FROM doc WHERE id = 1")).toEqual(["stamped"]);
});

test("rows that come with a schema meet no index that it dropped", () => {
  const o = new Origin(`${searchable}CREATE UNIQUE INDEX one_body ON doc(body);`);
  const d = o.clone();
  o.db.setTriggers(false);
  d.applyWell(
    migrate(
      o,
      d,
      "DROP INDEX one_body; ALTER TABLE doc ADD COLUMN more TEXT;",
      "INSERT INTO doc (id, body) VALUES (4, 'same text'), (5, 'same text')",
    ),
  );
  expectRows(d.rows(), o.rows);
  expect(found(d, "doc_text", "same")).toBe("4,5");
  expect(d.get("SELECT count(*) FROM sqlite_master WHERE name = 'one_body'")).toEqual([0n]);
});

test("a full-text index that comes later knows all rows", () => {
  const o = new Origin("CREATE TABLE doc (id INTEGER PRIMARY KEY, body TEXT); INSERT INTO doc VALUES (1, 'old text')");
  const d = o.clone();
  d.applyWell(
    migrate(
      o,
      d,
      `CREATE VIRTUAL TABLE ft USING fts5(body, content=doc, content_rowid=id);
       CREATE TRIGGER fu AFTER UPDATE ON doc BEGIN
         INSERT INTO ft(ft, rowid, body) VALUES ('delete', OLD.id, OLD.body);
         INSERT INTO ft(rowid, body) VALUES (NEW.id, NEW.body);
       END;`,
      "INSERT INTO doc VALUES (2, 'late text'); INSERT INTO ft(ft) VALUES ('rebuild')",
    ),
  );
  expect(found(d, "ft", "text")).toBe("1,2");
  d.applyWell(o.do("UPDATE doc SET body = 'changed' WHERE id = 1"));
  expect(found(d, "ft", "text")).toBe("2");
  expect(found(d, "ft", "changed")).toBe("1");
});

test("a trigger that fails is left out, and told", () => {
  const o = new Origin(people);
  const d = o.clone();
  d.db.script(`CREATE TABLE tags (name TEXT UNIQUE);
    CREATE TRIGGER tagging AFTER UPDATE ON person BEGIN INSERT INTO tags VALUES ('once'); END;`);
  d.applyWell(o.do("UPDATE person SET name = 'A' WHERE id = 1"));
  d.applyWell(o.do("UPDATE person SET name = 'B' WHERE id = 1"));
  expectRows(d.rows(), o.rows);
  expect(d.r.skipped.join()).toContain("trigger tagging");
});

test("capture that was lost asks for repair", () => {
  const o = new Origin(people);
  const d = o.clone();
  const triggers = all(d.db, "SELECT name FROM sqlite_master WHERE type = 'trigger' AND tbl_name = 'person'");
  for (const [name] of triggers) d.db.script(`DROP TRIGGER ${quote(String(name))}`);
  d.write("UPDATE person SET name = 'unseen' WHERE id = 1");
  expect(d.seal()).toBe(0);
  expect(d.r.status().repair).toContain("capture");
  d.commit("UPDATE person SET name = 'seen' WHERE id = 2");
  // What it missed is put back, so that the file is sound again.
  const on = d.db.setTriggers(false);
  d.db.script("UPDATE person SET name = 'Ann' WHERE id = 1");
  d.db.setTriggers(on);
});
