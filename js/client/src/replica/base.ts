import { type Change, DELETE, FORGET, INSERT, UPDATE } from "../change.ts";
import { type KeyID, keyID, rowID as nameOf } from "../key.ts";
import type { Database } from "../lite/database.ts";
import { type Schema, type Table, tableByID } from "../schema.ts";
import { binaryOf, bytesOfBinary, type Row, sizeOf, type Value } from "../value.ts";
import { decodeImage, encodeImage } from "./tally.ts";

/** Names a row of any table: the table's id, a colon, the KeyID of its key. */
export type RowID = string;

/** Rows and what they hold; null means that the row is not there. */
export type Images = Map<RowID, Row | null>;

/** The name of the row with this key. */
export function idOf(t: Table, key: Row): RowID {
  return nameOf(t.id, keyID(t, key));
}

/** The name of a row as bookkeeping tables hold it. */
export function rowID(table: number, key: Uint8Array): RowID {
  return nameOf(table, binaryOf(key));
}

/** The id of the row's table. */
export function tableOf(id: RowID): number {
  return Number.parseInt(id, 10);
}

/** The row's identity in its table. */
export function keyIDOf(id: RowID): KeyID {
  return id.slice(id.indexOf(":") + 1);
}

/** The name as arguments of SQL: table and key. */
export function rowArgs(id: RowID): [bigint, Uint8Array] {
  return [BigInt(tableOf(id)), bytesOfBinary(keyIDOf(id))];
}

/** Sorts row names, so that nothing depends on the order of a map. */
export function inOrder(ids: Iterable<RowID>): RowID[] {
  // Of two numbers the one with fewer digits is the smaller.
  return [...ids].sort((a, b) => a.indexOf(":") - b.indexOf(":") || (a < b ? -1 : Number(a > b)));
}

/** The key that a row has once the change is done. */
export function keyAfter(t: Table, c: Change): Row {
  if (c.op !== UPDATE) return c.key;
  return t.key.map((place, i) => {
    const j = c.columns.lastIndexOf(place);
    return (j < 0 ? c.key[i] : c.values[j]) as Value; // both rows are as long as the key
  });
}

/** Whether a change can be one of this table. */
export function wellFormed(t: Table, c: Change): boolean {
  if (c.key.length !== t.key.length || c.values.length > t.columns.length) return false;
  if (c.op !== UPDATE) return c.op === DELETE || c.op === INSERT;
  return c.columns.every((col) => col >= 0 && col < t.columns.length) && c.columns.length === c.values.length;
}

/** Whether a change takes a row of this table out of a scope. */
export function forgets(t: Table, c: Change): boolean {
  return c.op === FORGET && c.key.length === t.key.length;
}

/** The rows that a change touches: one, or two when a row moves. */
export function rowsOf(t: Table, c: Change): RowID[] {
  const from = idOf(t, c.key);
  if (c.op !== UPDATE || !c.columns.some((col) => t.key.includes(col))) return [from];
  const to = idOf(t, keyAfter(t, c));
  return from === to ? [from] : [from, to];
}

/** Finds a table that still syncs. */
export function synced(s: Schema, id: number): Table | null {
  const t = tableByID(s, id);
  return t?.out === "" ? t : null;
}

/** The confirmed image of a row that pending touches; undefined where none is kept. */
export function baseImage(db: Database, id: RowID): Row | null | undefined {
  const row = db.get("SELECT image FROM main._tm_base WHERE t = ?1 AND key = ?2", ...rowArgs(id));
  return row ? decodeImage(row[0]) : undefined;
}

export function setBase(db: Database, id: RowID, image: Row | null): void {
  const sql = "INSERT OR REPLACE INTO main._tm_base (t, key, image) VALUES (?1, ?2, ?3)";
  db.run(sql, ...rowArgs(id), encodeImage(image));
}

/** Keeps the image of a row that nothing pending touched so far. */
export function keepBase(db: Database, id: RowID, image: Row | null): void {
  const args = rowArgs(id);
  // Of a document only the first key press pays for its length.
  const held = "SELECT EXISTS (SELECT 1 FROM main._tm_base WHERE t = ?1 AND key = ?2)";
  if (large(image) && db.int(held, ...args) !== 0) return;
  db.run("INSERT OR IGNORE INTO main._tm_base (t, key, image) VALUES (?1, ?2, ?3)", ...args, encodeImage(image));
}

/** Whether encoding an image costs more than looking whether it has to be encoded. */
function large(image: Row | null): boolean {
  return image?.some((v) => sizeOf(v) > 4096) ?? false;
}

export function dropBase(db: Database, id: RowID): void {
  db.run("DELETE FROM main._tm_base WHERE t = ?1 AND key = ?2", ...rowArgs(id));
}

/** Whether pending touches any row at all. */
export function anyBase(db: Database): boolean {
  return db.int("SELECT EXISTS (SELECT 1 FROM main._tm_base)") !== 0;
}
