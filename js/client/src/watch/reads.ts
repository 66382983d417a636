import type { Database } from "../lite/database.ts";
import { quote } from "../lite/quote.ts";
import { tokens } from "../schema/token.ts";
import { foldName, type Schema, sameName, type Table } from "../schema.ts";
import { type Condition, type Form, formOf } from "./condition.ts";
import type { Reads, Shape } from "./watches.ts";

const READ = 20;

interface Origin {
  readonly table: string | null;
  readonly column: string | null;
}

interface Compiled {
  readonly read: ReadonlyMap<string, ReadonlySet<string>>;
  /** Names of TEMP tables and views, which may be those of synced tables. */
  readonly aside: ReadonlySet<string>;
  readonly columns: readonly string[];
  readonly origins: readonly Origin[];
}

/** Compiles a query: SQLite wants leave to read each column, those behind views included, and knows where a result's columns come from. */
function compile(db: Database, sql: string): Compiled {
  const read = new Map<string, Set<string>>();
  const aside = new Set<string>();
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
  const hear = (action: number, table: string | null, column: string | null, where: string | null): void => {
    if (action !== READ || table === null) return;
    if (where === "temp") {
      aside.add(table);
      return;
    }
    const names = read.get(table) ?? new Set();
    read.set(table, names);
    if (column !== null) names.add(column);
  };
  db.authorize(hear, () => db.compile(sql, look));
  return { read, aside, columns, origins };
}

/** What a query reads. */
export function readsOf(db: Database, schema: Schema, sql: string): Reads {
  const { read, aside, columns, origins } = compile(db, sql);
  const tables = new Map<string, ReadonlySet<string> | null>();
  const keys = new Map<string, readonly number[]>();
  const mixed = [...aside].some((name) => isStored(db, name, "temp"));
  let other = mixed;
  let only: Table | undefined;
  for (const [name, names] of read) {
    const t = schema.tables.find((t) => t.name === name && t.out === "");
    if (!t) {
      other ||= isStored(db, name, "main");
      continue;
    }
    only = t;
    // A generated column can come of any other.
    const stored = [...names].every((n) => t.columns.some((c) => c.name === n));
    tables.set(name, stored ? names : null);
    const places = keyPlaces(t, origins);
    if (places.length > 0 && !mixed) keys.set(name, places);
  }
  const key = [...keys.values()].flat();
  for (const name of joined(db, sql)) {
    const t = schema.tables.find((t) => foldName(t.name) === name && t.out === "");
    if (t) tables.set(t.name, null);
  }
  const form = read.size === 1 && !mixed && only && key.length > 0 ? formOf(sql) : null;
  return {
    tables,
    other,
    columns,
    key,
    keys,
    shape: form && only ? shapeOf(db, form, only, origins, columns, key) : null,
  };
}

/**
 * Every name that stands in a query and in the views that it reads, folded, when
 * USING or NATURAL joins tables in one of them. SQLite does not say which columns
 * these join by, nor that a table is read of which nothing else is.
 */
function joined(db: Database, sql: string): Iterable<string> {
  const names = new Set<string>();
  let joins = false;
  const visit = (text: string): void => {
    for (const t of tokens(text)) {
      joins ||= /^(?:using|natural)$/i.test(t.text);
      // SQLite takes a string for a name where it wants one.
      const name = foldName(t.name || (/^'(.*)'$/s.exec(t.text)?.[1] ?? ""));
      if (name === "" || names.has(name)) continue;
      names.add(name);
      const view = "SELECT sql FROM main.sqlite_schema WHERE type = 'view' AND name = ?1 COLLATE NOCASE";
      visit(db.text(view, name));
    }
  };
  visit(sql);
  return joins ? names : [];
}

/** How rows of the result can be looked at one by one. */
function shapeOf(
  db: Database,
  form: Form,
  t: Table,
  origins: readonly Origin[],
  columns: readonly string[],
  key: readonly number[],
): Shape {
  const names = namesOf(db, form, t, origins, columns);
  const places = names?.map((n) => origins.findIndex((o) => o.column === n));
  const distinct = key.every((k) => columns.filter((c) => sameName(c, columns[k]!)).length === 1);
  const where = key.map((k) => `${quote(columns[k]!)} = ?`).join(" AND ");
  return {
    conditions: exact(form.conditions, t),
    // A comment may end the query.
    one: distinct ? `SELECT * FROM (${form.rows}\n) WHERE ${where}` : null,
    params: form.params,
    limited: form.limited,
    places: !places || places.includes(-1) ? null : places,
    columns: names?.every((n) => t.columns.some((c) => c.name === n)) ? new Set(names) : null,
  };
}

/** Columns that say which rows there are, in which order; null when names or numbers of the result stand for them. */
function namesOf(
  db: Database,
  form: Form,
  t: Table,
  origins: readonly Origin[],
  columns: readonly string[],
): string[] | null {
  const renamed = columns.some((c, i) => c.toLowerCase() !== origins[i]?.column?.toLowerCase());
  if (renamed || form.numbers) return null;
  try {
    return [...(compile(db, `SELECT 1 ${form.rest}`).read.get(t.name) ?? [])];
  } catch {
    return null;
  }
}

/** A name that holds nothing belongs to a view or to a table-valued function. */
function isStored(db: Database, name: string, where: "main" | "temp"): boolean {
  if (name.startsWith("sqlite_")) return true;
  return db.int(`SELECT count(*) FROM ${where}.sqlite_schema WHERE type = 'table' AND name = ?`, name) > 0;
}

/** The places of a table's primary key in a result; none when a part is missing. */
function keyPlaces(t: Table, origins: readonly Origin[]): number[] {
  const places = t.key.map((k) => origins.findIndex((o) => o.table === t.name && o.column === t.columns[k]!.name));
  return places.includes(-1) ? [] : places;
}

/** The conditions on columns that compare bytes, under their declared names. */
function exact(conditions: readonly Condition[], t: Table): Condition[] {
  return conditions.flatMap((c) => {
    const column = t.columns.find((k) => sameName(k.name, c.column));
    return column?.collation === "BINARY" ? [{ ...c, column: column.name }] : [];
  });
}
