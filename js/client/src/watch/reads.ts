import type { Database } from "../lite/database.ts";
import type { Schema, Table } from "../schema.ts";
import { type Condition, conditionsOf } from "./condition.ts";
import type { Reads } from "./watches.ts";

const READ = 20;

interface Origin {
  readonly table: string | null;
  readonly column: string | null;
}

/**
 * What a query reads: SQLite says it itself, it wants leave to read each column
 * while it compiles, those behind views included.
 */
export function readsOf(db: Database, schema: Schema, sql: string): Reads {
  const read = new Map<string, Set<string>>();
  const columns: string[] = [];
  const origins: Origin[] = [];
  const { capi } = db.sqlite.api;
  const look = (handle: number): void => {
    for (let i = 0; i < capi.sqlite3_column_count(handle); i++) {
      columns.push(capi.sqlite3_column_name(handle, i));
      origins.push({
        table: capi.sqlite3_column_table_name(handle, i),
        column: capi.sqlite3_column_origin_name(handle, i),
      });
    }
  };
  const hear = (action: number, table: string | null, column: string | null): void => {
    if (action !== READ || table === null) return;
    const names = read.get(table) ?? new Set();
    read.set(table, names);
    if (column !== null) names.add(column);
  };
  db.authorize(hear, () => db.compile(sql, look));

  const tables = new Map<string, ReadonlySet<string> | null>();
  const key: number[] = [];
  let other = false;
  let only: Table | undefined;
  for (const [name, names] of read) {
    const t = schema.tables.find((t) => t.name === name && t.out === "");
    if (!t) {
      other ||= isStored(db, name);
      continue;
    }
    only = t;
    // A generated column can come of any other.
    const stored = [...names].every((n) => t.columns.some((c) => c.name === n));
    tables.set(name, stored ? names : null);
    key.push(...keyPlaces(t, origins));
  }
  const conditions = read.size === 1 && only && key.length > 0 ? conditionsOf(sql) : null;
  return { tables, other, columns, key, conditions: conditions && only ? exact(conditions, only) : null };
}

/** A name that holds nothing belongs to a view or to a table-valued function. */
function isStored(db: Database, name: string): boolean {
  if (name.startsWith("sqlite_")) return true;
  const sql = "SELECT count(*) FROM (SELECT * FROM main.sqlite_schema UNION ALL SELECT * FROM temp.sqlite_schema)";
  return db.int(`${sql} WHERE type = 'table' AND name = ?`, name) > 0;
}

/** The places of a table's primary key in a result; none when a part is missing. */
function keyPlaces(t: Table, origins: readonly Origin[]): number[] {
  const places = t.key.map((k) => origins.findIndex((o) => o.table === t.name && o.column === t.columns[k]!.name));
  return places.includes(-1) ? [] : places;
}

/** The conditions on columns that compare bytes, under their declared names. */
function exact(conditions: readonly Condition[], t: Table): Condition[] {
  return conditions.flatMap((c) => {
    const column = t.columns.find((k) => k.name.toLowerCase() === c.column.toLowerCase());
    return column?.collation === "BINARY" ? [{ ...c, column: column.name }] : [];
  });
}
