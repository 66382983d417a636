import type { Hasher } from "../digest/digest.ts";
import { Sums } from "../digest/sums.ts";
import { type KeyID, keyID } from "../key.ts";
import type { Database } from "../lite/database.ts";
import type { Work } from "../lite/work.ts";
import { scan } from "../row/row.ts";
import { keyOf, type Schema, scoped, type Table } from "../schema.ts";
import { binaryOf, bytesOf, type Row, type Value } from "../value.ts";
import { decodeValues, encodeValues } from "../wire/value.ts";
import { idOf } from "./base.ts";
import type { Replica } from "./replica.ts";
import { ScopeSums } from "./scope-sums.ts";

/**
 * Keeps the sums of the confirmed rows during one transaction. A table without
 * stored sums is counted from its rows. `load` comes first, `save` last.
 */
export class Tally {
  readonly db: Database;
  /** A new schema is put in its place where the job brings one. */
  schema: Schema;
  readonly hasher: Hasher;
  sums = new Sums();
  dirty = new Set<number>();
  /** The tables show confirmed rows only: pending is undone. */
  bare = false;
  /** Where scopes are declared: these sums and no others are kept. */
  scopes: ScopeSums | null = null;

  constructor(db: Database, schema: Schema, hasher: Hasher) {
    this.db = db;
    this.schema = schema;
    this.hasher = hasher;
  }

  /** Reads the stored sums. */
  *load(): Work<void> {
    this.sums = new Sums();
    this.dirty.clear();
    if (this.scopes) return;
    this.db.each("SELECT t, sums FROM main._tm_digest", (s) => this.sums.read(s.int(0), s.blob(1)));
    for (const t of this.schema.tables) if (!t.out && !this.sums.has(t.id)) yield* this.count(t);
  }

  /** Sums a table's confirmed rows as they are stored. */
  *count(t: Table): Work<void> {
    this.sums.clear(t.id, t.columns.length);
    this.dirty.add(t.id);
    yield* this.#confirmed(t, (image) => this.sums.add(this.hasher, t, image, 1));
  }

  /** Sums the confirmed rows of all scopes as they are stored. */
  *countScopes(): Work<void> {
    const { scopes } = this;
    scopes?.clear();
    for (const t of this.schema.tables) {
      if (t.out === "")
        yield* this.#confirmed(t, (image) => scopes?.addTo(idOf(t, keyOf(t, image)), this.hasher.row(t, image)));
    }
  }

  /** Passes a table's confirmed rows as they are stored. */
  *#confirmed(t: Table, fn: (image: Row) => void): Work<void> {
    const base: Map<KeyID, Row | null> = this.bare ? new Map() : loadBase(this.db, t);
    yield* scan(this.db, t, null, null, 0, (row) => {
      if (base.size === 0 || !base.has(keyID(t, keyOf(t, row)))) fn(row);
    });
    for (const image of base.values()) if (image) fn(image);
  }

  /** Replaces a confirmed row by another; null is no row. */
  change(t: Table, before: Row | null, after: Row | null): void {
    if (this.scopes) {
      // One that was not there is in no scope yet.
      if (!before) return;
      const hash = this.hasher.row(t, after) - this.hasher.row(t, before);
      this.scopes.addTo(idOf(t, keyOf(t, before)), hash);
      return;
    }
    this.sums.add(this.hasher, t, before, -1);
    this.sums.add(this.hasher, t, after, 1);
    this.dirty.add(t.id);
  }

  total(): bigint {
    return this.sums.total(this.schema);
  }

  /** Stores the sums of the tables that changed. */
  save(): void {
    this.scopes?.save();
    for (const { id } of this.schema.tables) {
      if (!this.dirty.has(id)) continue;
      const sql = "INSERT OR REPLACE INTO main._tm_digest (t, sums) VALUES (?1, ?2)";
      this.db.run(sql, BigInt(id), this.sums.bytes(id));
    }
    this.dirty.clear();
  }
}

/** A tally of the replica's tables, not loaded yet. */
export function newTally(r: Replica): Tally {
  const tally = new Tally(r.db, r.schema, r.hasher);
  if (scoped(r.server)) tally.scopes = new ScopeSums(r.db);
  return tally;
}

/** Makes the next tally count a table from its rows. */
export function forgetSums(db: Database, t: number): void {
  db.run("DELETE FROM main._tm_digest WHERE t = ?1", BigInt(t));
}

/** The confirmed images of the rows that pending touches in a table. */
export function loadBase(db: Database, t: Table): Map<KeyID, Row | null> {
  const base = new Map<KeyID, Row | null>();
  const sql = "SELECT key, image FROM main._tm_base WHERE t = ?1";
  db.each(sql, (s) => base.set(binaryOf(s.blob(0)), decodeImage(s.value(1))), BigInt(t.id));
  return base;
}

/** Reads an image as it is stored: a blob, or NULL for no row. */
export function decodeImage(stored: Value | undefined): Row | null {
  return stored instanceof Uint8Array ? decodeValues(stored) : null;
}

/** The form in which an image is stored. */
export function encodeImage(image: Row | null): Uint8Array | null {
  return image && bytesOf(encodeValues(image));
}
