import { bytesOf, type Value } from "../value.ts";

/**
 * Orders values as SQLite does: numbers by value, then text by the collation,
 * then blobs by bytes; NULL in front of all. Values that SQLite takes for equal
 * and that are not the same are ordered, too, so that the result never depends on
 * who came first: an integer stands before the real of its value, -0.0 before
 * 0.0, text by its bytes.
 */
export function compare(a: Value, b: Value, collation: string): number {
  const by = rank(a) - rank(b);
  if (by !== 0 || a === null || b === null) return by;
  if (isNumber(a) && isNumber(b)) return compareNumbers(a, b);
  const [x, y] = [bytesOf(a), bytesOf(b)];
  return (rank(a) === 2 && compareTexts(x, y, collation)) || compareBytes(x, y);
}

const isNumber = (v: Value): v is bigint | number => typeof v === "bigint" || typeof v === "number";

/** The place of a storage class. */
function rank(v: Value): number {
  if (v === null) return 0;
  return isNumber(v) ? 1 : v instanceof Uint8Array ? 3 : 2;
}

function compareNumbers(a: bigint | number, b: bigint | number): number {
  if (a < b) return -1; // exact, whatever the types
  if (a > b) return 1;
  if (typeof a !== typeof b) return typeof a === "bigint" ? -1 : 1;
  return Number(Object.is(b, -0)) - Number(Object.is(a, -0));
}

/** Compares by one of SQLite's own collations; no other takes part in a space. */
function compareTexts(a: Uint8Array, b: Uint8Array, collation: string): number {
  if (collation === "NOCASE") return compareNoCase(a, b);
  return collation === "RTRIM" ? compareBytes(trimmed(a), trimmed(b)) : 0;
}

/** Compares with A to Z lowered, up to the first zero byte; behind it the lengths decide. */
function compareNoCase(a: Uint8Array, b: Uint8Array): number {
  for (let i = 0; i < a.length && i < b.length; i++) {
    const [x, y] = [lower(a[i]!), lower(b[i]!)];
    if (x !== y) return x - y;
    if (x === 0) break;
  }
  return a.length - b.length;
}

const lower = (c: number): number => (c >= 65 && c <= 90 ? c + 32 : c);

function trimmed(b: Uint8Array): Uint8Array {
  let n = b.length;
  while (n > 0 && b[n - 1] === 32) n--;
  return b.subarray(0, n);
}

function compareBytes(a: Uint8Array, b: Uint8Array): number {
  for (let i = 0; i < a.length && i < b.length; i++) if (a[i] !== b[i]) return a[i]! - b[i]!;
  return a.length - b.length;
}
