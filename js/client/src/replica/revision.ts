import { type Change, type Edit, INSERT, UPDATE } from "../change.ts";
import { editOf } from "../policy.ts";
import type { Table } from "../schema.ts";
import type { Row, Value } from "../value.ts";
import { keyAfter } from "./base.ts";

/**
 * What is predicted to become of a change. It is made for the change as the tables
 * follow it and can be put on the same change in other names.
 */
export interface Revision {
  readonly t: Table;
  /** Nothing of it stays. */
  readonly drop?: true;
  /** The row comes back, and is this then. */
  readonly insert?: Row;
  /** What replaces columns of an update, by their place in the change. */
  readonly cells?: ReadonlyMap<number, RevisedCell>;
}

export interface RevisedCell {
  readonly drop?: true;
  readonly edit?: Edit | null;
  /** Where there is no edit. */
  readonly value?: Value;
}

/** A change with its revision. */
export function revised(v: Revision, c: Change): Change {
  if (v.insert) return inserted(v.t, v.insert, c);
  const out: Change = {
    table: c.table,
    op: UPDATE,
    key: c.key,
    columns: [],
    values: [],
    old: null,
    edits: null,
    madeAt: c.madeAt,
  };
  if (v.drop) return out;
  const edits: (Edit | null)[] = [];
  for (const [i, col] of c.columns.entries()) {
    const to: RevisedCell = v.cells?.get(i) ?? { edit: editOf(c, i), value: c.values[i]! };
    if (to.drop) continue;
    out.columns.push(col);
    out.values.push(to.value ?? null);
    edits.push(to.edit ?? null);
  }
  if (edits.some((e) => e?.kind)) out.edits = edits;
  return out;
}

function inserted(t: Table, row: Row, c: Change): Change {
  const values = [...row];
  for (const [i, col] of c.columns.entries()) if (!editOf(c, i)?.kind) values[col] = c.values[i]!;
  const key = [...keyAfter(t, c)];
  for (const [i, place] of t.key.entries()) values[place] = key[i]!;
  return { table: c.table, op: INSERT, key, columns: [], values, old: null, edits: null, madeAt: c.madeAt };
}
