import fc from "fast-check";
import { test } from "vitest";
import { courses, type Dice, type Statements, seeds, World } from "./world.ts";

// Random local transactions, batches, chunks, outcomes, new columns and
// restarts, with an oracle beside them that judges whole copies of the rows.

const runs = Number(process.env.RUNS ?? 12);

function model(name: string, ddl: string, statement: Statements, columns: readonly string[], narrow = false): void {
  test(name, { timeout: 120_000 }, () => {
    fc.assert(
      fc.property(seeds, courses, (start, steps) => {
        const w = new World(ddl, statement, columns, start, narrow);
        try {
          for (const s of steps) w.step(s);
          w.finish();
        } finally {
          w.close();
        }
      }),
      { numRuns: runs, interruptAfterTimeLimit: 100_000, markInterruptAsFailure: true },
    );
  });
}

const zoo = `
CREATE TABLE item (id INTEGER PRIMARY KEY, a, b, u UNIQUE);
CREATE TABLE pair (x INTEGER NOT NULL, y TEXT NOT NULL, n, m, PRIMARY KEY (x, y), UNIQUE (n, m)) WITHOUT ROWID;
CREATE TABLE parent (code TEXT COLLATE NOCASE NOT NULL PRIMARY KEY, name TEXT COLLATE NOCASE UNIQUE);
CREATE TABLE child (id INTEGER PRIMARY KEY, p TEXT REFERENCES parent(code) ON DELETE CASCADE ON UPDATE CASCADE, v);
CREATE TABLE node (id INTEGER PRIMARY KEY, up INTEGER REFERENCES node(id) ON DELETE SET NULL, v);
`;

const zooColumns = ["item more DEFAULT 7", "pair more", "child more DEFAULT 'd'", "node more DEFAULT x'01'"];

function zooKeeping(d: Dice): string {
  const value = (): string => d.pick("NULL", "1", "2.5", "'t'", "x'00ff'", "'é'", "-0.0", `${d.n(9)}`);
  const id = (): number => 1 + d.n(8);
  const code = (): string => d.pick("'a'", "'A'", "'b'", "'c'", "'B'", "'d'");
  const small = (): string => d.pick("NULL", "1", "2", "3", "4");
  const or = d.pick("", "", "OR REPLACE ", "OR IGNORE ");
  switch (d.n(16)) {
    case 0:
    case 1:
      return `INSERT ${or}INTO item (id, a, b, u) VALUES (${id()}, ${value()}, ${value()}, ${small()})`;
    case 2:
      return `UPDATE ${or}item SET a = ${value()}, u = ${small()} WHERE id = ${id()}`;
    case 3:
      return `UPDATE item SET b = ${value()} WHERE id >= ${id()}`;
    case 4:
      return `UPDATE ${or}item SET id = ${id()} WHERE id = ${id()}`;
    case 5:
      return `DELETE FROM item WHERE id = ${id()}`;
    case 6:
      return `INSERT ${or}INTO pair (x, y, n, m) VALUES (${d.n(3)}, ${code()}, ${small()}, ${small()})`;
    case 7:
      return `UPDATE ${or}pair SET n = ${small()} WHERE x = ${d.n(3)}`;
    case 8:
      return `DELETE FROM pair WHERE y = ${code()}`;
    case 9:
      return `INSERT ${or}INTO parent VALUES (${code()}, ${d.pick("NULL", "'n'", "'N'", "'m'", "'k'")})`;
    case 10:
      return `UPDATE ${or}parent SET code = ${code()} WHERE code = ${code()}`;
    case 11:
      return `DELETE FROM parent WHERE code = ${code()}`;
    case 12:
      return `INSERT ${or}INTO child (id, p, v) VALUES (${id()}, ${d.pick("NULL", "'a'", "'b'", "'c'")}, ${value()})`;
    case 13:
      return `UPDATE child SET p = ${d.pick("NULL", "'a'", "'B'", "'c'")}, v = ${value()} WHERE id = ${id()}`;
    case 14:
      // Not OR REPLACE: SQLite then takes a row that refers to none.
      return `INSERT INTO node (id, up, v) VALUES (${id()}, ${d.pick("NULL", `${id()}`)}, ${value()})`;
    default:
      return `DELETE FROM node WHERE id = ${id()}`;
  }
}

