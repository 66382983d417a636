import type { Database } from "../lite/database.ts";

/** A table as it is here: what tells whether it is still the server's. */
export interface Found {
  readonly name: string;
  readonly sql: string;
  readonly columns: readonly { readonly name: string }[];
  /** Unique constraints and indexes, without the primary key. */
  readonly uniques: readonly { readonly name: string }[];
}

/** Finds a table of the file; null where there is none. */
export function inspect(db: Database, table: string): Found | null {
  const row = db.get(
    "SELECT name, sql FROM main.sqlite_master WHERE type = 'table' AND name = ?1 COLLATE NOCASE",
    table,
  );
  if (typeof row?.[0] !== "string" || typeof row[1] !== "string") return null;
  const [name, sql] = row;
  const columns = columnsOf(db, name);
  const uniques = named(db, `pragma_index_list(?1, 'main') WHERE "unique" AND origin <> 'pk'`, name);
  return { name, sql, columns, uniques };
}

/** The stored columns of a table or view: not the generated ones. */
export function columnsOf(db: Database, table: string): { readonly name: string }[] {
  return named(db, "pragma_table_xinfo(?1, 'main') WHERE hidden = 0", table);
}

function named(db: Database, from: string, table: string): { readonly name: string }[] {
  const list: { readonly name: string }[] = [];
  db.each(`SELECT name FROM ${from}`, (s) => list.push({ name: s.text(0) }), table);
  return list;
}
