import type { Database } from "../lite/database.ts";
import { own } from "../meta/meta.ts";
import { foldName, type Schema, sameName, tableNamed } from "../schema.ts";
import { columnsOf } from "./inspect.ts";
import { writes } from "./judge.ts";

/**
 * Where a trigger fires: one that writes synced tables where the write happened
 * and nowhere else; one that writes only unsynced tables everywhere; one that
 * only raises guards the origin and the server.
 */
export type TriggerClass = "origin" | "everywhere" | "guard";

/** One of the app's triggers. */
export interface Trigger {
  readonly name: string;
  readonly table: string;
  readonly class: TriggerClass;
  readonly sql: string;
}

const INSERT = 18;
const UPDATE = 23;
const DELETE = 9;

/**
 * Says of each of the app's triggers, in creation order, where it fires. What a
 * trigger writes is learnt from SQLite: while a statement on its table is
 * compiled, the authorizer hears of every write together with the trigger.
 */
export function triggersIn(db: Database, schema: Schema): Trigger[] {
  const views = new Set<string>();
  const found: Omit<Trigger, "class">[] = [];
  db.each(
    "SELECT type, name, tbl_name, sql FROM main.sqlite_master WHERE type IN ('view', 'trigger') ORDER BY rowid",
    (s) => {
      const [name, table, sql] = [s.text(1), s.text(2), s.text(3)];
      if (s.text(0) === "view") views.add(foldName(name));
      else if (!own(name)) found.push({ name, table, sql });
    },
  );
  const heard = new Map<string, Map<string, Set<string>>>();
  return found.map((t) => {
    const table = foldName(t.table);
    const seen = heard.get(table) ?? writesOf(db, t.table);
    heard.set(table, seen);
    const tables = seen.get(foldName(t.name));
    // A view holds no rows of its own, and a trigger that does not even compile is left to who knows it.
    if (views.has(table) || !tables) return { ...t, class: "origin" };
    if (tables.size === 0) return { ...t, class: "guard" };
    const synced = [...tables].some((name) => views.has(foldName(name)) || syncs(db, schema, name));
    return { ...t, class: synced ? "origin" : "everywhere" };
  });
}

/** Whether a table syncs, or could: one that only this file has, with a key. The server judged its own. */
function syncs(db: Database, schema: Schema, name: string): boolean {
  if (tableNamed(schema, name)) return true;
  if (schema.objects.some((o) => o.type === "table" && sameName(o.name, name))) return false;
  const keyed = "SELECT count(*) FROM pragma_table_list l, pragma_table_xinfo(l.name, 'main') x";
  return (
    db.int(`${keyed} WHERE l.schema = 'main' AND l.type = 'table' AND l.name = ?1 COLLATE NOCASE AND x.pk`, name) > 0
  );
}

/** By trigger, in lower case, the tables that it writes. A view refuses the kinds that it has no trigger for. */
function writesOf(db: Database, table: string): Map<string, Set<string>> {
  const seen = new Map<string, Set<string>>();
  const columns = columnsOf(db, table);
  const was = db.setTriggers(true);
  try {
    db.authorize(
      (action, name, _b, _db, inside) => {
        if (inside === null || own(inside)) return;
        const tables = seen.get(foldName(inside)) ?? new Set<string>();
        seen.set(foldName(inside), tables);
        if (name !== null && (action === INSERT || action === UPDATE || action === DELETE)) tables.add(name);
      },
      () => {
        for (const sql of writes(table, columns)) compiles(db, sql);
      },
    );
  } finally {
    db.setTriggers(was);
  }
  return seen;
}

function compiles(db: Database, sql: string): void {
  try {
    db.compile(sql);
  } catch {
    // What could not be compiled was not heard of either.
  }
}