const ugly = `
CREATE TABLE "select from" ("a ""b" TEXT COLLATE NOCASE NOT NULL, "c.d" BLOB NOT NULL, [e[f] DEFAULT 'x', "ünï" REAL UNIQUE,
  PRIMARY KEY ("c.d", "a ""b"));
CREATE TABLE 'it''s' (k BLOB NOT NULL PRIMARY KEY, g AS (length(k)) VIRTUAL, v INTEGER, s TEXT GENERATED ALWAYS AS (v || 'x') STORED) WITHOUT ROWID;
CREATE TABLE tight (id INTEGER PRIMARY KEY AUTOINCREMENT, r REAL CHECK (r IS NULL OR r < 100), t TEXT NOT NULL DEFAULT 'd', b BLOB) STRICT;
CREATE TABLE padded (k TEXT COLLATE RTRIM NOT NULL PRIMARY KEY ON CONFLICT REPLACE, v UNIQUE ON CONFLICT REPLACE);
CREATE TABLE loose (k NOT NULL PRIMARY KEY, "group" TEXT);
`;

function uglyKeeping(d: Dice): string {
  const or = d.pick("", "", "OR REPLACE ", "OR IGNORE ", "OR ABORT ");
  const word = (): string =>
    d.pick("'a'", "'A'", "'b'", "'a '", "'é'", "'a' || char(0) || 'b'", "CAST(x'61ff' AS TEXT)");
  const blob = (): string => d.pick("x''", "x'00'", "x'0001'", "x'ff'");
  const num = (): string => d.pick("NULL", "9223372036854775807", "-0.0", "1e308 * 10", "0.1", "3", `${d.n(4)}`);
  const id = 1 + d.n(6);
  switch (d.n(14)) {
    case 0:
    case 1:
      return `INSERT ${or}INTO "select from" VALUES (${word()}, ${blob()}, ${num()}, ${num()})`;
    case 2:
      return `UPDATE ${or}"select from" SET "ünï" = ${num()}, [e[f] = ${word()} WHERE "c.d" = ${blob()}`;
    case 3:
      return `UPDATE ${or}"select from" SET "a ""b" = ${word()} WHERE "a ""b" = ${word()}`;
    case 4:
      return `DELETE FROM "select from" WHERE "a ""b" = ${word()}`;
    case 5:
    case 6:
      return `INSERT ${or}INTO 'it''s' (k, v) VALUES (${blob()}, ${id})`;
    case 7:
      return `UPDATE ${or}'it''s' SET v = ${id}, k = ${blob()} WHERE k = ${blob()}`;
    case 8:
      return `INSERT ${or}INTO tight (id, r, t, b) VALUES (${id}, ${num()}, ${word()}, ${blob()})`;
    case 9:
      return `UPDATE tight SET r = ${num()} WHERE id = ${id}`;
    case 10:
      return `DELETE FROM tight WHERE id = ${id}`;
    case 11:
      return `INSERT INTO padded VALUES (${word()}, ${num()})`;
    case 12:
      return `INSERT ${or}INTO loose VALUES (${d.pick(word(), blob(), "1", "1.0", "2.5")}, ${word()})`;
    default:
      return `UPDATE ${or}loose SET "group" = ${word()} WHERE k = ${d.pick(word(), blob(), "1", "2.5")}`;
  }
}

/** Little room: what one writes without touching another's rows is nearly always in the other's way. */
const tight = `
CREATE TABLE seat (id INTEGER PRIMARY KEY, u UNIQUE, v);
CREATE TABLE parent (code INTEGER PRIMARY KEY, v);
CREATE TABLE child (id INTEGER PRIMARY KEY, p INTEGER REFERENCES parent(code));
`;

function tightKeeping(d: Dice): string {
  const id = 1 + d.n(12);
  const few = 1 + d.n(4);
  switch (d.n(12)) {
    case 0:
    case 1:
      return `INSERT INTO seat (id, u) VALUES (${id}, ${few})`;
    case 2:
    case 3:
    case 4:
      return `UPDATE seat SET u = ${d.pick("NULL", `${few}`)} WHERE id = ${id}`;
    case 5:
      return `DELETE FROM seat WHERE id = ${id}`;
    case 6:
      return `INSERT OR IGNORE INTO parent (code) VALUES (${few})`;
    case 7:
    case 8:
      return `DELETE FROM parent WHERE code = ${few}`;
    case 9:
      return `INSERT INTO child VALUES (${id}, ${few})`;
    case 10:
      return `UPDATE child SET p = ${d.pick("NULL", `${few}`)} WHERE id = ${id}`;
    default:
      return `DELETE FROM child WHERE id = ${id}`;
  }
}

model("a replica shows what the oracle says", zoo, zooKeeping, zooColumns);
model("with rebases as narrow as for long pending", zoo, zooKeeping, zooColumns, true);
model("with tables whose names and keys are odd", ugly, uglyKeeping, ["tight more INTEGER DEFAULT 7"]);
model("where constraints reach from row to row", tight, tightKeeping, ["seat more DEFAULT 7"]);
model("where they reach out of what is undone", tight, tightKeeping, ["seat more DEFAULT 7"], true);
