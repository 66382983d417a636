import { expect, test } from "vitest";
import { clear } from "../../src/capture/capture.ts";
import { GUARD_PREFIX } from "../../src/capture/guards.ts";
import { install } from "../../src/capture/install.ts";
import { Database } from "../../src/lite/database.ts";
import { violation } from "../../src/lite/failure.ts";
import { loadSqlite } from "../../src/lite/load.ts";
import { decode } from "../../src/schema/encode.ts";
import type { Schema } from "../../src/schema.ts";
import { type Case, load } from "./vectors.ts";

interface GuardCase extends Case {
  readonly sql: string;
  readonly schema: unknown;
  readonly steps: readonly {
    readonly sql: string;
    readonly refused?: string;
    readonly table?: string;
    readonly columns?: readonly string[];
  }[];
}

const sqlite = await loadSqlite();
const cases = load<GuardCase>("guards.json");

/** A copy of ann's, as far as guards see one. */
function withCopy(c: GuardCase, use: (db: Database, s: Schema) => void): void {
  const db = Database.open(sqlite, ":memory:");
  try {
    db.script(`${c.sql}; CREATE TABLE _tm_meta (k TEXT PRIMARY KEY, v) WITHOUT ROWID;
      INSERT INTO _tm_meta VALUES ('principal', 'ann'); CREATE TABLE _tm_pending_row (t, key, n)`);
    const s = decode(JSON.stringify(c.schema));
    install(db, s, false);
    use(db, s);
  } finally {
    db.close();
  }
}

const made = (db: Database): bigint | number =>
  db.int(`SELECT count(*) FROM sqlite_master WHERE substr(name, 1, 9) = '${GUARD_PREFIX}'`);

test.each(cases)("guards: $name", (c) => {
  withCopy(c, (db) => {
    for (const step of c.steps) {
      let refused: unknown = null;
      try {
        db.transaction(() => db.script(step.sql));
        clear(db);
      } catch (err) {
        refused = err;
      }
      const v = violation(refused);
      const want = step.refused === undefined ? null : ["forbidden", step.refused, step.table, step.columns];
      expect(v && [v.code, v.message, v.detail.table, v.detail.columns], `${step.sql}: ${refused}`).toEqual(want);
    }
  });
});

test("guards come and go with the schema, and never stand in the way", () => {
  withCopy(cases[0]!, (db, s) => {
    expect(Number(made(db))).toBe(3);
    const version = db.int("PRAGMA schema_version");
    install(db, s, false);
    expect(db.int("PRAGMA schema_version")).toBe(version);
    const bad = {
      ...s.guards[0]!,
      sql: `CREATE TRIGGER "_tm_rule_1_insert" AFTER INSERT ON "task" BEGIN SELECT nonsense(1); END`,
    };
    install(db, { ...s, guards: [bad, ...s.guards.slice(1), { ...bad, table: 9 }] }, false);
    expect(Number(made(db))).toBe(2);
    db.script("INSERT INTO task VALUES (9, 'x', 'y')");
    install(db, s, true);
    expect(Number(made(db))).toBe(0);
    install(db, { ...s, guards: [] }, false);
    expect(Number(made(db))).toBe(0);
  });
});

test("what is no guard is no schema", () => {
  // The vectors hold schemas as they travel.
  const body = cases[0]!.schema as object;
  for (const guard of [
    { table: 1, name: "mine", sql: 'CREATE TRIGGER "mine" x' },
    { table: 1, name: "_tm_rule_1", sql: "DROP TABLE task" },
    { table: "1", name: "_tm_rule_1", sql: 'CREATE TRIGGER "_tm_rule_1" x' },
  ]) {
    expect(() => decode(JSON.stringify({ ...body, guards: [guard] }))).toThrow();
  }
});
