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
  /**
   * In place of changes and sum where scopes are declared: one per scope in
   * which something happened, and per scope that is whole for the first time.
   */
  readonly parts: Part[];
}

/** What a batch says of one scope. A row that is in several scopes may stand in several parts; it is changed once. */
export interface Part {
  readonly scope: string;
  /** Of the rows of the scope at `to`; only when `more` is false. */
  readonly sum: bigint;
  readonly changes: Change[];
  /** As in Batch. */
  readonly raw: string;
}

export function readBatch(a: Fields): Batch {
  const to = a.int();
  const sum = a.sum();
  const body = readBody(a);
  const from = to - 1 - a.int();
  return {
    type: "batch",
    to,
    sum,
    ...body,
    from,
    term: a.str(),
    schema: a.str(),
    more: a.bool(),
    cursor: a.str(),
    parts: a.lists((in_) => ({ scope: in_.str(), sum: in_.sum(), ...readBody(in_) })),
  };
}

/** Changes, and how they were written. */
function readBody(a: Fields): Pick<Part, "changes" | "raw"> {
  if (!a.next()) return { changes: [], raw: "" };
  a.r.peek();
  const start = a.r.i;
  return { changes: readChanges(a.r), raw: a.r.s.slice(start, a.r.i) };
}
