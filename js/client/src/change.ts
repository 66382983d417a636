import type { Value } from "./value.ts";

/** Position of an accepted changeset in its space: 1, 2, 3 ... without gaps; 0 is the state before the first. */
export type Seq = number;

/** Kinds of change, as on the wire. */
export const INSERT = 1;
export const UPDATE = 2;
export const DELETE = 3;
/** Only downstream: the row left a scope, and is not deleted. */
export const FORGET = 4;
export type Op = typeof INSERT | typeof UPDATE | typeof DELETE | typeof FORGET;

/** Kinds of edit, as on the wire; "" sets the value. */
export type EditKind = "" | "a" | "m" | "k" | "t";

/** What an update means by one of its values. */
export interface Edit {
  readonly kind: EditKind;
  /** Its body: JSON text as it was written. */
  readonly body: string;
}

/**
 * Insert, update or delete of one row. Tables and columns are named by number
 * and place in a schema.
 *
 * An insert carries the whole row in `values` (it may be shorter than the
 * table), `columns` is empty. Downstream it is a put. An update carries the
 * changed columns and their values; when key columns are among them the row
 * moves from `key` to the key that results. A delete and a forget carry the key only.
 */
export interface Change {
  table: number;
  op: Op;
  /** Primary key in key order: before the change, or after it for an insert. */
  key: Value[];
  columns: number[];
  values: Value[];
  /** Values before, parallel to `values` (the whole row for a delete); null where they are not kept. */
  old: Value[] | null;
  /** What an update means by its values, parallel to them; null: they are set. */
  edits: (Edit | null)[] | null;
  /** When the row was edited last, Unix milliseconds by its replica's clock; 0 unless a column merges by latest-edit. */
  madeAt: number;
}

/** Identity of a changeset; the hash is 16 bytes. */
export interface Name {
  readonly replica: string;
  readonly n: number;
  readonly hash: Uint8Array;
}

/** How a changeset ended. */
export type OutcomeKind = "accepted" | "merged" | "rejected";

/** One cell of one row; column "" is the whole row. */
export interface Cell {
  readonly table: string;
  readonly key: Value[];
  readonly column: string;
}

/** A row of a changeset that has another integer key now. */
export interface Renumbered {
  readonly table: string;
  readonly from: bigint;
  readonly to: bigint;
  /** The seq at which the other row came: what was made behind it means that one. */
  readonly before: Seq;
}

/** The server's final word on a changeset. */
export interface Outcome extends Name {
  readonly kind: OutcomeKind;
  /** Its seq; of a rejected one the head at which it was judged. */
  readonly seq: Seq;
  readonly code: string;
  readonly message: string;
  readonly table: string;
  readonly key: Value[] | null;
  readonly columns: string[];
  readonly lost: Cell[];
  readonly over: Cell[];
  readonly renumbered: Renumbered[];
}
