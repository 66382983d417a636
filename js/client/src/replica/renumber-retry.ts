import { type Change, DELETE, INSERT, UPDATE } from "../change.ts";
import { TidemarkError } from "../error.ts";
import { arrivalID, eachID, type Renaming, rename, renumbers } from "../ids/ids.ts";
import { parseKeyID } from "../key.ts";
import { quote } from "../lite/quote.ts";
import { get } from "../row/row.ts";
import { type Table, tableByID } from "../schema.ts";
import { sameRow } from "../value.ts";
import { idOf, inOrder, keyIDOf, type RowID, synced, tableOf, wellFormed } from "./base.ts";
import { type Rejected, rejected } from "./reject.ts";
import { arrival, idColumns } from "./renumber.ts";
import type { Replica } from "./replica.ts";
import { rewriteRejected } from "./retry.ts";

type Parts = readonly (readonly Change[])[];

/** The largest integer key. */
const last = 2n ** 63n - 1n;

/**
 * Gives rows that a rejected changeset inserts other ids where theirs are taken by
 * now, and follows with all references: in its parts, and in what was rejected
 * after it because it builds on these rows.
 */
export function renumberRetry(r: Replica, rej: Rejected, parts: Parts): Parts {
  const cols = idColumns(r);
  if (!cols.given) return parts;
  refuseOrphans(r, rej, parts.flat());
  const fresh = freshIDs(r, parts.flat());
  if (fresh.size === 0) return parts;
  const to: Renaming = (of, id) => fresh.get(idOf(of, [id])) ?? null;
  renameRejected(r, rej.id, to);
  return parts.map((part) => rename(cols, [...part], to));
}

/** Finds other ids for rows whose own are taken. */
function freshIDs(r: Replica, changes: readonly Change[]): Map<RowID, bigint> {
  const arriving = new Set<RowID>();
  const leaving = new Set<RowID>();
  for (const c of changes) {
    const t = synced(r.schema, c.table);
    if (!t || !renumbers(t) || !wellFormed(t, c)) continue;
    const row = arrival(r.schema, c);
    if (row) arriving.add(row.id);
    if (c.op === DELETE || (c.op === UPDATE && row)) leaving.add(idOf(t, c.key));
  }
  const fresh = new Map<RowID, bigint>();
  const next = new Map<number, bigint>();
  for (const id of inOrder(arriving)) {
    const t = tableByID(r.schema, tableOf(id));
    if (t && !leaving.has(id) && takenByAnother(r, t, id, changes)) fresh.set(id, freeID(r, t, arriving, next));
  }
  return fresh;
}

/** Whether a row is there that is not the very one that the changes insert. */
function takenByAnother(r: Replica, t: Table, id: RowID, changes: readonly Change[]): boolean {
  const there = get(r.db, t, parseKeyID(keyIDOf(id)));
  if (!there) return false;
  const own = (c: Change): boolean => c.table === t.id && c.op === INSERT && idOf(t, c.key) === id;
  return !changes.some((c) => own(c) && sameRow(there.slice(0, c.values.length), c.values));
}

/** An id above all that the table has or had. */
function freeID(r: Replica, t: Table, arriving: ReadonlySet<RowID>, next: Map<number, bigint>): bigint {
  let id = next.get(t.id) ?? above(r, t, arriving.size);
  while (arriving.has(idOf(t, [id]))) id++;
  next.set(t.id, id + 1n);
  return id;
}

function above(r: Replica, t: Table, room: number): bigint {
  const key = quote(t.columns[t.key[0]!]!.name);
  const counted = "SELECT max(seq) FROM main.sqlite_sequence WHERE name = ?1 COLLATE NOCASE";
  const tops = [
    r.db.get(`SELECT max(${key}) FROM main.${quote(t.name)}`)?.[0],
    t.autoincrement ? r.db.get(counted, t.name)?.[0] : null,
  ];
  let top = 0n;
  for (const n of tops) if (typeof n === "bigint" && n > top) top = n;
  if (top <= last - BigInt(room) - 2n) return top + 1n;
  throw new TidemarkError("unique", `no integer key is free above those of ${t.name}`, {
    table: t.name,
    hint: "give the row with the highest key a lower one, then retry",
  });
}

/**
 * Makes sure that a changeset which builds on a row of another rejected one is not
 * put on the row that has that key by now.
 */
function refuseOrphans(r: Replica, rej: Rejected, changes: readonly Change[]): void {
  const brought = new Set(changes.flatMap((c) => arrival(r.schema, c)?.id ?? []));
  const lost = new Map<RowID, number>();
  for (const earlier of rejected(r)) {
    if (earlier.id >= rej.id) continue;
    for (const c of earlier.changes) {
      const row = arrival(r.schema, c);
      if (row && !brought.has(row.id)) lost.set(row.id, earlier.id);
    }
  }
  for (const c of changes) {
    eachID(idColumns(r), c, (of, number) => {
      const record = lost.get(idOf(of, [number]));
      if (record === undefined || !get(r.db, of, [number])) return;
      const what = `it builds on ${of.name} ${number} of rejected changeset ${record}`;
      throw new TidemarkError("depends_on", `${what}, and the row of that number that is there is another one`, {
        table: of.name,
        key: [number],
        hint: `retry ${record} first; or discard it, and this one is put on the row that is there`,
      });
    });
  }
}

/** Lets the records behind one follow the rows that it gave other ids. */
function renameRejected(r: Replica, behind: number, to: Renaming): void {
  for (const { id, changes } of rejected(r)) {
    if (id <= behind) continue;
    const own: Renaming = (of, number) => (bringsID(of, number, changes) ? null : to(of, number));
    const out = rename(idColumns(r), [...changes], own);
    if (out.some((c, i) => c !== changes[i])) rewriteRejected(r, id, out);
  }
}

/** Whether changes bring a row of that id themselves. */
function bringsID(of: Table, id: bigint, changes: readonly Change[]): boolean {
  return changes.some((c) => c.table === of.id && arrivalID(of, c) === id);
}
