import type { Seq } from "../change.ts";
import type { Database } from "../lite/database.ts";
import type { Value } from "../value.ts";

/*
 * Capture records every change of a synced table in plain SQL triggers and
 * turns the record into changesets. Each record of _tm_log states a fact about
 * one row at the moment when it was written: the row with this key was not
 * there (ABSENT), it had these values in these columns (PART), or it was
 * exactly this (IMAGE). The state of a row at a point of the log is the first
 * fact behind that point, or the live row; one backward pass finds all of them.
 * The Go package internal/capture says more; both write the same SQL.
 */

// The kinds of log record, with what stands in v0, v1, ... Numbers are stored
// in files: never change one. A record of cells has the kind + GROUP × the
// group of columns that it holds.
export const ABSENT = 1; // key: the row was inserted, it was not there before
export const PART = 2; // key, cells: the row was there and had these values
export const DELETED = 3; // key, cells: like IMAGE, and the row is being deleted
export const IMAGE = 4; // key, cells: the row was there and was exactly this
export const VACANT = 5; // key: no row had this key
export const FROM = 6; // key: the key that the row of the next TO had
export const TO = 7; // key: the key that it has now
export const KEY_REST = 8; // the key's columns that found no place in the record before
export const MARK = 9; // first, salt, made at, seen
export const BLANK = 10;
export const GROUP = 16;

/** Slots of a record, and how many of them the key may take. */
export const SLOTS = 10;
export const KEY_SLOTS = 5;

/** Closes the changeset of the writer's own transaction: the last write before COMMIT. */
export interface Mark {
  /** Rowid of the first log record of the transaction: what `begin` returned. */
  readonly first: number;
  readonly salt: Uint8Array;
  readonly madeAt: number;
  readonly seen: Seq;
}

/** The rowid that the next log record will have. Call it after BEGIN IMMEDIATE. */
export function begin(db: Database): number {
  return top(db) + 1;
}

/** The highest rowid of the log, whatever it holds. */
function top(db: Database): number {
  return db.int("SELECT max(n) FROM main._tm_log");
}

/** Writes the mark, unless the transaction recorded nothing. */
export function end(db: Database, m: Mark): void {
  if (top(db) < m.first) return;
  const sql = `INSERT INTO main._tm_log (op, v0, v1, v2, v3) VALUES (${MARK}, ?1, ?2, ?3, ?4)`;
  db.run(sql, BigInt(m.first), m.salt, BigInt(m.madeAt), BigInt(m.seen));
}

/** Whether the log holds records. */
export function recorded(db: Database): boolean {
  return db.int(`SELECT op <> ${BLANK} FROM main._tm_log ORDER BY n DESC LIMIT 1`) !== 0;
}

/** The ids of tables with records behind the rowid `after`. */
export function touched(db: Database, after: number): number[] {
  const ids: number[] = [];
  const sql = `SELECT DISTINCT t FROM main._tm_log WHERE n > ?1 AND t > 0 ORDER BY t`;
  db.each(sql, (s) => ids.push(s.int(0)), BigInt(after));
  return ids;
}

/**
 * Deletes the log's records. The last one stays, so that rowids never start
 * again; a log that holds nothing else counts as empty.
 */
export function clear(db: Database): void {
  const last: Value = BigInt(top(db));
  if (last === 0n) return;
  db.run("DELETE FROM main._tm_log WHERE n < ?1", last);
  db.run(
    `UPDATE main._tm_log SET t = NULL, op = ${BLANK}, m = NULL, v0 = NULL, v1 = NULL, v2 = NULL, v3 = NULL, v4 = NULL,
      v5 = NULL, v6 = NULL, v7 = NULL, v8 = NULL, v9 = NULL WHERE n = ?1 AND op <> ${BLANK}`,
    last,
  );
}
