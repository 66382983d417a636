import type { Fields } from "./reader.ts";

/** A block of ids of a table with AUTOINCREMENT, both ends included. */
export interface Lease {
  readonly table: number;
  readonly first: bigint;
  readonly last: bigint;
}

/**
 * Brings the blocks of ids that the replica holds, one per table, in place of
 * those that it held before. It comes in front of the batch whose rows use up a block.
 */
export interface Leases {
  readonly type: "leases";
  readonly list: Lease[];
}

export function readLeases(a: Fields): Leases {
  return { type: "leases", list: a.lists(readLease) };
}

function readLease(a: Fields): Lease {
  const table = a.place();
  const [first, last] = a.pair();
  return { table, first, last };
}
