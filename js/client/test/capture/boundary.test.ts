import fc from "fast-check";
import { afterEach, expect, test } from "vitest";
import { begin, clear, end } from "../../src/capture/capture.ts";
import { install } from "../../src/capture/install.ts";
import { type RowChange, segments } from "../../src/capture/segment.ts";
import { Database } from "../../src/lite/database.ts";
import { SqliteError, violation } from "../../src/lite/failure.ts";
import { loadSqlite } from "../../src/lite/load.ts";
import { atOnce } from "../../src/lite/work.ts";
import { type Images, idOf } from "../../src/replica/base.ts";
import { scan } from "../../src/row/row.ts";
import { keyOf, type Schema } from "../../src/schema.ts";
import { sameRow } from "../../src/value.ts";
import { inspect } from "../inspect.ts";
import { kinds } from "./kinds.ts";
import { Writer } from "./writer.ts";

const sqlite = await loadSqlite();
let open: Database[] = [];

afterEach(() => {
  for (const db of open) db.close();
  open = [];
});

/** The rows of all tables. */
function dump(db: Database, s: Schema): Images {
  const rows: Images = new Map();
  for (const t of s.tables) {
    atOnce(scan(db, t, null, null, 0, (row) => void rows.set(idOf(t, keyOf(t, row)), row)));
  }
  return rows;
}

function sameRows(a: Images, b: Images): boolean {
  return a.size === b.size && [...a].every(([id, row]) => sameRow(row, b.get(id) ?? null));
}

/** Takes rows through changes, each of which must fit. */
function replay(rows: Images, changes: readonly RowChange[]): Images {
  const out = new Map(rows);
  for (const { table, before } of changes) {
    if (!before) continue;
    const id = idOf(table, keyOf(table, before));
    expect(out.get(id), `before, in ${table.name}`).toStrictEqual(before);
    out.delete(id);
  }
  for (const { table, after } of changes) {
    if (!after) continue;
    const id = idOf(table, keyOf(table, after));
    expect(out.has(id), `two rows end as one in ${table.name}`).toBe(false);
    out.set(id, after);
  }
  return out;
}

/** A state between two segments; salt null: what comes before it has no mark. */
interface Boundary {
  rows: Images;
  readonly salt: Uint8Array | null;
}

/** Runs transactions and keeps copies at their boundaries. */
class Recorder {
  readonly db = Database.open(sqlite, ":memory:");
  readonly s: Schema;
  readonly w: Writer;
  start: Images;
  want: Boundary[] = [];

  constructor(ddl: string, g: fc.GeneratorValue) {
    open.push(this.db);
    this.db.script(ddl);
    this.s = inspect(this.db, new Map());
    install(this.db, this.s, false);
    this.w = new Writer(g, this.s);
    this.start = dump(this.db, this.s);
  }

  transaction(): void {
    const { db, w } = this;
    db.run(`PRAGMA foreign_keys = ${w.below(2)}`);
    const salt = w.below(2) === 0 ? Uint8Array.from({ length: 8 }, () => w.below(256)) : null;
    db.run("BEGIN IMMEDIATE");
    const first = begin(db);
    const top = () => db.int("SELECT max(n) FROM _tm_log");
    for (let i = 1 + w.below(5); i > 0 && db.inTransaction; i--) this.step();
    if (!db.inTransaction) return;
    if (w.below(10) === 0 || (salt && top() < first)) {
      db.run("ROLLBACK");
      return;
    }
    if (salt) end(db, { first, salt, madeAt: 5, seen: 6 });
    try {
      db.run("COMMIT");
    } catch {
      db.run("ROLLBACK"); // a deferred foreign key
      return;
    }
    const rows = dump(db, this.s);
    const last = this.want.at(-1);
    if (last && !last.salt && !salt) last.rows = rows;
    else this.want.push({ rows, salt });
  }

  step(): void {
    const { db, w } = this;
    if (w.below(10) > 0) {
      for (const st of w.next()) this.run(st.sql, st.args);
      return;
    }
    db.run("SAVEPOINT sp");
    this.step();
    if (w.below(2) === 0 && db.inTransaction) db.run("ROLLBACK TO sp");
    if (db.inTransaction) db.run("RELEASE sp");
  }

  run(sql: string, args: Parameters<Database["run"]>[1][]): void {
    try {
      this.db.run(sql, ...args);
    } catch (err) {
      // What random statements run into has nothing to do with capture.
      const usual = /too many levels of trigger recursion|integer overflow|disk is full/;
      if (!violation(err) && !(err instanceof SqliteError && usual.test(err.message))) throw err;
    }
  }

  /** Compares what the log tells with the copies. */
  check(): void {
    const told = segments(this.db, this.s);
    let now = this.start;
    for (const b of this.want) {
      if (sameRows(now, b.rows)) continue;
      const segment = told.shift();
      expect(segment?.mark?.salt ?? null).toStrictEqual(b.salt);
      if (segment?.mark) expect(segment.mark).toMatchObject({ madeAt: 5, seen: 6 });
      now = replay(now, segment?.rows ?? []);
      expect(now).toStrictEqual(b.rows);
    }
    expect(told).toEqual([]);
  }

  /** Forgets what is in the log, as sealing does. */
  seal(): void {
    clear(this.db);
    this.start = dump(this.db, this.s);
    this.want = [];
  }
}

test.each(Object.keys(kinds))("the log tells the state between any two transactions: %s", (kind) => {
  fc.assert(
    fc.property(fc.gen(), (g) => {
      const r = new Recorder(kinds[kind]!, g);
      for (let round = 0; round < 2; round++) {
        for (let i = 0; i < 6; i++) r.transaction();
        r.check();
        r.seal();
      }
    }),
    { numRuns: Number(process.env.TIDEMARK_RUNS ?? 5) },
  );
});
