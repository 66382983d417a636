import { expect, onTestFinished } from "vitest";
import { type Change, DELETE, INSERT, type Outcome, UPDATE } from "../../src/change.ts";
import type { AppCode, Code } from "../../src/codes.ts";
import { Hasher } from "../../src/digest/digest.ts";
import { Database } from "../../src/lite/database.ts";
import { violation } from "../../src/lite/failure.ts";
import { loadSqlite } from "../../src/lite/load.ts";
import { quote } from "../../src/lite/quote.ts";
import { atOnce } from "../../src/lite/work.ts";
import type { Applied } from "../../src/replica/apply.ts";
import { type Images, idOf, inOrder, type RowID, rowsOf, synced, tableOf } from "../../src/replica/base.ts";
import { loadPending, type Pending } from "../../src/replica/pending.ts";
import { type Options, Replica } from "../../src/replica/replica.ts";
import { loadBase } from "../../src/replica/tally.ts";
import { begin, commit, rollback } from "../../src/replica/write.ts";
import { get, insert, remove, scan, update } from "../../src/row/row.ts";
import { type Column, keyOf, type Policy, type Schema, scoped, type Table, tableByID } from "../../src/schema.ts";
import { type Row, sameRow, type Value } from "../../src/value.ts";
import type { Batch } from "../../src/wire/down.ts";
import { encode, inspect } from "../inspect.ts";
import { integrity } from "../integrity.ts";
import { deserialize } from "../lite/image.ts";

export const sqlite = await loadSqlite();

/** Random bytes from a seed, the same in every run. */
export function bytesFrom(seed: number): (n: number) => Uint8Array {
  let x = seed | 1;
  return (n) =>
    Uint8Array.from({ length: n }, () => {
      x ^= x << 13;
      x ^= x >>> 17;
      x ^= x << 5;
      return x & 0xff;
    });
}

/** All rows of the tables that sync. */
export function readRows(db: Database, s: Schema): Images {
  const rows: Images = new Map();
  for (const t of s.tables) {
    if (t.out !== "") continue;
    atOnce(
      scan(db, t, null, null, 0, (row) => {
        rows.set(idOf(t, keyOf(t, row)), row);
      }),
    );
  }
  return rows;
}

function tableIDs(s: Schema): Map<string, number> {
  return new Map(s.tables.map((t) => [t.name, t.id]));
}

/** The changes that make one state of the rows the other. */
function changesBetween(s: Schema, before: Images, after: Images): Change[] {
  const changes: Change[] = [];
  for (const id of inOrder(new Set([...before.keys(), ...after.keys()]))) {
    const from = before.get(id) ?? null;
    const to = after.get(id) ?? null;
    if (!sameRow(from, to)) changes.push(step(tableByID(s, tableOf(id))!, from, to));
  }
  return changes;
}

function step(t: Table, from: Row | null, to: Row | null): Change {
  const key = keyOf(t, (from ?? to)!);
  const c: Change = { table: t.id, op: DELETE, key, columns: [], values: [], old: null, edits: null, madeAt: 0 };
  if (to === null) return c;
  if (from === null) return { ...c, op: INSERT, values: [...to] };
  const columns = to.map((_, i) => i).filter((i) => !sameRow([from[i] ?? null], [to[i]!]) || i >= from.length);
  return { ...c, op: UPDATE, columns, values: columns.map((i) => to[i]!) };
}

/**
 * Plays the server: a plain database with foreign keys on. What a write did is
 * found by comparing all rows before and after.
 */
export class Origin {
  readonly db = Database.open(sqlite, ":memory:");
  readonly key = Uint8Array.from({ length: 16 }, (_, i) => i + 1);
  schema: Schema;
  seq = 0;
  /** As of seq. */
  rows: Images;
  #open = true;

  constructor(ddl: string) {
    this.db.script(ddl);
    this.schema = inspect(this.db, new Map());
    this.db.run("PRAGMA foreign_keys = ON");
    this.rows = this.read();
    onTestFinished(() => this.close());
  }

