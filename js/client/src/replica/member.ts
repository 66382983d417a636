import { type Change, DELETE, FORGET, INSERT } from "../change.ts";
import { TidemarkError } from "../error.ts";
import { parseKeyID } from "../key.ts";
import type { Database } from "../lite/database.ts";
import { environment } from "../lite/failure.ts";
import { each, type Work } from "../lite/work.ts";
import { remove as removeRow } from "../row/row.ts";
import { keyOf, type Table, tableByID } from "../schema.ts";
import type { Row } from "../value.ts";
import { readRow } from "./attempt.ts";
import { baseImage, idOf, inOrder, keyIDOf, type RowID, rowArgs, synced, tableOf } from "./base.ts";
import { change, type Incoming } from "./incoming.ts";
import { lose } from "./lost.ts";

/** Where confirmed changes come from. */
export interface Source {
  /** Whose part they stand in; "" where none are declared, or none is meant. */
  readonly scope: string;
  /** A row that stands in several parts of one message is changed once. */
  readonly message: number;
}

/**
 * Applies a change as one scope tells it. Rows that leave a scope wait to the end:
 * they may come in by another.
 */
export function part(in_: Incoming, from: Source, t: Table, c: Change): void {
  if (from.message !== in_.message) {
    in_.message = from.message;
    in_.once.clear();
  }
  const id = idOf(t, c.key);
  if (c.op === DELETE) {
    remove(in_, t, id, c);
    return;
  }
  const s = known(in_, from.scope);
  if (c.op === FORGET) forget(in_, t, id, s);
  else if (c.op === INSERT) enter(in_, t, id, s, c);
  else once(in_, t, id, c);
}

/** Changes a row, unless the message did so already. */
function once(in_: Incoming, t: Table, id: RowID, c: Change): void {
  if (in_.once.has(id)) return;
  in_.once.add(id);
  change(in_, t, id, c);
}

/** The number of a scope. */
function known(in_: Incoming, name: string): number {
  const s = in_.numbers.get(name) ?? numberOf(in_.a.db, name);
  in_.numbers.set(name, s);
  return s;
}

/** The number of a scope that the server listed. */
export function numberOf(db: Database, name: string): number {
  const s = db.int("SELECT i FROM main._tm_scope WHERE name = ?1", name);
  if (s > 0) return s;
  throw new TidemarkError("protocol", `changes came of ${name}, which the server does not list for this copy`);
}

/** Puts a row into a scope. */
function enter(in_: Incoming, t: Table, id: RowID, s: number, c: Change): void {
  const { db, tally } = in_.a;
  once(in_, t, id, c);
  found(in_, id);
  db.run("INSERT OR IGNORE INTO main._tm_member (t, key, s) VALUES (?1, ?2, ?3)", ...rowArgs(id), BigInt(s));
  if (db.changes() === 0) return;
  const image = c.values.length < t.columns.length ? nowOf(in_, t, id) : c.values;
  tally.scopes?.add(s, tally.hasher.row(t, image));
}

/** Takes a row out of a scope. */
function forget(in_: Incoming, t: Table, id: RowID, s: number): void {
  const { db, tally } = in_.a;
  db.run("DELETE FROM main._tm_member WHERE t = ?1 AND key = ?2 AND s = ?3", ...rowArgs(id), BigInt(s));
  if (db.changes() === 0) return;
  in_.leaving.add(id);
  tally.scopes?.add(s, -tally.hasher.row(t, nowOf(in_, t, id)));
}

/** Deletes a row, whatever scopes it was in. */
function remove(in_: Incoming, t: Table, id: RowID, c: Change): void {
  change(in_, t, id, c);
  found(in_, id);
  in_.a.died.add(id);
  in_.a.db.run("DELETE FROM main._tm_member WHERE t = ?1 AND key = ?2", ...rowArgs(id));
}

/** Takes back that a row is lost: what became of it is known again. */
function found({ a }: Incoming, id: RowID): void {
  a.died.delete(id);
  if (a.pending.has(tableOf(id))) a.db.run("DELETE FROM main._tm_lost WHERE t = ?1 AND key = ?2", ...rowArgs(id));
}

/** Takes rows out of the copy that are in no scope any more. */
export function leave(in_: Incoming): Work<void> {
  const { a } = in_;
  for (const id of a.job.leave) in_.leaving.add(id);
  const query = "SELECT EXISTS (SELECT 1 FROM main._tm_member WHERE t = ?1 AND key = ?2)";
  return each(inOrder(in_.leaving), (id) => {
    if (a.db.int(query, ...rowArgs(id)) !== 0) return;
    const t = synced(a.r.schema, tableOf(id));
    if (t) leaveOne(in_, t, id);
    else leaveOut(in_, id);
  });
}

/**
 * Takes a row out of a table that does not sync any more: what was lost with its
 * scope must not stay for that. A table that was made anew here, so that it cannot
 * be asked for the row, is the app's.
 */
function leaveOut({ a }: Incoming, id: RowID): void {
  const t = tableByID(a.r.schema, tableOf(id));
  if (!t) return;
  const key = parseKeyID(keyIDOf(id));
  try {
    a.db.savepoint("out", () => {
      if (!removeRow(a.db, t, key)) return;
      a.tables.add(t.id);
      a.left.set(id, key);
    });
  } catch (err) {
    if (environment(err)) throw err;
  }
}

function leaveOne(in_: Incoming, t: Table, id: RowID): void {
  const { a } = in_;
  const image = nowOf(in_, t, id);
  if (!image) return;
  const key = keyOf(t, image);
  change(in_, t, id, { table: t.id, op: DELETE, key, columns: [], values: [], old: null, edits: null, madeAt: 0 });
  a.left.set(id, key);
  if (a.pending.has(t.id) && baseImage(a.db, id) !== undefined) lose(a.db, id);
}

/** What a row is confirmed to be at this moment of the job. */
function nowOf({ a, w, aside }: Incoming, t: Table, id: RowID): Row | null {
  const shown = w.shown(id);
  if (shown !== undefined) return shown;
  if (aside && a.pending.has(t.id)) {
    const image = aside.rows.has(id) ? aside.rows.get(id) : baseImage(a.db, id);
    if (image !== undefined) return image;
  }
  return readRow(a, t, id);
}

/** The numbers of the scopes that a row is in. */
export function membersOf(db: Database, id: RowID): number[] {
  const list: number[] = [];
  db.each("SELECT s FROM main._tm_member WHERE t = ?1 AND key = ?2", (s) => list.push(s.int(0)), ...rowArgs(id));
  return list;
}
