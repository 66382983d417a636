import { type Change, DELETE, FORGET, INSERT, UPDATE } from "../change.ts";
import { each, type Work } from "../lite/work.ts";
import { keyOf, scoped, type Table } from "../schema.ts";
import { type Row, same, sameRow } from "../value.ts";
import type { Piece } from "./attempt.ts";
import { type Images, idOf, inOrder, type RowID, rowArgs } from "./base.ts";
import { confirmed, syncing } from "./repair.ts";
import type { Replica } from "./replica.ts";
import type { RangeRows } from "./verify.ts";

/** What differs between a copy and the server's rows. */
export interface Differences {
  /** Rows that differ. */
  n: number;
  /** Makes the replica's rows the server's. */
  readonly theirs: Piece[];
  /** Makes rows, though not in which scopes they are, what they were. */
  readonly mine: Change[];
}

/** Compares a range. */
export function* find(r: Replica, d: Differences, p: RangeRows): Work<void> {
  const t = syncing(r, p.table);
  const scopes = new Map<RowID, readonly string[]>();
  const here: Images = new Map();
  const there: Images = new Map();
  yield* confirmed(r, t, p.after, p.upto, (key, image) => here.set(idOf(t, key), image));
  for (const [i, image] of p.rows.entries()) {
    const id = idOf(t, keyOf(t, image));
    there.set(id, image);
    scopes.set(id, p.scopes[i] ?? []);
  }
  yield* each(inOrder(new Set([...here.keys(), ...there.keys()])), (id) =>
    differ(r, d, t, id, here.get(id) ?? null, there.get(id) ?? null, scopes.get(id) ?? []),
  );
}

function differ(
  r: Replica,
  d: Differences,
  t: Table,
  id: RowID,
  here: Row | null,
  there: Row | null,
  scopes: readonly string[],
): void {
  const same = sameRow(here, there);
  const was = there ? scopesOf(r, id) : [];
  if (same && was.length === scopes.length && was.every((s) => scopes.includes(s))) return;
  d.n++;
  if (!same) d.mine.push(stepTo(t, there, here));
  // Each row is a message of its own, so that all of its words count.
  const add = (scope: string, c: Change): void => void d.theirs.push({ scope, message: d.n, changes: [c] });
  if (!scoped(r.server) || !there) {
    add("", stepTo(t, here, there));
    return;
  }
  const put = stepTo(t, null, there);
  const forget: Change = { ...put, op: FORGET, values: [] };
  for (const s of scopes) add(s, put);
  for (const s of was) if (!scopes.includes(s)) add(s, forget);
}

/** The names of the scopes that a row is in. */
function scopesOf(r: Replica, id: RowID): string[] {
  const names: string[] = [];
  const query = `SELECT s.name FROM main._tm_member m JOIN main._tm_scope s ON s.i = m.s
    WHERE m.t = ?1 AND m.key = ?2 ORDER BY s.name`;
  if (scoped(r.server)) r.db.each(query, (s) => names.push(s.text(0)), ...rowArgs(id));
  return names;
}

/** The change that makes one image the other; one of the two is a row. */
function stepTo(t: Table, from: Row | null, to: Row | null): Change {
  const change = { table: t.id, columns: [], values: [], old: null, edits: null, madeAt: 0 };
  if (!to) return { ...change, op: DELETE, key: keyOf(t, from ?? []) };
  if (!from) return { ...change, op: INSERT, key: keyOf(t, to), values: [...to] };
  const columns = to.flatMap((v, i) => (same(v, from[i] ?? null) ? [] : [i]));
  return { ...change, op: UPDATE, key: keyOf(t, from), columns, values: columns.map((c) => to[c]!) };
}
