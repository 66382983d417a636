import { type Change, DELETE, type Renumbered, type Seq, UPDATE } from "../change.ts";
import { type Columns, columnsOf, eachID, rename, renumbers } from "../ids/ids.ts";
import { quote } from "../lite/quote.ts";
import { place, type Schema, type Table, tableNamed } from "../schema.ts";
import type { Value } from "../value.ts";
import { appendChanges } from "../wire/changes.ts";
import { valuesOf } from "./apart.ts";
import { type Attempt, CONNECTED, narrow, readRow } from "./attempt.ts";
import {
  idOf,
  inOrder,
  keepBase,
  keyAfter,
  type RowID,
  rowArgs,
  rowID,
  rowsOf,
  synced,
  tableOf,
  wellFormed,
} from "./base.ts";
import { allPending, pendingOf, rowsOfPending } from "./closure.ts";
import { Misfit } from "./misfit.ts";
import { indexPending, loadPending, type PendingRecord } from "./pending.ts";
import type { Replica } from "./replica.ts";

/** Finds the columns that hold ids, once for each schema. */
export function idColumns(r: Replica): Columns {
  if (!r.ids || r.idsOf !== r.schema) {
    r.ids = columnsOf(r.schema);
    r.idsOf = r.schema;
  }
  return r.ids;
}

/**
 * Decodes a pending changeset. Its body and its view call rows as their author did;
 * changes call them by the ids that they have now. One changeset may mention one
 * number for two rows, of which the first became what the author called the second:
 * so ids are never written over where they are kept.
 */
export function unfold(r: Replica, p: PendingRecord): Change[] {
  p.changes ??= renamed(r, p.decode(), p.n, p.seen);
  return p.changes;
}

/** Reads one pending changeset and decodes it, or null. */
export function unfolded(r: Replica, n: number): PendingRecord | null {
  const p = loadPending(r.db, n);
  if (p) unfold(r, p);
  return p;
}

/**
 * Calls the rows in the changes of changeset n, made at seen, by the ids that they
 * have now; the same list where none has another. What a later changeset inserted
 * under an id is none of its rows.
 */
export function renamed(r: Replica, changes: Change[], n: number, seen: Seq): Change[] {
  if (r.db.int("SELECT EXISTS (SELECT 1 FROM main._tm_renumbered)") === 0) return changes;
  const sql =
    "SELECT new FROM main._tm_renumbered WHERE t = ?1 AND old = ?2 AND before > ?3 AND n <= ?4 ORDER BY pos DESC LIMIT 1";
  return rename(idColumns(r), changes, (of, id) => {
    const to = r.db.get(sql, BigInt(of.id), id, BigInt(seen), BigInt(n))?.[0];
    return typeof to === "bigint" ? to : null;
  });
}

/**
 * The body of a changeset that leaves pending without an outcome that holds: there
 * is nothing any more that says what its ids meant.
 */
export function named(r: Replica, p: PendingRecord): Uint8Array {
  const made = p.made();
  const changes = renamed(r, made, p.n, p.seen);
  return changes === made ? p.body : appendChanges(changes);
}

/**
 * Follows outcomes that gave rows other ids. It comes before anything is laid back:
 * from then on pending changesets touch the rows by their new ids, as if they
 * always had.
 */
export function renumber(a: Attempt): void {
  const list = a.settle.flatMap(({ o }) => o.renumbered);
  if (list.length === 0) return;
  narrow(a, CONNECTED, "rows got other ids");
  for (const { p, o } of a.settle) for (const row of o.renumbered) saveRenumbered(a, row, p.n);
  renamePending(a, list);
  renameUnsynced(a, list);
}

/** Drops what concerns no pending changeset any more. */
export function forgetRenumbered(a: Attempt): void {
  if (a.settle.length === 0) return;
  a.db.run(
    "DELETE FROM main._tm_renumbered WHERE before <= coalesce((SELECT min(seen) FROM main._tm_pending), before)",
  );
}

function saveRenumbered(a: Attempt, row: Renumbered, n: number): void {
  const t = tableNamed(a.r.schema, row.table);
  if (!t) return;
  a.tables.add(t.id);
  const sql = "INSERT INTO main._tm_renumbered (t, old, new, before, n) VALUES (?1, ?2, ?3, ?4, ?5)";
  a.db.run(sql, BigInt(t.id), row.from, row.to, BigInt(row.before), BigInt(n));
}

/**
 * Enters the pending changesets that mention renumbered rows under the new ids.
 * Those that settle now are among them.
 */
