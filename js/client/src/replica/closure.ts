import { each, type Work } from "../lite/work.ts";
import { type Attempt, narrow, WHOLE } from "./attempt.ts";
import { forgets, idOf, inOrder, type RowID, rowArgs, rowID, synced, tableOf, wellFormed } from "./base.ts";

/** The pending changesets to be undone, in order, and their rows. */
export function* concerned(a: Attempt): Work<{ ns: number[]; ids: RowID[] }> {
  if (a.way === WHOLE) return { ns: allPending(a), ids: allBase(a) };
  const { ns, rows } = closure(a, yield* seed(a));
  const ids = inOrder(rows);
  if (ids.some((id) => a.suspended.has(tableOf(id)))) narrow(a, WHOLE, "a suspended changeset may depend on it");
  return { ns, ids };
}

/** The numbers of all pending changesets, in order. */
export function allPending(a: Attempt): number[] {
  const ns: number[] = [];
  a.db.each("SELECT n FROM main._tm_pending ORDER BY n", (s) => ns.push(s.int(0)));
  return ns;
}

function allBase(a: Attempt): RowID[] {
  const ids: RowID[] = [];
  a.db.each("SELECT t, key FROM main._tm_base ORDER BY t, key", (s) => ids.push(rowID(s.int(0), s.blob(1))));
  return ids;
}

/** The rows with pending that the job names. */
function* seed(a: Attempt): Work<Set<RowID>> {
  const rows = new Set<RowID>(a.renamed);
  for (const { p } of a.settle) for (const id of rowsOfPending(a, p.n)) rows.add(id);
  for (const id of a.job.leave) if (a.pending.has(tableOf(id)) && a.held.has(id)) rows.add(id);
  for (const { changes } of a.job.changes()) {
    yield* each(changes, (c) => {
      if (!a.pending.has(c.table)) return;
      const t = synced(a.r.schema, c.table);
      if (!t || !(wellFormed(t, c) || forgets(t, c))) return;
      const id = idOf(t, c.key);
      if (a.held.has(id)) rows.add(id);
    });
  }
  return rows;
}

/** The rows that a pending changeset touches. */
export function rowsOfPending(a: Attempt, n: number): RowID[] {
  const ids: RowID[] = [];
  const query = "SELECT t, key FROM main._tm_pending_row WHERE n = ?1";
  a.db.each(query, (s) => ids.push(rowID(s.int(0), s.blob(1))), BigInt(n));
  return ids;
}

/**
 * Follows rows to pending changesets and these to their rows, until nothing
 * new is found.
 */
function closure(a: Attempt, rows: Set<RowID>): { ns: number[]; rows: Set<RowID> } {
  const seen = new Set<number>();
  const todo = [...rows];
  for (let id = todo.pop(); id !== undefined; id = todo.pop()) {
    for (const n of pendingOf(a, id)) {
      if (seen.has(n)) continue;
      seen.add(n);
      for (const next of rowsOfPending(a, n)) {
        if (rows.has(next)) continue;
        rows.add(next);
        todo.push(next);
      }
    }
  }
  return { ns: [...seen].sort((x, y) => x - y), rows };
}

/** The numbers of the pending changesets that touch a row, in order. */
export function pendingOf(a: Attempt, id: RowID): number[] {
  const ns: number[] = [];
  a.db.each("SELECT n FROM main._tm_pending_row WHERE t = ?1 AND key = ?2", (s) => ns.push(s.int(0)), ...rowArgs(id));
  return ns;
}
