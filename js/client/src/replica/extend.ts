import type { Database } from "../lite/database.ts";
import * as meta from "../meta/meta.ts";
import { markStructure } from "./create.ts";
import { historyBookkeeping, idBookkeeping, scopeBookkeeping, textBookkeeping } from "./facts.ts";

/** What later builds added to the bookkeeping: what is looked for (no column: the table), and the SQL. */
const additions: readonly (readonly [table: string, column: string, sql: string])[] = [
  ["_tm_pending", "view", "ALTER TABLE main._tm_pending ADD COLUMN view BLOB"],
  ["_tm_text", "", textBookkeeping],
  ["_tm_history", "", historyBookkeeping],
  ["_tm_renumbered", "", idBookkeeping],
  ["_tm_stage", "scope", "ALTER TABLE main._tm_stage ADD COLUMN scope TEXT"],
  ["_tm_stage", "part", "ALTER TABLE main._tm_stage ADD COLUMN part INTEGER NOT NULL DEFAULT 0"],
  ["_tm_scope", "", scopeBookkeeping],
];

/**
 * Brings the bookkeeping of an older file up to date and tells whether
 * something was to be done; the app's DDL is left for drift to find.
 */
export function extend(db: Database, version: number): boolean {
  let changed = false;
  for (const [table, column, sql] of additions) {
    if (has(db, table, column)) continue;
    db.script(sql);
    changed = true;
  }
  if (!changed) return false;
  db.forget();
  // From here on an earlier build would not understand what is written.
  meta.setInt(db, meta.keyFormat, meta.format);
  if (meta.getInt(db, meta.keyDDLVersion) === version) markStructure(db);
  return true;
}

function has(db: Database, table: string, column: string): boolean {
  const sql = column
    ? "SELECT count(*) FROM pragma_table_info(?1, 'main') WHERE name = ?2"
    : "SELECT count(*) FROM main.sqlite_master WHERE type = 'table' AND name = ?1";
  return db.int(sql, table, ...(column ? [column] : [])) > 0;
}
