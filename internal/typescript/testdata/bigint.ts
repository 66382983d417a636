// Written by `tidemark generate ts big.sqlite`. Do not edit: write it anew when the schema changes.

/** A row of counter. */
export interface Counter {
  id: bigint;
  n: bigint;
  x: number | null;
  d: number | bigint | null;
  b: bigint;
}

/** What an insert into counter gives. */
export interface CounterInsert {
  id?: bigint | undefined;
  n: bigint;
  x?: number | null | undefined;
  d?: number | bigint | null | undefined;
  b: bigint;
}

/** All tables and views by their names. A view has no insert. */
export interface Tables {
  counter: { row: Counter; insert: CounterInsert };
}

export type TableName = keyof Tables;
