import type { Change, Seq } from "../change.ts";
import type { Fields } from "./reader.ts";
import { readChanges } from "./unrun.ts";

/**
 * Brings confirmed changes. A live batch (not more, no cursor) turns the state
 * at `from` into the state at `to`. Catch-up comes as chunks: rows in order of
 * the seq at which each last changed, each with its state now; all but the last
 * have `more` set and are staged; the last makes them visible at `to`.
 */
export interface Batch {
  readonly type: "batch";
  readonly from: Seq;
  readonly to: Seq;
  readonly term: string;
  /** Schema at `to`. */
  readonly schema: string;
  /** Sum of all cells at `to`; only when `more` is false. */
  readonly sum: bigint;
  readonly more: boolean;
  /** Position behind this chunk, for Hello.staged and Ack. */
  readonly cursor: string;
  readonly changes: Change[];
  /** The changes as they were sent; "" for none. */
  readonly raw: string;
}

export function readBatch(a: Fields): Batch {
  const to = a.int();
  const sum = a.sum();
  let changes: Change[] = [];
  let raw = "";
  if (a.next()) {
    a.r.peek();
    const start = a.r.i;
    changes = readChanges(a.r);
    raw = a.r.s.slice(start, a.r.i);
  }
  const from = to - 1 - a.int();
  return {
    type: "batch",
    to,
    sum,
    changes,
    raw,
    from,
    term: a.str(),
    schema: a.str(),
    more: a.bool(),
    cursor: a.str(),
  };
}
