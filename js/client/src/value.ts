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
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (!same(a[i]!, b[i]!)) return false;
  return true;
}

/** Whether two runs of bytes are equal. */
export function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}

const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
const encoder = new TextEncoder();

/** Text of these bytes: a string, or RawText where they are not UTF-8. */
export function textOf(bytes: Uint8Array): string | RawText {
  try {
    return decoder.decode(bytes);
  } catch {
    return new RawText(bytes.slice());
  }
}

/** The bytes of a text or blob, not to be written to; none for other values. */
export function bytesOf(v: Value): Uint8Array {
  if (typeof v === "string") return encoder.encode(v);
  if (v instanceof RawText) return v.bytes;
  return v instanceof Uint8Array ? v : new Uint8Array();
}

/** Bytes as a string of one character each, usable as the key of a Map. */
export function binaryOf(bytes: Uint8Array): string {
  let s = "";
  for (let i = 0; i < bytes.length; i++) s += String.fromCharCode(bytes[i]!);
  return s;
}

/** The bytes of such a string. */
export function bytesOfBinary(s: string): Uint8Array {
  const b = new Uint8Array(s.length);
  for (let i = 0; i < s.length; i++) b[i] = s.charCodeAt(i);
  return b;
}

/** The bytes that v takes, roughly, for limits and budgets. */
export function sizeOf(v: Value): number {
  if (typeof v !== "string") return 9 + bytesOf(v).length;
  let n = 9 + v.length;
  for (let i = 0; i < v.length; i++) {
    const c = v.charCodeAt(i);
    if (c > 0x7f) n += c < 0x800 || (c & 0xf800) === 0xd800 ? 1 : 2;
  }
  return n;
}

/** Hexadecimal digits of bytes. */
export function hex(bytes: Uint8Array): string {
  let s = "";
  for (const b of bytes) s += (b < 16 ? "0" : "") + b.toString(16);
  return s;
}

/** The bytes that hexadecimal digits spell, or null where they spell none. */
export function unhex(s: string): Uint8Array | null {
  if (s.length % 2 !== 0 || /[^0-9a-fA-F]/.test(s)) return null;
  return Uint8Array.from({ length: s.length / 2 }, (_, i) => Number.parseInt(s.slice(2 * i, 2 * i + 2), 16));
}
