import { clear, recorded } from "../capture/capture.ts";
import { changesOf } from "../capture/changes.ts";
import { keepsTime } from "../capture/layout.ts";
import { type RowChange, type Segment, segments } from "../capture/segment.ts";
import * as meta from "../meta/meta.ts";
import { keyOf } from "../schema.ts";
import { countTouched } from "./apply.ts";
import { type Images, idOf, inOrder, keepBase } from "./base.ts";
import { guarded } from "./connection.ts";
import { intents } from "./intent.ts";
import { expelKeyless } from "./keyless.ts";
import { appendPending, type Sealed } from "./pending.ts";
import type { Replica } from "./replica.ts";
import { transaction } from "./transaction.ts";

/** Turns what was captured into pending changesets, in a transaction of its own, and returns how many were made. */
export function sealNow(r: Replica, now: number): number {
  // Most calls find nothing; they must not take the write lock.
  return guarded("seal", () => unsealed(r)) ? transaction(r, "seal", now, () => seal(r)) : 0;
}

/** Whether the log holds records that are not sealed, or the file's structure moved. */
function unsealed(r: Replica): boolean {
  return r.db.int("PRAGMA main.schema_version") !== r.ddl || captured(r);
}

/** Whether the log holds records that are not sealed. */
export function captured(r: Replica): boolean {
  return !r.readOnly && recorded(r.db);
}

/**
 * The first step of every transaction that applies remote rows: from here on
 * each local write is in a pending changeset, with the confirmed image of each
 * row that it touched first kept aside.
 */
export function seal(r: Replica): number {
  if (!captured(r)) return 0;
  const list = segments(r.db, r.schema);
  expelKeyless(r);
  for (const s of list) sealSegment(r, s);
  clear(r.db);
  countTouched(r.db, new Set(list.flatMap((s) => s.rows.map((row) => row.table.id))));
  return list.length;
}

function sealSegment(r: Replica, { mark, rows }: Segment): void {
  const { salt, seen, madeAt } = mark ?? { salt: newSalt(r), seen: meta.getInt(r.db, meta.keySeq), madeAt: r.now };
  pend(r, { salt, seen, madeAt, changes: [], n: 0, hash: salt }, rows);
}

/** Stores row changes that the tables already show as a pending changeset. */
export function pend(r: Replica, c: Sealed, rows: readonly RowChange[]): void {
  layAside(r, rows);
  c.changes = changesOf(rows);
  intents(r, rows, c.changes);
  appendPending(r, c);
}

/** Stores what the engine itself just did to the tables for its user. */
export function pendNow(r: Replica, rows: readonly RowChange[]): Sealed {
  const salt = newSalt(r);
  const c: Sealed = { salt, seen: meta.getInt(r.db, meta.keySeq), madeAt: r.now, changes: [], n: 0, hash: salt };
  for (const row of rows) if (keepsTime(row.table)) row.editedAt = r.now;
  pend(r, c, rows);
  return c;
}

/**
 * Keeps the confirmed images of rows that no earlier pending changeset touched:
 * what they held before this one.
 */
export function layAside(r: Replica, rows: readonly RowChange[]): void {
  const was: Images = new Map();
  for (const { table, before } of rows) if (before) was.set(idOf(table, keyOf(table, before)), before);
  for (const { table, after } of rows) {
    const id = after && idOf(table, keyOf(table, after));
    if (id !== null && !was.has(id)) was.set(id, null); // it was not there
  }
  for (const id of inOrder(was.keys())) keepBase(r.db, id, was.get(id) ?? null);
}

/** Draws a salt, which makes the hash of a changeset unique to the one that sealed it. */
export function newSalt(r: Replica): Uint8Array {
  return r.opts.rand(8);
}
