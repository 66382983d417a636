import { type Change, DELETE, INSERT } from "../change.ts";
import { type Table, tableByID } from "../schema.ts";
import type { Value } from "../value.ts";
import { type RowID, rowsOf } from "./base.ts";
import { of, type References } from "./references.ts";
import type { Replica } from "./replica.ts";

/** Splits changes into parts that no row and no foreign key connects. */
export function apart(r: Replica, changes: readonly Change[]): Change[][] {
  const group = changes.map((_, i) => i);
  const find = (i: number): number => {
    while (group[i] !== i) i = group[i] = group[group[i]!]!;
    return i;
  };
  connect(r, changes, (i, j) => {
    const a = find(i);
    const b = find(j);
    group[Math.max(a, b)] = Math.min(a, b);
  });
  const parts = new Map<number, Change[]>();
  changes.forEach((c, i) => {
    const root = find(i);
    const part = parts.get(root);
    if (part) part.push(c);
    else parts.set(root, [c]);
  });
  return [...parts.values()];
}

type Join = (i: number, j: number) => void;

/**
 * Joins changes that touch one row, and children with the parents that they
 * name. Deletes name only keys: those of linked tables stay together.
 */
function connect(r: Replica, changes: readonly Change[], join: Join): void {
  const rows = new Map<RowID, number>();
  const parents = new Map<string, number>();
  const deletes = new Map<number, number>();
  changes.forEach((c, i) => {
    const t = tableByID(r.schema, c.table)!;
    for (const id of rowsOf(t, c)) {
      const j = rows.get(id);
      if (j !== undefined) join(i, j);
      rows.set(id, i);
    }
    for (const ref of of(r.refs.to, t.id)) {
      const values = valuesOf(t, c, ref.to);
      if (values) parents.set(name(ref.parent, ref.to, values), i);
    }
    if (c.op !== DELETE) return;
    const j = deletes.get(t.id);
    if (j !== undefined && linkedAtAll(r.refs, t.id)) join(i, j);
    deletes.set(t.id, i);
  });
  changes.forEach((c, i) => {
    const t = tableByID(r.schema, c.table)!;
    for (const ref of of(r.refs.from, t.id)) {
      const values = valuesOf(t, c, ref.cols);
      const parent = values && parents.get(name(ref.parent, ref.to, values));
      if (parent !== null && parent !== undefined) join(i, parent);
      const gone = deletes.get(ref.parent.id);
      if (gone !== undefined && (c.op === DELETE || values)) join(i, gone);
    }
  });
}

/** Whether a table has any foreign key, from or to it. */
function linkedAtAll(refs: References, t: number): boolean {
  return of(refs.from, t).length + of(refs.to, t).length > 0;
}

function name(parent: Table, to: readonly number[], values: readonly Value[]): string {
  return [parent.id, to, ...values.map((v) => `${typeof v} ${v instanceof Uint8Array ? v.join() : v}`)].join("|");
}

/** Takes columns out of a change; null where it does not name one of them, or names it NULL. */
export function valuesOf(t: Table, c: Change, cols: readonly number[]): Value[] | null {
  const out: Value[] = [];
  for (const col of cols) {
    const i = c.op === INSERT ? col : c.columns.indexOf(col);
    const v = i in c.values ? c.values[i] : c.key[t.key.indexOf(col)];
    if (v === null || v === undefined) return null;
    out.push(v);
  }
  return out;
}
