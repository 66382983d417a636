/**
 * What measures of applying need: a replica, rows, batches at its checkpoint,
 * and changesets that wait.
 */
import { type Change, INSERT, type Outcome } from "../src/change.ts";
import { Hasher } from "../src/digest/digest.ts";
import type { Database } from "../src/lite/database.ts";
import { atOnce } from "../src/lite/work.ts";
import { Replica } from "../src/replica/replica.ts";
import { begin, commit } from "../src/replica/write.ts";
import type { Policy, Table } from "../src/schema.ts";
import type { Value } from "../src/value.ts";
import type { Batch } from "../src/wire/batch.ts";
import { appendChanges, decodeChanges } from "../src/wire/changes.ts";
import { encode, inspect } from "../test/inspect.ts";

const ddl = "CREATE TABLE item (id INTEGER PRIMARY KEY, a TEXT, b INTEGER, c REAL, d TEXT)";
const key = Uint8Array.from({ length: 16 }, (_, i) => i);
export const hasher = new Hasher(key);

/** Makes a replica of one empty table. */
export function replicaIn(db: Database, policies: Readonly<Record<string, Policy>> = {}): { r: Replica; t: Table } {
  db.script(ddl);
  const schema = inspect(db, new Map());
  const tables = schema.tables.map((t) => ({
    ...t,
    columns: t.columns.map((c) => ({ ...c, policy: policies[c.name] ?? "" }) as const),
  }));
  const state = { space: "s", incarnation: "i", term: "t", head: 0, sum: 0n, digestKey: key };
  Replica.create(db, { server: "", schema: encode({ ...schema, tables }), state });
  let n = 0;
  const r = Replica.open(db, { rand: (size) => new Uint8Array(size).fill(n++) });
  return { r, t: r.schema.tables[0]! };
}

export function row(i: number): Value[] {
  return [BigInt(i), `some text of row ${i}`, BigInt(i * 7), i / 3, "more"];
}

export function changes(t: Table, from: number, to: number, name: string): Change[] {
  const list: Change[] = [];
  for (let i = from; i < to; i++) {
    const values = row(i);
    values[4] = name;
    list.push({ table: t.id, op: INSERT, key: [values[0]!], columns: [], values, old: null, edits: null, madeAt: 0 });
  }
  return decodeChanges(appendChanges(list));
}

/** A batch at the replica's checkpoint; before are the rows that it replaces. */
export function batch(r: Replica, t: Table, list: Change[], before: readonly Change[] = []): Batch {
  const { seq, sum } = r.hello();
  let to = sum;
  for (const c of list) to += hasher.row(t, c.values);
  for (const c of before) to -= hasher.row(t, c.values);
  return {
    type: "batch",
    from: seq,
    to: seq + 1,
    term: "t",
    schema: r.server.hash,
    sum: BigInt.asUintN(64, to),
    more: false,
    cursor: "",
    changes: list,
    raw: "",
    parts: [],
  };
}

export function apply(r: Replica, b: Batch, outcomes: Outcome[] = []): void {
  const a = atOnce(r.apply(b, outcomes, 1));
  if (a.repair !== "" || a.suspended.length > 0) throw new Error(`${a.repair} ${a.suspended.length}`);
}

/** Makes n pending changesets of one row each. */
export function pend(r: Replica, n: number): void {
  for (let i = 0; i < n; i++) {
    begin(r);
    r.db.run("UPDATE item SET b = 1 WHERE id = ?1", BigInt(i * 7));
    commit(r, 1);
  }
  r.seal(1);
}

/** Brings a replica to where a rebase of 1,000 pending changesets over 10,000 rows begins, and returns what does it. */
export function rebaseIn(db: Database, policies: Readonly<Record<string, Policy>> = {}): () => void {
  const { r, t } = replicaIn(db, policies);
  const before = changes(t, 0, 10_000, "x");
  apply(r, batch(r, t, before));
  pend(r, 1000);
  const b = batch(r, t, changes(t, 0, 10_000, "y"), before);
  return () => apply(r, b);
}
