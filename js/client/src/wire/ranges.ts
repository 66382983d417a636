import type { Seq } from "../change.ts";
import type { Row } from "../value.ts";
import type { Fields } from "./reader.ts";
import { encodeValues } from "./value.ts";
import { array } from "./writer.ts";

/**
 * Asks for count and sum of the rows of a table in the ranges that the bounds
 * cut: up to and including the first, then up to the second, ..., then
 * everything behind the last.
 */
export interface AskRanges {
  readonly type: "askRanges";
  readonly id: number;
  readonly table: number;
  /** null: from the first row. */
  readonly after: Row | null;
  /** null: to the last row. */
  readonly upto: Row | null;
  readonly bounds: readonly Row[];
}

/** How many rows a range has, and the sum of their cells. */
export interface RangeSum {
  readonly count: number;
  readonly sum: bigint;
}

/** Answers AskRanges, as of seq. The server sends every batch up to it first. */
export interface Ranges {
  readonly type: "ranges";
  readonly id: number;
  readonly seq: Seq;
  readonly list: RangeSum[];
}

export function encodeAskRanges(m: AskRanges): string {
  const bounds = `[${m.bounds.map(encodeValues).join(",")}]`;
  return array(['"g"', `${m.id}`, `${m.table}`, encodeValues(m.after), encodeValues(m.upto), bounds]);
}

export function readRanges(a: Fields): Ranges {
  const list = (in_: Fields): RangeSum => ({ count: in_.int(), sum: in_.sum() });
  return { type: "ranges", id: a.int(), seq: a.int(), list: a.lists(list) };
}
