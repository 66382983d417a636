import { type Change, DELETE, INSERT, UPDATE } from "../change.ts";
import { keyOf } from "../schema.ts";
import { same, type Value } from "../value.ts";
import type { RowChange } from "./segment.ts";

/**
 * Turns row changes into changes: insert, update with only the columns that
 * differ, delete; a key change is an update that sets key columns. Old values
 * are filled in, and `madeAt` where the table keeps it.
 */
export function changesOf(rows: readonly RowChange[]): Change[] {
  return rows.map(({ table: t, before, after, editedAt }) => {
    const c: Change = {
      table: t.id,
      op: UPDATE,
      key: keyOf(t, before ?? after ?? []),
      columns: [],
      values: [],
      old: null,
      edits: null,
      madeAt: editedAt,
    };
    if (!after) return { ...c, op: DELETE, old: [...(before ?? [])], madeAt: 0 };
    if (!before) return { ...c, op: INSERT, values: [...after] };
    const old: Value[] = [];
    after.forEach((v, i) => {
      if (same(v, before[i] ?? null)) return;
      c.columns.push(i);
      c.values.push(v);
      old.push(before[i] ?? null);
    });
    return { ...c, old };
  });
}