  close(): void {
    if (this.#open) this.db.close();
    this.#open = false;
  }

  read(): Images {
    return readRows(this.db, this.schema);
  }

  sum(rows: Images = this.rows): bigint {
    const h = new Hasher(this.key);
    let sum = 0n;
    for (const [id, image] of rows) sum += h.row(tableByID(this.schema, tableOf(id))!, image);
    return BigInt.asUintN(64, sum);
  }

  /** Takes what was written since the last call as one accepted changeset. */
  commit(): Batch {
    const now = this.read();
    const changes = changesBetween(this.schema, this.rows, now);
    this.rows = now;
    this.seq++;
    return this.batch(this.seq - 1, changes);
  }

  batch(from: number, changes: Change[]): Batch {
    return {
      type: "batch",
      from,
      to: this.seq,
      term: "term",
      schema: this.schema.hash,
      sum: this.sum(),
      more: false,
      cursor: "",
      changes,
      raw: "",
      parts: [],
    };
  }

  /** Runs SQL and commits it. */
  do(sql: string): Batch {
    this.db.script(sql);
    return this.commit();
  }

  /** Runs DDL: what it alone does to the rows is no change. */
  alter(sql: string): void {
    this.db.script(sql);
    this.schema = inspect(this.db, tableIDs(this.schema));
    this.rows = this.read();
  }

  /** Gives columns of all tables policies; street and city are one group. */
  declare(policies: Readonly<Record<string, Policy>>, hash = "declared", table: Partial<Table["policy"]> = {}): void {
    const column = (c: Column): Column => ({
      ...c,
      policy: policies[c.name] ?? "",
      group: c.name === "street" || c.name === "city" ? "address" : "",
    });
    const tables = this.schema.tables.map((t) => ({
      ...t,
      columns: t.columns.map(column),
      policy: { ...t.policy, ...table },
    }));
    this.schema = { ...this.schema, hash, tables };
  }

  /** Applies a pushed changeset in one transaction. */
  judge(n: number, hash: Uint8Array, changes: readonly Change[]): { outcome: Outcome; batch: Batch | null } {
    try {
      this.db.transaction(() => {
        this.db.run("PRAGMA defer_foreign_keys = ON");
        for (const op of [DELETE, UPDATE, INSERT]) for (const c of changes) if (c.op === op) this.#write(c);
      });
    } catch (err) {
      const v = violation(err);
      if (!v) throw err;
      return {
        outcome: { ...outcomeOf(n, hash, "rejected", this.seq), code: v.code, message: v.message },
        batch: null,
      };
    }
    const batch = this.commit();
    return { outcome: outcomeOf(n, hash, "accepted", this.seq), batch };
  }

  #write(c: Change): void {
    const t = tableByID(this.schema, c.table)!;
    if (c.op === DELETE) remove(this.db, t, c.key);
    else if (c.op === UPDATE) update(this.db, t, c.key, c.columns, c.values);
    else {
      const there = get(this.db, t, c.key);
      if (!there || !sameRow(there.slice(0, c.values.length), c.values)) insert(this.db, t, c.values);
    }
  }

  /** A replica of the rows as they are. */
  clone(options: Partial<Options> = {}): Device {
    return new Device(this, options);
  }
}

function outcomeOf(n: number, hash: Uint8Array, kind: Outcome["kind"], seq: number): Outcome {
  const where = { table: "", key: null, columns: [], lost: [], over: [], renumbered: [] };
  return { replica: "r", n, hash, kind, seq, code: "", message: "", ...where };
}

/** A replica whose app writes on the same connection. */
export class Device {
  db: Database;
  r: Replica;
  now = 0;
  readonly #options: Options;
  #open = true;

