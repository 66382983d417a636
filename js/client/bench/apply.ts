/**
 * Measures how fast a replica applies what the server sent, on a database in
 * memory: plain rows, a rebase of 1,000 pending changesets over 10,000 rows,
 * and outcomes one at a time. Build it with esbuild (--bundle --platform=node
 * --format=esm) and run it with node, or with node --cpu-prof.
 */
import type { Outcome } from "../src/change.ts";
import { Database } from "../src/lite/database.ts";
import { loadSqlite } from "../src/lite/load.ts";
import { withColumns } from "../src/replica/incoming.ts";
import { loadPending } from "../src/replica/pending.ts";
import { insert } from "../src/row/row.ts";
import type { Batch } from "../src/wire/batch.ts";
import { apply, batch, changes, hasher, pend, rebaseIn, replicaIn, row } from "./fixture.ts";

const sqlite = await loadSqlite();
const memory = (): Database => Database.open(sqlite, ":memory:");

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
    const { r, t } = replicaIn(memory());
    const list = changes(t, 0, 10_000, "x");
    return () => r.db.transaction(() => list.forEach((c) => void insert(r.db, t, c.values)));
  });
}

if (wanted("apply")) {
  measure("apply 10,000 new rows", rounds, () => {
    const { r, t } = replicaIn(memory());
    const b = batch(r, t, changes(t, 0, 10_000, "x"));
    return () => apply(r, b);
  });
  measure("apply 10,000 changed rows", rounds, () => {
    const { r, t } = replicaIn(memory());
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
  measure(`${name}: 1,000 pending over 10,000 rows`, rounds, () => rebaseIn(memory(), policies));
}

if (wanted("settle")) {
  measure("settle 1,000 outcomes, one at a time", rounds, () => {
    const { r, t } = replicaIn(memory());
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
