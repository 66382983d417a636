import { quote } from "../lite/quote.ts";
import type { Widened } from "../schema/compare.ts";
import { looseDefs, looseSQL } from "../schema/loose.ts";
import type { Schema, Table } from "../schema.ts";
import type { Attempt } from "./attempt.ts";
import { synced } from "./base.ts";

const known = new WeakMap<Table, string>();

/** How a table is made here: without the foreign keys that lead to rows that a copy need not have. */
export function definitionOf(t: Table): string {
  let sql = known.get(t);
  if (sql === undefined) {
    sql = looseSQL(t);
    known.set(t, sql);
  }
  return sql;
}

/**
 * Gives the tables the foreign keys that the new schema has them with: another
 * declaration of scopes can make a key loose, or honour one that was loose. It
 * writes the definitions themselves, which SQLite allows where what is stored of
 * rows does not depend on what changes.
 */
export function reline(a: Attempt, from: Schema): void {
  let changed = false;
  for (const f of from.tables) {
    const t = synced(a.r.schema, f.id);
    const was = t && asBefore(f, t);
    if (!was) continue;
    rewrite(a, t, looseSQL(was), definitionOf(t));
    changed = true;
  }
  if (changed) a.db.forget();
}

/** A table with the keys loose that were, with the columns that were just added; null where the same are. */
function asBefore(f: Table, t: Table): Table | null {
  const loose = (i: number): boolean => (f.foreignKeys[i] ?? t.foreignKeys[i]!).loose;
  if (t.foreignKeys.every((fk, i) => fk.loose === loose(i))) return null;
  return { ...t, foreignKeys: t.foreignKeys.map((fk, i) => ({ ...fk, loose: loose(i) })) };
}

/** Puts one definition in the place of another. A table that is not made as expected stays as it is: it is going to leave syncing. */
function rewrite({ db }: Attempt, t: Table, from: string, to: string): void {
  const version = db.int("PRAGMA main.schema_version");
  db.run("PRAGMA writable_schema = ON");
  try {
    db.run(
      "UPDATE main.sqlite_master SET sql = ?1 WHERE type = 'table' AND name = ?2 COLLATE NOCASE AND sql = ?3",
      to,
      t.name,
      from,
    );
    db.run(`PRAGMA main.schema_version = ${version + 1}`);
  } finally {
    db.run("PRAGMA writable_schema = RESET");
  }
}

/** The statements that add columns, without loose foreign keys. */
export function addedColumns({ from, to, defs }: Widened): string {
  return looseDefs(to, defs)
    .map((def) => `ALTER TABLE main.${quote(from.name)} ADD COLUMN ${def};`)
    .join("\n");
}
