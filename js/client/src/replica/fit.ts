import type { Change } from "../change.ts";
import { get } from "../row/row.ts";
import { columnNames, keyOf } from "../schema.ts";
import { type Row, sameRow } from "../value.ts";
import type { Attempt } from "./attempt.ts";
import { asMisfit, Misfit } from "./misfit.ts";
import { RowWriter } from "./put.ts";
import { Sketch, sketchOf } from "./sketch.ts";

/**
 * Puts a changeset on top of the tables, or throws a misfit. Call it inside a
 * savepoint.
 */
export function fit(a: Attempt, changes: readonly Change[], strict: boolean): Sketch {
  const s = new Sketch();
  try {
    sketchOf(a, changes, strict, s);
    write(a, s);
    lookUp(a, s);
    return s;
  } catch (err) {
    if (err instanceof Misfit && err.on === 0) err.on = a.down.under(s.order);
    throw err;
  }
}

/** Brings a sketch into the tables: deletes, then updates, then inserts. */
function write(a: Attempt, s: Sketch): void {
  const w = new RowWriter(a.db, false);
  for (let pass = 0; pass < 3; pass++) {
    for (const id of s.order) {
      const before = s.before.get(id) ?? null;
      const after = s.after.get(id) ?? null;
      if (passOf(before, after) !== pass || sameRow(before, after)) continue;
      const t = s.tables.get(id)!;
      try {
        w.set(t, id, before, after);
      } catch (err) {
        throw asMisfit(t, after, err);
      }
    }
  }
  w.finish((t, _id, after, why) => {
    throw asMisfit(t, after, why);
  });
  readBack(a, s);
}

function passOf(before: Row | null, after: Row | null): number {
  if (after === null) return 0;
  return before !== null ? 1 : 2;
}

/** Completes images that were shorter than their table. */
function readBack(a: Attempt, s: Sketch): void {
  for (const id of s.order) {
    const t = s.tables.get(id)!;
    const after = s.after.get(id);
    if (after && after.length !== t.columns.length) s.after.set(id, get(a.db, t, keyOf(t, after)));
  }
}

/** Checks the foreign keys of the rows that a sketch changed. */
function lookUp(a: Attempt, s: Sketch): void {
  for (const id of s.order) {
    const before = s.before.get(id) ?? null;
    const after = s.after.get(id) ?? null;
    if (sameRow(before, after)) continue;
    const b = a.r.refs.check(a.db, s.tables.get(id)!, before, after);
    if (!b) continue;
    const { child, parent, cols } = b.ref;
    throw new Misfit({
      code: "foreign_key",
      message: `${child.name} refers to a row of ${parent.name} that is not there`,
      table: child.name,
      columns: columnNames(child, cols),
      on: a.down.parent(b),
      row: id,
    });
  }
}
