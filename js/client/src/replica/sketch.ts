import type { RowChange } from "../capture/segment.ts";
import { type Change, DELETE, INSERT } from "../change.ts";
import { renumbers } from "../ids/ids.ts";
import { columnNames, type Table } from "../schema.ts";
import { type Row, sameRow } from "../value.ts";
import { type Attempt, readRow } from "./attempt.ts";
import { type Images, idOf, keyAfter, type RowID, rowsOf, synced, wellFormed } from "./base.ts";
import { withColumns } from "./incoming.ts";
import { keyless } from "./keyless.ts";
import { Misfit } from "./misfit.ts";

/** What a changeset makes of the rows that it touches. */
export class Sketch {
  readonly tables = new Map<RowID, Table>();
  /** As first touched. */
  readonly order: RowID[] = [];
  readonly before: Images = new Map();
  readonly after: Images = new Map();
  /** Where an arriving row comes from. */
  readonly moved = new Map<RowID, RowID>();
}

/**
 * Works a changeset out on the rows as they are: first what leaves, then what
 * changes in place, then what arrives. So rows may trade keys. An update of a row
 * that is gone does nothing when a pending changeset is put back, since the server
 * will drop that change too; when a person asks for it (`strict`) it is a misfit.
 */
export function sketchOf(a: Attempt, changes: readonly Change[], strict: boolean, into: Sketch): void {
  for (const c of changes) see(a, into, c);
  for (const c of changes) {
    const t = synced(a.r.schema, c.table);
    if (!t) continue;
    const [from, to] = rowsOf(t, c);
    if (c.op === DELETE || to) into.after.set(from!, null);
  }
  for (const c of changes) {
    const t = synced(a.r.schema, c.table);
    if (t && c.op !== DELETE) arriveAt(a, into, t, c, strict);
  }
}

/** Reads the rows that a change touches. */
function see(a: Attempt, s: Sketch, c: Change): void {
  const t = synced(a.r.schema, c.table);
  if (!t) return;
  if (!wellFormed(t, c)) {
    s.order.length = 0;
    throw new Misfit({ code: "schema", message: "a change does not fit the table", table: t.name });
  }
  for (const id of rowsOf(t, c)) {
    if (s.tables.has(id)) continue;
    const image = readRow(a, t, id);
    s.tables.set(id, t);
    s.before.set(id, image);
    s.after.set(id, image);
    s.order.push(id);
  }
}

function arriveAt(a: Attempt, s: Sketch, t: Table, c: Change, strict: boolean): void {
  const m = keyless(t, keyAfter(t, c));
  if (m) throw m;
  const [from = "", to = from] = rowsOf(t, c);
  const before = s.before.get(from) ?? null;
  if (c.op === INSERT) {
    arrive(a, s, t, c, to, c.values, strict);
  } else if (c.columns.length === 0) {
    // it is predicted to be lost
  } else if (!before) {
    missing(a, t, from, c, strict);
  } else if (from === to) {
    s.after.set(to, edited(t, s.after.get(to) ?? [], c)); // other changes may have touched it
  } else {
    arrive(a, s, t, c, to, edited(t, before, c), strict);
    s.moved.set(to, from);
  }
}

/** Puts a row where none may be. */
function arrive(a: Attempt, s: Sketch, t: Table, c: Change, to: RowID, after: Row, strict: boolean): void {
  const there = s.after.get(to);
  if (there) {
    const own = c.op === INSERT && (strict || !renumbers(t));
    if (own && sameRow(there.slice(0, after.length), after)) return;
    throw new Misfit({
      code: "unique",
      message: "the key is taken",
      table: t.name,
      key: keyAfter(t, c),
      columns: columnNames(t, t.key),
      on: a.down.touched.get(to) ?? 0,
      row: to,
    });
  }
  s.after.set(to, after);
}

/** A row with an update's columns; a misfit where an edit cannot be made of what it holds now. */
function edited(t: Table, image: Row, c: Change): Row {
  try {
    return withColumns(t, image, c);
  } catch (err) {
    throw new Misfit({
      code: "conflict",
      message: `the edit does not fit what is there now: ${err instanceof Error ? err.message : err}`,
      table: t.name,
      key: c.key,
      columns: columnNames(t, c.columns),
      row: idOf(t, c.key),
    });
  }
}

/** Judges an update of a row that is not here. */
function missing(a: Attempt, t: Table, id: RowID, c: Change, strict: boolean): void {
  const where = { table: t.name, key: c.key };
  if (a.down.arrived.has(id)) {
    throw new Misfit({
      code: "depends_on",
      message: "the row is not there",
      ...where,
      on: a.down.touched.get(id) ?? 0,
    });
  }
  if (strict) throw new Misfit({ code: "not_found", message: "the row is gone", ...where });
}

/** The sketch's row changes, as capture would have seen them. */
export function rowsOfSketch(s: Sketch): RowChange[] {
  const rows: RowChange[] = [];
  const left = new Set(s.order.flatMap((to) => s.moved.get(to) ?? []));
  const add = (table: Table, before: Row | null, after: Row | null): void => {
    rows.push({ table, before, after, editedAt: 0 });
  };
  for (const id of s.order) {
    const t = s.tables.get(id)!;
    const from = s.moved.get(id);
    const before = left.has(id) ? null : (s.before.get(id) ?? null); // it goes with the row that moved
    const after = s.after.get(id) ?? null;
    if (from !== undefined) add(t, s.before.get(from) ?? null, after);
    const stays = from === undefined ? after : null;
    if (!sameRow(before, stays)) add(t, before, stays);
  }
  return rows;
}
