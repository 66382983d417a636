import { collated } from "../key.ts";
import { binaryOf, bytesOf, RawText, type Value } from "../value.ts";

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
  const collating = isText(a) && isText(b) ? inOrder(collated(a, collation), collated(b, collation)) : 0;
  return collating || inOrder(binaryOf(bytesOf(a)), binaryOf(bytesOf(b)));
}

const inOrder = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

const isNumber = (v: Value): v is bigint | number => typeof v === "bigint" || typeof v === "number";
const isText = (v: Value): v is string | RawText => typeof v === "string" || v instanceof RawText;

/** The place of a storage class. */
function rank(v: Value): number {
  if (v === null) return 0;
  if (isNumber(v)) return 1;
  return isText(v) ? 2 : 3;
}

function compareNumbers(a: bigint | number, b: bigint | number): number {
  if (a < b) return -1; // exact, whatever the types
  if (a > b) return 1;
  if (typeof a !== typeof b) return typeof a === "bigint" ? -1 : 1;
  return Number(Object.is(b, -0)) - Number(Object.is(a, -0));
}
