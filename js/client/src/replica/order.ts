import type { Collation, Table } from "../schema.ts";
import { bytesOf, RawText, type Row, type Value } from "../value.ts";

/** Orders two keys of a table as SQLite orders its rows. */
export function compareKeys(t: Table, a: Row, b: Row): number {
  for (let i = 0; i < a.length && i < b.length; i++) {
    const c = compareValues(a[i]!, b[i]!, t.columns[t.key[i]!]!.collation);
    if (c !== 0) return c;
  }
  return a.length - b.length;
}

/** Whether a key lies behind `after` and not behind `upto`; null is open. */
export function within(t: Table, key: Row, after: Row | null, upto: Row | null): boolean {
  return (after === null || compareKeys(t, key, after) > 0) && (upto === null || compareKeys(t, key, upto) <= 0);
}

/** Orders NULL, numbers, text, blobs, as SQLite does. */
export function compareValues(a: Value, b: Value, collation: Collation): number {
  const kind = classOf(a);
  if (kind !== classOf(b)) return kind - classOf(b);
  if (kind === 0) return 0;
  // JavaScript compares an integer with a real exactly.
  if (kind === 1) return a! < b! ? -1 : Number(a! > b!);
  return compareBytes(folded(a, collation), folded(b, collation));
}

function classOf(v: Value): number {
  if (v === null) return 0;
  if (typeof v === "string" || v instanceof RawText) return 2;
  return v instanceof Uint8Array ? 3 : 1;
}

/**
 * The bytes by which a text or blob is compared. NOCASE folds A to Z only, and
 * behind a zero byte only the length counts to it.
 */
function folded(v: Value, collation: Collation): Uint8Array {
  const b = bytesOf(v);
  if (v instanceof Uint8Array) return b;
  let end = b.length;
  if (collation === "NOCASE") {
    const zero = b.indexOf(0);
    return b.map((c, i) => (zero >= 0 && i > zero ? 0 : c >= 0x41 && c <= 0x5a ? c + 0x20 : c));
  }
  if (collation === "RTRIM") while (b[end - 1] === 0x20) end--;
  return b.subarray(0, end);
}

function compareBytes(a: Uint8Array, b: Uint8Array): number {
  for (let i = 0; i < a.length && i < b.length; i++) if (a[i] !== b[i]) return a[i]! - b[i]!;
  return a.length - b.length;
}
