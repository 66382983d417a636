import { type Change, DELETE, INSERT } from "../change.ts";
import type { Database } from "../lite/database.ts";
import { get } from "../row/row.ts";
import { scoped } from "../schema.ts";
import { type Attempt, readRow } from "./attempt.ts";
import { idOf, keyAfter, type RowID, rowArgs, synced, wellFormed } from "./base.ts";
import { Misfit } from "./misfit.ts";
import type { PendingRecord } from "./pending.ts";
import { unfold } from "./renumber.ts";

/** Notes that a row left which pending touches. */
export function lose(db: Database, id: RowID): void {
  db.run("INSERT OR IGNORE INTO main._tm_lost (t, key) VALUES (?1, ?2)", ...rowArgs(id));
}

/**
 * Marks rows that accepted changesets brought and that are not here now: they are
 * in no scope of this copy, and what is pending on them is going to be refused.
 */
export function loseArrivals(a: Attempt): void {
  if (!scoped(a.r.server)) return;
  for (const { p, o } of a.settle) {
    if (o.kind !== "rejected") for (const c of unfold(a.r, p)) loseArrival(a, c);
  }
  a.db.run(`DELETE FROM main._tm_lost WHERE NOT EXISTS (SELECT 1 FROM main._tm_pending_row p
    WHERE p.t = _tm_lost.t AND p.key = _tm_lost.key)`);
}

function loseArrival(a: Attempt, c: Change): void {
  const t = synced(a.r.schema, c.table);
  if (!t || c.op === DELETE) return;
  const key = keyAfter(t, c);
  const to = idOf(t, key);
  if ((c.op !== INSERT && to === idOf(t, c.key)) || a.died.has(to) || readRow(a, t, to)) return;
  a.left.set(to, key);
  lose(a.db, to);
}

/**
 * Finds out whether a changeset changes a row that left this copy: the server
 * does not take that from who may not see it.
 */
export function forbidden(a: Attempt, p: PendingRecord): Misfit | null {
  if (!scoped(a.r.server)) return null;
  const query = "SELECT EXISTS (SELECT 1 FROM main._tm_lost WHERE t = ?1 AND key = ?2)";
  for (const c of p.changes ?? []) {
    const t = synced(a.r.schema, c.table);
    if (!t || c.op === INSERT || !wellFormed(t, c)) continue;
    const row = idOf(t, c.key);
    if (a.db.int(query, ...rowArgs(row)) === 0 || get(a.db, t, c.key)) continue;
    const message = "the row is in no scope of this copy any more";
    return new Misfit({ code: "forbidden", message, table: t.name, key: c.key, row });
  }
  return null;
}
