/**
 * Measures how fast a replica applies what the server sent, on a database in
 * memory: plain rows, a rebase of 1,000 pending changesets over 10,000 rows,
 * and outcomes one at a time. Build it with esbuild (--bundle --platform=node
 * --format=esm) and run it with node, or with node --cpu-prof.
 */
import { type Change, INSERT, type Outcome } from "../src/change.ts";
import { Hasher } from "../src/digest/digest.ts";
import { Database } from "../src/lite/database.ts";
import { loadSqlite } from "../src/lite/load.ts";
import { withColumns } from "../src/replica/incoming.ts";
import { loadPending } from "../src/replica/pending.ts";
import { Replica } from "../src/replica/replica.ts";
import { begin, commit } from "../src/replica/write.ts";
import { insert } from "../src/row/row.ts";
import type { Policy, Table } from "../src/schema.ts";
import type { Value } from "../src/value.ts";
import type { Batch } from "../src/wire/batch.ts";
import { appendChanges, decodeChanges } from "../src/wire/changes.ts";
import { encode, inspect } from "../test/inspect.ts";

const sqlite = await loadSqlite();
const ddl = "CREATE TABLE item (id INTEGER PRIMARY KEY, a TEXT, b INTEGER, c REAL, d TEXT)";
const key = Uint8Array.from({ length: 16 }, (_, i) => i);
const hasher = new Hasher(key);

function replicaOf(policies: Readonly<Record<string, Policy>> = {}): { r: Replica; t: Table } {
  const db = Database.open(sqlite, ":memory:");
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

function row(i: number): Value[] {
  return [BigInt(i), `some text of row ${i}`, BigInt(i * 7), i / 3, "more"];
}

function changes(t: Table, from: number, to: number, name: string): Change[] {
  const list: Change[] = [];
  for (let i = from; i < to; i++) {
    const values = row(i);
    values[4] = name;
    list.push({ table: t.id, op: INSERT, key: [values[0]!], columns: [], values, old: null, edits: null, madeAt: 0 });
  }
  return decodeChanges(appendChanges(list));
}

/** A batch at the replica's checkpoint; before are the rows that it replaces. */
function batch(r: Replica, t: Table, list: Change[], before: readonly Change[] = []): Batch {
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
  };
}

function apply(r: Replica, b: Batch, outcomes: Outcome[] = []): void {
  const a = r.apply(b, outcomes, 1);
  if (a.repair !== "" || a.suspended.length > 0) throw new Error(`${a.repair} ${a.suspended.length}`);
}

/** Makes n pending changesets of one row each. */
function pend(r: Replica, n: number): void {
  for (let i = 0; i < n; i++) {
    begin(r);
    r.db.run("UPDATE item SET b = 1 WHERE id = ?1", BigInt(i * 7));
    commit(r, 1);
  }
  r.seal(1);
}

/** Prints times in ms: by the clock, and of the processor, which others on the machine disturb less. */
function measure(name: string, rounds: number, prepare: () => () => void): void {
  const wall: number[] = [];
  const cpu: number[] = [];
  for (let i = 0; i < rounds; i++) {
    const run = prepare();
    const used = process.cpuUsage();
    const start = performance.now();
    run();
    wall.push(performance.now() - start);
    const { user, system } = process.cpuUsage(used);
    cpu.push((user + system) / 1000);
  }
  const show = (list: number[]): string => {
    list.sort((x, y) => x - y);
    return `median ${list[list.length >> 1]!.toFixed(1)}, best ${list[0]!.toFixed(1)}, worst ${list.at(-1)!.toFixed(1)}`;
  };
  console.log(`${name}\n  clock: ${show(wall)}\n  processor: ${show(cpu)}`);
}

const rounds = Number(process.env.ROUNDS ?? 9);
const only = process.env.ONLY ?? "";
const wanted = (name: string): boolean => name.includes(only);

if (wanted("plain inserts")) {
  measure("plain inserts of 10,000 rows", rounds, () => {
    const { r, t } = replicaOf();
    const list = changes(t, 0, 10_000, "x");
    return () => r.db.transaction(() => list.forEach((c) => void insert(r.db, t, c.values)));
  });
}

if (wanted("apply")) {
  measure("apply 10,000 new rows", rounds, () => {
    const { r, t } = replicaOf();
    const b = batch(r, t, changes(t, 0, 10_000, "x"));
    return () => apply(r, b);
  });
  measure("apply 10,000 changed rows", rounds, () => {
    const { r, t } = replicaOf();
    const before = changes(t, 0, 10_000, "x");
    apply(r, batch(r, t, before));
    const b = batch(r, t, changes(t, 0, 10_000, "y"), before);
    return () => apply(r, b);
  });
}

for (const [name, policies] of [
  ["rebase, last-write", {}],
  ["rebase, text and counter", { a: "text", b: "counter" }],
] as const) {
  if (!wanted(name)) continue;
  measure(`${name}: 1,000 pending over 10,000 rows`, rounds, () => {
    const { r, t } = replicaOf(policies);
    const before = changes(t, 0, 10_000, "x");
    apply(r, batch(r, t, before));
    pend(r, 1000);
    const b = batch(r, t, changes(t, 0, 10_000, "y"), before);
    return () => apply(r, b);
  });
}

if (wanted("settle")) {
  measure("settle 1,000 outcomes, one at a time", rounds, () => {
    const { r, t } = replicaOf();
    apply(r, batch(r, t, changes(t, 0, 7001, "x")));
    pend(r, 1000);
    const base = r.hello();
    let { sum } = base;
    const work: (() => void)[] = [];
    for (let n = 1; n <= 1000; n++) {
      const p = loadPending(r.db, n);
      if (!p) throw new Error(`changeset ${n} is not pending`);
      const own = p.decode();
      const before = row(Number(own[0]!.key[0]));
      before[4] = "x";
      sum = BigInt.asUintN(64, sum + hasher.row(t, withColumns(t, before, own[0]!)) - hasher.row(t, before));
      const b: Batch = { ...batch(r, t, own), from: base.seq + n - 1, to: base.seq + n, sum };
      const o: Outcome = {
        replica: "",
        n,
        hash: p.hash,
        kind: "accepted",
        seq: b.to,
        code: "",
        message: "",
        table: "",
        key: null,
        columns: [],
        lost: [],
        over: [],
        renumbered: [],
      };
      work.push(() => apply(r, b, [o]));
    }
    return () => work.forEach((fn) => void fn());
  });
}