function renamePending(a: Attempt, list: readonly Renumbered[]): void {
  const before = new Map<RowID, Seq>();
  for (const row of list) {
    const t = tableNamed(a.r.schema, row.table);
    if (!t) continue;
    const id = idOf(t, [row.from]);
    before.set(id, Math.max(before.get(id) ?? 0, row.before));
  }
  for (const n of allPending(a)) {
    const p = loadPending(a.db, n);
    let concerned = false;
    for (const c of p?.decode() ?? []) {
      eachID(idColumns(a.r), c, (of, id) => {
        concerned ||= p!.seen < (before.get(idOf(of, [id])) ?? 0);
      });
    }
    if (concerned) reindex(a, n);
  }
}

/**
 * Notes anew which rows a pending changeset touches. What the tables show of a row
 * that nothing pending touched before is confirmed.
 */
function reindex(a: Attempt, n: number): void {
  for (const id of rowsOfPending(a, n)) a.renamed.add(id);
  const p = unfolded(a.r, n);
  if (!p) return;
  renameTexts(a, p);
  a.db.run("DELETE FROM main._tm_pending_row WHERE n = ?1", BigInt(n));
  indexPending(a.r, n, p.changes ?? []);
  for (const id of inOrder(rowsOfPending(a, n))) {
    a.renamed.add(id);
    const t = synced(a.r.schema, tableOf(id));
    if (t) keepBase(a.db, id, readRow(a, t, id));
  }
}

/** Lets what is noted of text cells follow their rows. */
function renameTexts(a: Attempt, p: PendingRecord): void {
  const was: [id: RowID, col: number, moved: number][] = [];
  const notes = "SELECT t, key, col, moved FROM main._tm_text WHERE n = ?1";
  a.db.each(notes, (s) => was.push([rowID(s.int(0), s.blob(1)), s.int(2), s.int(3)]), BigInt(p.n));
  if (was.length === 0) return;
  const to = new Map<RowID, RowID>();
  p.raw?.forEach((c, i) => {
    const t = synced(a.r.schema, c.table);
    const now = p.changes?.[i];
    if (t && now) to.set(idOf(t, keyAfter(t, c)), idOf(t, keyAfter(t, now)));
  });
  a.db.run("DELETE FROM main._tm_text WHERE n = ?1", BigInt(p.n));
  const sql = "INSERT OR REPLACE INTO main._tm_text (t, key, col, n, moved) VALUES (?1, ?2, ?3, ?4, ?5)";
  for (const [id, col, moved] of was)
    a.db.run(sql, ...rowArgs(to.get(id) ?? id), BigInt(col), BigInt(p.n), BigInt(moved));
}

/**
 * Lets rows of tables that do not sync follow the rows that they refer to. The
 * newest id goes first: an earlier row may have got the number that a later one
 * lost.
 */
function renameUnsynced(a: Attempt, list: readonly Renumbered[]): void {
  const refs = unsyncedReferences(a);
  for (const row of [...list].reverse()) {
    for (const { table, column, parent } of refs) {
      if (tableNamed(a.r.schema, row.table)?.id !== parent.id) continue;
      const sql = `UPDATE main.${quote(table)} SET ${quote(column)} = ?1 WHERE ${quote(column)} = ?2`;
      try {
        a.db.savepoint("follow", () => a.db.run(sql, row.to, row.from));
      } catch (err) {
        const why = err instanceof Error ? err.message : err;
        a.out.skipped.push(`references of ${table} to ${row.table} ${row.from}, which is ${row.to} now: ${why}`);
      }
    }
  }
}

/** A column of a table beside the synced ones that refers to the integer key of one. */
interface UnsyncedReference {
  readonly table: string;
  readonly column: string;
  readonly parent: Table;
}

function unsyncedReferences(a: Attempt): UnsyncedReference[] {
  const { schema } = a.r;
  const names: string[] = [];
  a.db.each(
    `SELECT name FROM main.sqlite_master WHERE type = 'table' AND sql NOT LIKE 'CREATE VIRTUAL%'
      AND substr(name, 1, 4) <> '_tm_' AND substr(name, 1, 7) <> 'sqlite_'`,
    (s) => names.push(s.text(0)),
  );
  const list: UnsyncedReference[] = [];
  for (const table of names) {
    if (tableNamed(schema, table)?.out === "") continue;
    const keys = `SELECT "from", "table", "to" FROM pragma_foreign_key_list(?1, 'main')`;
    const read = (column: string, to: string | null, parent: Table | null): void => {
      if (parent?.out !== "" || !parent.rowidAlias || (to !== null && place(parent, to) !== parent.key[0])) return;
      list.push({ table, column, parent });
    };
    a.db.each(keys, (s) => read(s.text(0), s.isNull(2) ? null : s.text(2), tableNamed(schema, s.text(1))), table);
  }
  return list;
}

