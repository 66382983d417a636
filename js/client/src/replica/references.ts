import type { Database } from "../lite/database.ts";
import { quote } from "../lite/quote.ts";
import { type ForeignKey, place, type Schema, type Table, tableNamed } from "../schema.ts";
import { type Row, sameRow, type Value } from "../value.ts";

/**
 * A foreign key between two tables that both sync. While the engine writes,
 * foreign keys are off; it looks up the keys of the rows that a pending
 * changeset touches.
 */
export interface Reference {
  readonly child: Table;
  readonly parent: Table;
  /** Places in the child. */
  readonly cols: readonly number[];
  /** Places in the parent. */
  readonly to: readonly number[];
  readonly findParent: string;
  readonly findChild: string;
}

/** A foreign key that does not hold. */
export interface Broken {
  readonly ref: Reference;
  readonly values: Row;
}

/** The foreign keys of a schema, by the table's id. */
export class References {
  readonly from = new Map<number, Reference[]>();
  readonly to = new Map<number, Reference[]>();

  constructor(s: Schema) {
    for (const t of s.tables) {
      for (const fk of t.foreignKeys) {
        const ref = newReference(s, t, fk);
        if (!ref) continue;
        append(this.from, t.id, ref);
        append(this.to, ref.parent.id, ref);
      }
    }
  }

  /** Whether a table has a foreign key to or from one of tables. */
  linked(t: number, tables: ReadonlySet<number>): boolean {
    return (
      of(this.from, t).some((ref) => tables.has(ref.parent.id)) ||
      of(this.to, t).some((ref) => tables.has(ref.child.id))
    );
  }

  /** Adds the tables that are linked with some of tables. */
  widen(tables: ReadonlySet<number>): Set<number> {
    const out = new Set(tables);
    for (const id of tables) {
      for (const ref of of(this.from, id)) out.add(ref.parent.id);
      for (const ref of of(this.to, id)) out.add(ref.child.id);
    }
    return out;
  }

  /**
   * Looks up the foreign keys that the step from before to after of a row
   * concerns; null when all hold among the rows that are here.
   */
  check(db: Database, t: Table, before: Row | null, after: Row | null): Broken | null {
    for (const ref of of(this.from, t.id)) {
      const values = moved(after, before, ref.cols);
      if (values && !found(db, ref.findParent, values)) return { ref, values };
    }
    for (const ref of of(this.to, t.id)) {
      const values = moved(before, after, ref.to);
      if (values && found(db, ref.findChild, values) && !found(db, ref.findParent, values)) return { ref, values };
    }
    return null;
  }
}

/** The foreign keys of a schema. */
export function newReferences(s: Schema): References {
  return new References(s);
}

function append(lists: Map<number, Reference[]>, id: number, ref: Reference): void {
  const list = lists.get(id);
  if (list) list.push(ref);
  else lists.set(id, [ref]);
}

const none: readonly Reference[] = [];

/** The references of a table in one direction. */
export function of(lists: ReadonlyMap<number, readonly Reference[]>, t: number): readonly Reference[] {
  return lists.get(t) ?? none;
}

/**
 * Null for what cannot be judged here: a parent that does not sync has no rows
 * on a copy, one behind a loose key need not be here, and generated columns are
 * not in an image.
 */
function newReference(s: Schema, child: Table, fk: ForeignKey): Reference | null {
  const parent = fk.loose ? null : tableNamed(s, fk.parent);
  if (parent?.out !== "" || child.out !== "" || fk.to.length !== fk.columns.length) return null;
  const cols = fk.columns;
  const to = fk.to.map((name) => place(parent, name));
  if (cols.some((c) => c < 0) || to.some((c) => c < 0)) return null;
  const find = (t: Table, places: readonly number[]): string =>
    `SELECT 1 FROM main.${quote(t.name)} WHERE ${equals(t, places, parent, to)} LIMIT 1`;
  return { child, parent, cols, to, findParent: find(parent, to), findChild: find(child, cols) };
}

/** Compares columns with parameters by the parent's collation, as SQLite does for foreign keys on both sides. */
function equals(t: Table, cols: readonly number[], parent: Table, to: readonly number[]): string {
  const parts = cols.map((c, i) => {
    const column = t.columns[c]!;
    const by = parent.columns[to[i]!]!.collation;
    return `${quote(column.name)} = ?${i + 1}${by !== column.collation ? ` COLLATE ${quote(by)}` : ""}`;
  });
  return parts.join(" AND ");
}

/** What columns of an image hold, where another image holds something else there. */
function moved(image: Row | null, other: Row | null, cols: readonly number[]): Value[] | null {
  const values = pick(image, cols);
  if (!values) return null;
  const there = pick(other, cols);
  return there && sameRow(there, values) ? null : values;
}

/**
 * Takes columns of an image; null when one of them is NULL or there is no
 * image, so that no foreign key is concerned.
 */
export function pick(image: Row | null, cols: readonly number[]): Value[] | null {
  if (!image) return null;
  const values: Value[] = [];
  for (const c of cols) {
    const v = image[c];
    if (v === null || v === undefined) return null;
    values.push(v);
  }
  return values;
}

function found(db: Database, query: string, values: Row): boolean {
  return db.get(query, ...values) !== null;
}