  constructor(o: Origin, options: Partial<Options>) {
    this.#options = { rand: bytesFrom(7), ...options };
    this.db = copyOf(o.db);
    const parts = scoped(o.schema);
    // Where scopes are declared a copy has no rows at first.
    if (parts) for (const t of o.schema.tables) this.db.run(`DELETE FROM ${quote(t.name)}`);
    Replica.create(this.db, {
      server: "http://x",
      schema: encode(o.schema),
      state: {
        space: "s",
        incarnation: "inc",
        term: "term",
        head: o.seq,
        sum: parts ? 0n : o.sum(),
        digestKey: o.key,
      },
    });
    this.r = Replica.open(this.db, this.#options);
    onTestFinished(() => {
      if (this.#open) integrity(this.r);
      this.close();
    });
  }

  /** Ends it early, without looking at it. */
  close(): void {
    if (this.#open) this.db.close();
    this.#open = false;
  }

  /** Ends the connection and opens what the file holds. */
  crash(): void {
    const { exact } = this.r;
    const old = this.db;
    this.db = copyOf(old);
    old.close();
    this.r = Replica.open(this.db, this.#options);
    this.r.exact = exact;
  }

  /** Runs SQL in one transaction that nothing marks, as another program would. */
  write(sql: string): void {
    this.db.transaction(() => this.db.script(sql));
  }

  /** Runs SQL in one transaction as the app does it. */
  own(fn: () => void): void {
    begin(this.r);
    try {
      fn();
    } catch (err) {
      rollback(this.r);
      throw err;
    }
    commit(this.r, ++this.now);
  }

  seal(): number {
    return this.r.seal(++this.now);
  }

  /** Writes and seals: one pending changeset. */
  commit(sql: string): void {
    this.write(sql);
    expect(this.seal(), sql).toBe(1);
  }

  apply(b: Batch, ...outcomes: Outcome[]): Applied {
    return atOnce(this.r.apply(b, outcomes, ++this.now));
  }

  /** Expects that nothing is to be repaired. */
  applyWell(b: Batch, ...outcomes: Outcome[]): Applied {
    const a = this.apply(b, ...outcomes);
    expect(a.repair).toBe("");
    return a;
  }

  settle(...outcomes: Outcome[]): Applied {
    return atOnce(this.r.settle(outcomes, this.now));
  }

  pending(): Pending[] {
    return this.r.pending(true);
  }

  hash(n: number): Uint8Array {
    return loadPending(this.db, n)!.hash;
  }

  /** The server's no to a pending changeset. */
  rejection(n: number, seq: number, code: Code | AppCode = "forbidden"): Outcome {
    return { ...outcomeOf(n, this.hash(n), "rejected", seq), code, message: "no" };
  }

  acceptance(n: number, seq: number): Outcome {
    return outcomeOf(n, this.hash(n), "accepted", seq);
  }

  rows(): Images {
    return readRows(this.db, this.r.schema);
  }

  /** A query's first row. */
  get(sql: string): Value[] | null {
    return this.db.get(sql);
  }

  /** Compares what the file says is confirmed with what is. */
  checkBase(confirmed: Images): void {
    const want: Images = new Map();
    for (const p of this.pending()) {
      for (const c of p.changes!) {
        const t = synced(this.r.schema, c.table);
        if (t) for (const id of rowsOf(t, c)) want.set(id, confirmed.get(id) ?? null);
      }
    }
    const held: Images = new Map();
    for (const t of this.r.schema.tables) {
      for (const [key, image] of loadBase(this.db, t)) held.set(`${t.id}:${key}`, image);
    }
    expectRows(held, want);
  }
}

function copyOf(db: Database): Database {
  const copy = Database.open(sqlite, ":memory:");
  deserialize(copy, db.serialize());
  return copy;
}

/** Fails unless two sets of rows are the same to the bit. */
export function expectRows(got: Images, want: Images): void {
  const other = (id: RowID): boolean => !sameRow(got.get(id) ?? null, want.get(id) ?? null);
  const differ = inOrder(new Set([...got.keys(), ...want.keys()])).filter(other);
  const show = (rows: Images): unknown[] => differ.map((id) => [id, rows.get(id)]);
  expect(show(got)).toEqual(show(want));
  expect(differ).toEqual([]);
}

/** Gives a replica the schema that the origin has now. */
export function tellSchema(o: Origin, d: Device): Applied | null {
  return atOnce(d.r.saveSchema({ type: "schema", hash: o.schema.hash, body: encode(o.schema) }, 0));
}

export const people = `
CREATE TABLE person (id INTEGER PRIMARY KEY, name TEXT, mail TEXT UNIQUE);
CREATE TABLE pet (id INTEGER PRIMARY KEY, owner INTEGER REFERENCES person(id) ON DELETE CASCADE, name TEXT);
INSERT INTO person VALUES (1, 'Ann', 'a@x'), (2, 'Bob', 'b@x'), (3, 'Cy', NULL);
INSERT INTO pet VALUES (10, 1, 'Rex');
`;
