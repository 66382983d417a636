/**
 * One SQLite value, exact to the bit: INTEGER is a bigint, REAL a number, TEXT
 * a string, BLOB a Uint8Array. Text that is not UTF-8, as SQLite allows it, is
 * a RawText, since a string cannot hold it. So 1n and 1 are different values,
 * as they are to SQLite.
 */
export type Value = null | bigint | number | string | Uint8Array | RawText;

/** A row or key: values by the place of their column. */
export type Row = readonly Value[];

/** Text whose bytes are not UTF-8. */
export class RawText {
  readonly bytes: Uint8Array;

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
  }
}

/** Whether storage class and bits are equal: 0 and -0 differ, 1n and 1 differ. */
export function same(a: Value, b: Value): boolean {
  if (Object.is(a, b)) return true;
  if (a instanceof Uint8Array) return b instanceof Uint8Array && sameBytes(a, b);
  return a instanceof RawText && b instanceof RawText && sameBytes(a.bytes, b.bytes);
}

/** Whether two rows are the same; null is no row. */
export function sameRow(a: Row | null, b: Row | null): boolean {
  if (a === null || b === null) return a === b;
  return a.length === b.length && a.every((v, i) => same(v, b[i]!));
}

/** Whether two runs of bytes are equal. */
export function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}
