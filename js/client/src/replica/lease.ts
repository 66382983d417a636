import type { Table } from "../schema.ts";
import type { Lease, Leases } from "../wire/leases.ts";
import { synced } from "./base.ts";
import { guarded } from "./connection.ts";
import type { Replica } from "./replica.ts";
import { transaction } from "./transaction.ts";

/**
 * Takes over the blocks of ids that the server gave this replica, in place of those
 * that it had, and lets each AUTOINCREMENT table go on in its block.
 */
export function lease(r: Replica, m: Leases, now: number): void {
  const list = [...m.list].sort((a, b) => a.table - b.table);
  const held = guarded("lease", () => leases(r));
  const same = (a: Lease, b: Lease | undefined): boolean =>
    a.table === b?.table && a.first === b.first && a.last === b.last;
  if (held.length === list.length && held.every((l, i) => same(l, list[i]))) return; // over plain HTTP each answer tells them anew
  transaction(r, "lease", now, () => {
    r.db.run("DELETE FROM main._tm_lease");
    for (const l of list) {
      r.db.run(
        "INSERT OR REPLACE INTO main._tm_lease (t, first, last) VALUES (?1, ?2, ?3)",
        BigInt(l.table),
        l.first,
        l.last,
      );
    }
    countInBlocks(r);
  });
}

/** The blocks that this replica holds, by table. */
function leases(r: Replica): Lease[] {
  const list: Lease[] = [];
  r.db.each("SELECT t, first, last FROM main._tm_lease ORDER BY t", (s) => {
    const [first, last] = s.row(1);
    if (typeof first === "bigint" && typeof last === "bigint") list.push({ table: s.int(0), first, last });
  });
  return list;
}

/**
 * Moves SQLite's counters up to where the blocks begin. One that is beyond its
 * block stays: the ids up to there were used, and the server gives another block
 * when it hears of them.
 */
export function countInBlocks(r: Replica): void {
  for (const l of leases(r)) {
    const t = synced(r.schema, l.table);
    if (t?.autoincrement) countFrom(r, t, l.first - 1n);
  }
}

function countFrom(r: Replica, t: Table, last: bigint): void {
  const counted = r.db.get("SELECT max(seq) FROM main.sqlite_sequence WHERE name = ?1 COLLATE NOCASE", t.name)?.[0];
  if (typeof counted === "bigint" && counted >= last) return;
  // The counter has no key: there may be none, or, where somebody wrote it, several.
  r.db.run("DELETE FROM main.sqlite_sequence WHERE name = ?1 COLLATE NOCASE", t.name);
  r.db.run(
    `INSERT INTO main.sqlite_sequence (name, seq)
      VALUES ((SELECT name FROM main.sqlite_master WHERE type = 'table' AND name = ?1 COLLATE NOCASE), ?2)`,
    t.name,
    last,
  );
}
