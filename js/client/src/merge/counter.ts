import type { Edit } from "../change.ts";
import { TidemarkError } from "../error.ts";
import { same, type Value } from "../value.ts";
import { decodeValue, encodeValue } from "../wire/value.ts";
import { mismatch, unreadable } from "./failure.ts";

/** The largest integer up to which a real holds every integer. */
const maxExact = 2n ** 53n;

/**
 * The difference of two numbers. Where it is not exact (integers further apart
 * than 64 bits say, reals that round) the edit is a plain set.
 */
export function addIntent(before: Value, after: Value): Edit | null {
  const d = difference(before, after);
  if (d === null) return null;
  const sum = sumOf(before, d);
  // A column that stores 2.0 as 2 was added to in reals: `==` compares by value.
  const exact =
    same(sum, after) || (typeof after === "bigint" && typeof sum === "number" && !(after < sum) && !(after > sum));
  return exact ? { kind: "a", body: encodeValue(d) } : null;
}

/** What added to before gives after, or null. */
function difference(before: Value, after: Value): bigint | number | null {
  if (typeof before === "bigint" && typeof after === "bigint") return whole(after - before);
  const d = real(after) - real(before);
  return Number.isFinite(d) ? d : null;
}

/** An integer that fits into 64 bits, or null. */
function whole(n: bigint): bigint | null {
  return BigInt.asIntN(64, n) === n ? n : null;
}

/** A number that can be taken for a real without rounding it, or NaN. */
function real(v: Value): number {
  if (typeof v === "bigint") return v >= -maxExact && v <= maxExact ? Number(v) : NaN;
  return typeof v === "number" ? v : NaN;
}

/** Adds what a body says; NULL counts as 0. */
export function applyAdd(now: Value, body: string): Value {
  let d: Value;
  try {
    d = decodeValue(body);
  } catch (err) {
    throw unreadable(String(err));
  }
  if (typeof d !== "bigint" && !Number.isFinite(d)) throw unreadable("the difference is no number");
  const sum = sumOf(now, d);
  if (sum === null) throw new TidemarkError("check", "the sum is too large");
  return sum;
}

/**
 * Adds two numbers, integers as integers, anything else as reals; null: the sum
 * is too large. Sums of integers depend on no order, sums of reals may round.
 */
function sumOf(now: Value, d: Value): Value {
  if (now === null) return d;
  if (typeof now === "bigint" && typeof d === "bigint") return whole(now + d);
  if (typeof now !== "bigint" && typeof now !== "number") throw mismatch("a number");
  const sum = Number(now) + Number(d);
  return Number.isFinite(sum) || Math.abs(Number(now)) === Infinity ? sum : null;
}
