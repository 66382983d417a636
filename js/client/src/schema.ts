import type { Row, Value } from "./value.ts";

/** What a space's synced tables look like, and the other objects of the database. Mirrors schema.go. */
export interface Schema {
  /** Names this schema: 16 hexadecimal digits. */
  readonly hash: string;
  /** Synced tables, by id. */
  readonly tables: Table[];
  /** Everything else in sqlite_schema that is not Tidemark's, in creation order. */
  readonly objects: SchemaObject[];
  /** Names of the kinds of scopes, sorted; empty: one scope has everything. */
  readonly scopes: string[];
  /** Of these the kinds without keys that everybody has, whatever they want; sorted. */
  readonly public: string[];
  /** A hash of what is declared about scopes; "" without scopes. */
  readonly declared: string;
  /** Triggers by which a copy refuses what the server would refuse as well. */
  readonly guards: Guard[];
}

/** A trigger that watches the table with this id; its name begins with _tm_rule_. */
export interface Guard {
  readonly table: number;
  readonly name: string;
  readonly sql: string;
}

export interface SchemaObject {
  readonly type: string;
  readonly name: string;
  readonly table: string;
  readonly sql: string;
}

export interface Table {
  readonly id: number;
  readonly name: string;
  readonly sql: string;
  /** The stored columns: not the generated ones. */
  readonly columns: Column[];
  /** Places of the primary key's columns, in key order. */
  readonly key: number[];
  readonly rowidAlias: boolean;
  readonly withoutRowid: boolean;
  readonly strict: boolean;
  readonly autoincrement: boolean;
  readonly uniques: Unique[];
  readonly foreignKeys: ForeignKey[];
  /** Why the table no longer syncs; "" while it does. */
  readonly out: string;
  readonly policy: TablePolicy;
}

/** 0 BLOB, 1 TEXT, 2 NUMERIC, 3 INTEGER, 4 REAL. */
export type Affinity = 0 | 1 | 2 | 3 | 4;

export type Collation = string;

export interface Column {
  readonly name: string;
  readonly type: string;
  readonly affinity: Affinity;
  /** Upper case; BINARY unless declared. */
  readonly collation: Collation;
  readonly notNull: boolean;
  /** SQL text of the default, "" for none. */
  readonly default: string;
  /** "": the table's. */
  readonly policy: Policy | "";
  /** Name of the function of policy custom. */
  readonly custom: string;
  /** Columns of one group merge as one unit; "": alone. */
  readonly group: string;
}

export interface Unique {
  readonly name: string;
  readonly terms: readonly { readonly column: number; readonly expr: string; readonly collation: Collation }[];
  readonly where: string;
}

export interface ForeignKey {
  /** Places in the child's columns; -1 for a generated column. */
  readonly columns: number[];
  readonly parent: string;
  readonly to: string[];
  readonly onUpdate: string;
  readonly onDelete: string;
  readonly setNull: boolean;
  /** A replica may hold a row without the one that it refers to: its tables are made without this foreign key. */
  readonly loose: boolean;
}

export type Policy =
  | "last-write"
  | "latest-edit"
  | "first-write"
  | "counter"
  | "max"
  | "min"
  | "set"
  | "json"
  | "text"
  | "append-only"
  | "reject"
  | "manual"
  | "custom";

export interface TablePolicy {
  readonly columns: Policy | "";
  readonly onDelete: "" | "delete-wins" | "update-wins" | "manual";
  readonly onInsert: "" | "reject" | "merge" | "renumber";
  readonly onUnique: string;
  readonly keep: "" | "losers" | "nothing";
  readonly keepFor: number;
  readonly maxSkew: number;
  readonly lease: number;
}

/** Whether replicas hold some scopes, and not everything. */
export function scoped(s: Schema): boolean {
  return s.scopes.length > 0;
}

/** Finds a synced table by its id. */
export function tableByID(s: Schema, id: number): Table | null {
  const t = s.tables[id - 1];
  return t?.id === id ? t : (s.tables.find((x) => x.id === id) ?? null);
}

/** Finds a synced table by its name. */
export function tableNamed(s: Schema, name: string): Table | null {
  return s.tables.find((t) => sameName(t.name, name)) ?? null;
}

/** Writes a name so that two that are one to SQLite are equal: A to Z are small, every other character stays. */
export function foldName(name: string): string {
  return name.replace(/[A-Z]+/g, (c) => c.toLowerCase());
}

/** Whether two names are one to SQLite, for which É and é differ. */
export function sameName(a: string, b: string): boolean {
  return a === b || foldName(a) === foldName(b);
}

/** Picks the key's values from a whole row. */
export function keyOf(t: Table, row: Row): Value[] {
  return t.key.map((c) => row[c]!);
}

/** Where the column of a name stands, or -1. */
export function place(t: Table, name: string): number {
  return t.columns.findIndex((c) => sameName(c.name, name));
}

/** Names columns by their places; "?" is a generated column, which has none. */
export function columnNames(t: Table, places: readonly number[]): string[] {
  return places.map((c) => t.columns[c]?.name ?? "?");
}
