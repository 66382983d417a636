/**
 * Follows integer keys through a schema: which columns hold the ids of which
 * table, by the declared references, and gives the rows in changes other ids.
 * Mirrors internal/ids.
 *
 * A column holds the ids of a table when it is the table's integer key, or when a
 * foreign key declares that it refers to a column that does; so also through
 * several tables, in keys, and in the table itself. A number that no declaration
 * says to be an id is never touched.
 */
import { type Change, INSERT, UPDATE } from "../change.ts";
import { editOf } from "../policy.ts";
import { type ForeignKey, type Schema, sameName, type Table } from "../schema.ts";
import type { Value } from "../value.ts";

/** The name that an id has, or null where it keeps its own. */
export type Renaming = (of: Table, id: bigint) => bigint | null;

/** The columns of a schema that hold ids. */
export interface Columns {
  /** Whether some table gives its rows other ids. */
  readonly given: boolean;
  /** By the number of their table. */
  readonly places: ReadonlyMap<number, readonly Place[]>;
}

/** Says that a column of a table holds ids of another. */
interface Place {
  readonly table: Table;
  readonly col: number;
  readonly of: Table;
}

/** Finds the columns that hold ids. */
export function columnsOf(s: Schema): Columns {
  const tables = s.tables.filter((t) => t.out === "");
  const places = new Map<number, Place[]>(tables.map((t) => [t.id, []]));
  for (const of of tables) if (of.rowidAlias) spread(of, of, of.key[0]!);
  return { given: tables.some(renumbers), places };

  /** Notes that a column holds ids of a table, and all columns that refer to it. */
  function spread(of: Table, table: Table, col: number): void {
    const known = places.get(table.id)!;
    if (known.some((p) => p.col === col && p.of === of)) return;
    known.push({ table, col, of });
    for (const child of tables) {
      for (const fk of child.foreignKeys) {
        const at = referring(fk, table, col);
        if (at >= 0) spread(of, child, at);
      }
    }
  }
}

/** Whether rows of a table get other ids when theirs are taken. */
export function renumbers(t: Table): boolean {
  return t.out === "" && t.rowidAlias && t.policy.onInsert === "renumber";
}

/** The child's column that a foreign key ties to a column of the parent, or -1. */
function referring(fk: ForeignKey, parent: Table, col: number): number {
  if (!sameName(fk.parent, parent.name)) return -1;
  const i = fk.to.findIndex((name, at) => at < fk.columns.length && sameName(name, parent.columns[col]!.name));
  return fk.columns[i] ?? -1;
}

/** Calls fn for the ids that a change says: those of its key and those among its values. */
export function eachID(cols: Columns, c: Change, fn: (of: Table, id: bigint) => void): void {
  for (const p of cols.places.get(c.table) ?? []) {
    const said = [c.op === INSERT ? null : c.key[p.table.key.indexOf(p.col)], c.values[valueAt(c, p.col)]];
    for (const v of said) {
      const id = idOf(v ?? null);
      if (id !== null) fn(p.of, id);
    }
  }
}

/** The place of a column among the new values of a change, or -1. */
function valueAt(c: Change, col: number): number {
  if (c.op === INSERT) return col;
  const at = c.op === UPDATE ? c.columns.indexOf(col) : -1;
  return at >= 0 && editOf(c, at)?.kind ? -1 : at;
}

/**
 * Gives ids other names. It returns copies of the changes that change, in their
 * order, and the very list that was given when none does. All names are given at
 * once: an id that one row loses and another gets is no trouble.
 */
export function rename(cols: Columns, changes: Change[], to: Renaming): Change[] {
  const out = changes.map((c) => renameOne(cols, c, to));
  return out.every((c, i) => c === changes[i]) ? changes : out;
}

function renameOne(cols: Columns, c: Change, to: Renaming): Change {
  const out = { ...c, key: [...c.key], values: [...c.values] };
  let changed = false;
  const set = (values: Value[], was: readonly Value[], at: number, of: Table): void => {
    const v = was[at] ?? null;
    const id = idOf(v);
    const name = id === null ? null : to(of, id);
    if (name === null || name === id) return;
    values[at] = like(v, name);
    changed = true;
  };
  for (const p of cols.places.get(c.table) ?? []) {
    set(out.key, c.key, p.table.key.indexOf(p.col), p.of);
    set(out.values, c.values, valueAt(c, p.col), p.of);
  }
  return changed ? out : c;
}

/** Reads an id. A referring column may be of any type: SQLite compares by the type of the column that it refers to. */
function idOf(v: Value): bigint | null {
  if (typeof v === "number") return Number.isInteger(v) && Math.abs(v) <= 2 ** 53 ? BigInt(v) : null;
  if (typeof v === "string" && /^[+-]?\d+$/.test(v.trim())) {
    const id = BigInt(v.trim().replace("+", ""));
    return BigInt.asIntN(64, id) === id ? id : null;
  }
  return typeof v === "bigint" ? v : null;
}

/** Writes an id in the form of another. */
function like(v: Value, id: bigint): Value {
  if (typeof v === "number") return Number(id);
  return typeof v === "string" ? String(id) : id;
}

/** The id that a change gives to a row of a table that renumbers: by an insert, or by a move; null: none. */
export function arrivalID(t: Table, c: Change): bigint | null {
  const v = c.values[valueAt(c, t.key[0]!)];
  return typeof v === "bigint" && (c.op !== UPDATE || v !== c.key[0]) ? v : null;
}
