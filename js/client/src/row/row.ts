/**
 * Reads and writes single rows of synced tables. Every statement says OR ABORT,
 * so that a declared ON CONFLICT clause never evicts another row. A key is
 * compared by the table's own collations. What is read back may differ from
 * what was written, by the columns' affinities.
 */
import type { Database } from "../lite/database.ts";
import { quote } from "../lite/quote.ts";
import type { Work } from "../lite/work.ts";
import type { Table } from "../schema.ts";
import type { Row, Value } from "../value.ts";

/** Statements of a table by what they do: most rows are touched by the same few. */
const cache = new WeakMap<Table, Map<string | number, string>>();

function cached(t: Table, what: string | number, make: () => string): string {
  let statements = cache.get(t);
  if (!statements) {
    statements = new Map();
    cache.set(t, statements);
  }
  let sql = statements.get(what);
  if (sql === undefined) {
    sql = make();
    statements.set(what, sql);
  }
  return sql;
}

const named = (t: Table, places: readonly number[]): string[] => places.map((c) => quote(t.columns[c]!.name));
const table = (t: Table): string => `main.${quote(t.name)}`;
const marks = (n: number): string => Array.from({ length: n }, (_, i) => `?${i + 1}`).join(", ");

/** The quoted names of the stored columns, as they stand in SELECT. */
export function columns(t: Table): string {
  return t.columns.map((c) => quote(c.name)).join(", ");
}

/** The condition that finds a row by its key, with parameters numbered from `first` on. */
export function whereKey(t: Table, first: number): string {
  return named(t, t.key)
    .map((name, i) => `${name} = ?${first + i}`)
    .join(" AND ");
}

/** The condition that finds rows with NULL in their key, which nothing can name; "" where there can be none. */
export function whereKeyless(t: Table): string {
  if (t.rowidAlias || t.withoutRowid) return "";
  const open = t.key.filter((c) => !t.columns[c]!.notNull);
  return named(t, open)
    .map((name) => `${name} IS NULL`)
    .join(" OR ");
}

/** The key's columns for ORDER BY. */
export function orderByKey(t: Table): string {
  return named(t, t.key).join(", ");
}

/** The whole row with this key, or null. */
export function get(db: Database, t: Table, key: Row): Value[] | null {
  return db.get(
    cached(t, "get", () => `SELECT ${columns(t)} FROM ${table(t)} WHERE ${whereKey(t, 1)}`),
    ...key,
  );
}

/** Whether a row with this key is there. */
export function exists(db: Database, t: Table, key: Row): boolean {
  return db.get(`SELECT 1 FROM ${table(t)} WHERE ${whereKey(t, 1)}`, ...key) !== null;
}

/** Inserts a row. values may be shorter than the table; the rest takes its defaults. */
export function insert(db: Database, t: Table, values: Row): void {
  const n = values.length;
  const make = (): string => {
    const names = named(t, [...values.keys()]).join(", ");
    return `INSERT OR ABORT INTO ${table(t)} (${names}) VALUES (${marks(n)})`;
  };
  db.run(cached(t, n, make), ...values);
}

/** Sets columns of the row with this key, and tells whether there was one. */
export function update(db: Database, t: Table, key: Row, cols: readonly number[], values: Row): boolean {
  if (cols.length === 0) return exists(db, t, key);
  const make = (): string => {
    const sets = named(t, cols).map((name, i) => `${name} = ?${i + 1}`);
    return `UPDATE OR ABORT ${table(t)} SET ${sets.join(", ")} WHERE ${whereKey(t, cols.length + 1)}`;
  };
  db.run(cached(t, cols.join(), make), ...values, ...key);
  return db.changes() > 0;
}

/** Deletes the row with this key, and tells whether there was one. */
export function remove(db: Database, t: Table, key: Row): boolean {
  const sql = cached(t, "remove", () => `DELETE FROM ${table(t)} WHERE ${whereKey(t, 1)}`);
  db.run(sql, ...key);
  return db.changes() > 0;
}

/**
 * Calls fn for every row in key order, beginning behind `after` (null: at the
 * first), ending at `upto` (null: at the last), at most `limit` rows (0: all).
 */
export function* scan(
  db: Database,
  t: Table,
  after: Row | null,
  upto: Row | null,
  limit: number,
  fn: (row: Value[]) => void,
): Work<void> {
  const where: string[] = [];
  const args: Value[] = [];
  for (const [op, key] of [[">", after] as const, ["<=", upto] as const]) {
    if (key === null) continue;
    const params = key.map((_, i) => `?${args.length + i + 1}`);
    where.push(`(${orderByKey(t)}) ${op} (${params.join(", ")})`);
    args.push(...key);
  }
  let sql = `SELECT ${columns(t)} FROM ${table(t)}`;
  if (where.length > 0) sql += ` WHERE ${where.join(" AND ")}`;
  sql += ` ORDER BY ${orderByKey(t)}`;
  if (limit > 0) sql += ` LIMIT ${limit}`;
  yield* db.pass(sql, (s) => fn(s.row()), ...args);
}