/**
 * Finds out whether a changeset speaks of a row that a suspended one would have
 * brought, where another row has its key by now: it must not be put on top of that
 * one. What was made when that row was here already means it.
 */
export function built(a: Attempt, p: PendingRecord): Misfit | null {
  if (a.down.arrived.size === 0) return null;
  for (const c of p.changes ?? []) {
    const t = synced(a.r.schema, c.table);
    if (!t || !wellFormed(t, c)) continue;
    const id = [...rowsOf(t, c), ...parents(a, t, c)].find((row) => meansFallen(a, p, row));
    if (id === undefined) continue;
    const message = "it builds on a row whose key another row has";
    return new Misfit({ code: "depends_on", message, table: t.name, key: c.key, on: a.down.touched.get(id) ?? 0 });
  }
  return null;
}

/**
 * Finds out whether a later changeset brings a row under the number of one that a
 * suspended changeset would bring: nobody could see that it was given away. Were
 * the first shown again, what is made then would be taken for the second one's by
 * the server; so it waits for its outcome.
 */
export function numberGone(a: Attempt, p: PendingRecord): Misfit | null {
  if (!p.suspended) return null;
  for (const c of p.changes ?? []) {
    const row = arrival(a.r.schema, c);
    if (!row || !pendingOf(a, row.id).some((n) => n > p.n && brings(a, n, row.id))) continue;
    return new Misfit({
      code: "unique",
      message: "a later changeset took the key",
      table: row.t.name,
      key: keyAfter(row.t, c),
    });
  }
  return null;
}

function brings(a: Attempt, n: number, id: RowID): boolean {
  return unfolded(a.r, n)?.changes?.some((c) => arrival(a.r.schema, c)?.id === id) ?? false;
}

function meansFallen(a: Attempt, p: PendingRecord, id: RowID): boolean {
  const t = synced(a.r.schema, tableOf(id));
  if (!a.down.arrived.has(id) || !t || !renumbers(t)) return false;
  const sql = "SELECT seq FROM main._tm_taken WHERE t = ?1 AND key = ?2 AND n < ?3 ORDER BY n DESC LIMIT 1";
  const since = a.db.get(sql, ...rowArgs(id), BigInt(p.n))?.[0];
  return !(typeof since === "bigint" && p.seen >= since) && readRow(a, t, id) !== null;
}

/** Remembers since when other rows are where a suspended changeset would have put its own. */
export function noteTaken(a: Attempt, p: PendingRecord): void {
  const sql = "INSERT OR IGNORE INTO main._tm_taken (t, key, n, seq) VALUES (?1, ?2, ?3, ?4)";
  for (const c of p.changes ?? []) {
    const row = arrival(a.r.schema, c);
    if (row && readRow(a, row.t, row.id)) a.db.run(sql, ...rowArgs(row.id), BigInt(p.n), BigInt(a.job.seq));
  }
}

/** The row that a change brings to a table that renumbers, or null. */
export function arrival(s: Schema, c: Change): { readonly id: RowID; readonly t: Table } | null {
  const t = synced(s, c.table);
  if (!t || !renumbers(t) || c.op === DELETE || !wellFormed(t, c)) return null;
  const [from = "", to] = rowsOf(t, c);
  return c.op === UPDATE && to === undefined ? null : { id: to ?? from, t };
}

/** The rows that a change lets its row refer to by their keys. */
function parents(a: Attempt, t: Table, c: Change): RowID[] {
  if (c.op === DELETE) return [];
  return (a.r.refs.from.get(t.id) ?? []).flatMap((ref) => {
    const values = ref.to.length === ref.parent.key.length ? valuesOf(t, c, ref.cols) : null;
    const key = ref.parent.key.flatMap((col): Value[] =>
      values && ref.to.includes(col) ? [values[ref.to.indexOf(col)]!] : [],
    );
    return key.length === ref.to.length ? [idOf(ref.parent, key)] : [];
  });
}

/**
 * Notes that a changeset's rows of tables that renumber are there: what comes
 * behind it does not mean those that a suspended one would have brought.
 */
export function stand(a: Attempt, p: PendingRecord): void {
  for (const c of p.changes ?? []) {
    if (a.down.arrived.size === 0) break;
    const row = arrival(a.r.schema, c);
    if (row) a.down.arrived.delete(row.id);
  }
  if (p.suspended) a.db.run("DELETE FROM main._tm_taken WHERE n = ?1", BigInt(p.n));
}
