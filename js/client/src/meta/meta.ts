/** Named facts that every file of Tidemark keeps in _tm_meta. */
import { TidemarkError } from "../error.ts";
import type { Database } from "../lite/database.ts";
import type { Value } from "../value.ts";

/** Version of the bookkeeping tables. A file with a higher one was made by a newer build. */
export const format = 2;

/** Begins the name of every bookkeeping table, index and trigger. */
export const prefix = "_tm_";

export const keyFormat = "format";
export const keyRole = "role";
export const keySpace = "space";
export const keyIncarnation = "incarnation";
export const keyTerm = "term";
/** Hash of the current schema. */
export const keySchema = "schema";
/** The schema as JSON. */
export const keySchemaBody = "schema_body";
/** PRAGMA schema_version when capture was last made. */
export const keyDDLVersion = "ddl_version";
/** Secret of the cell hashes, 16 bytes. */
export const keyDigestKey = "digest_key";
export const keySeq = "seq";
export const keySum = "sum";

/** The role of a file, "" for one without bookkeeping. Refuses a format that is newer than this build. */
export function adopted(db: Database): string {
  if (db.int("SELECT count(*) FROM main.sqlite_master WHERE type = 'table' AND name = '_tm_meta'") === 0) return "";
  const found = getInt(db, keyFormat);
  if (found <= format) return get(db, keyRole);
  throw new TidemarkError("newer_format", `format ${found} is newer than this build, which knows ${format}`, {
    op: "open",
    hint: "install the newer version",
  });
}

/** Makes the table of facts and marks format and role. */
export function create(db: Database, role: string): void {
  db.run("CREATE TABLE main._tm_meta (k TEXT PRIMARY KEY, v) WITHOUT ROWID");
  setInt(db, keyFormat, format);
  set(db, keyRole, role);
}

/** A fact, NULL when it is not there. */
export function value(db: Database, key: string): Value {
  return db.get("SELECT v FROM main._tm_meta WHERE k = ?1", key)?.[0] ?? null;
}

/** A fact as text, "" when it is none. */
export function get(db: Database, key: string): string {
  const v = value(db, key);
  return typeof v === "string" ? v : "";
}

/** A fact as an integer, 0 when it is none. */
export function getInt(db: Database, key: string): number {
  const v = value(db, key);
  return typeof v === "bigint" ? Number(v) : 0;
}

export function setValue(db: Database, key: string, v: Value): void {
  db.run("INSERT OR REPLACE INTO main._tm_meta (k, v) VALUES (?1, ?2)", key, v);
}

export function set(db: Database, key: string, text: string): void {
  setValue(db, key, text);
}

export function setInt(db: Database, key: string, n: number): void {
  setValue(db, key, BigInt(n));
}

/** Whether a name belongs to Tidemark's bookkeeping. */
export function own(name: string): boolean {
  return name.slice(0, prefix.length).toLowerCase() === prefix;
}
