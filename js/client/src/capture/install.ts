import type { Database } from "../lite/database.ts";
import { quote } from "../lite/quote.ts";
import { foldName, type Schema, type Table } from "../schema.ts";
import { createGuards, GUARD_PREFIX, guards } from "./guards.ts";
import { INSERTED, type Trigger, triggersOf } from "./triggers.ts";
import { verify } from "./verify.ts";

/**
 * Makes the log and the triggers for all tables of s that sync. It is
 * idempotent: triggers that are there already and have the right text stay, and
 * when nothing is to be done nothing is written. `readOnly` makes triggers that
 * refuse every write instead. It makes the guards that the schema brings, too.
 */
export function install(db: Database, s: Schema, readOnly: boolean): void {
  const work = () => {
    makeTables(db, s);
    const have = readTriggers(db);
    const want = s.tables.flatMap((t) => (t.out ? [] : triggersOf(t, columnNames(db, t), readOnly)));
    if (!readOnly) want.push(...guards(s));
    const missing = want.filter((w) => !current(have.get(w.name), w));
    const keep = new Set(want.filter((w) => !missing.includes(w)).map((w) => w.name));
    dropAll(
      db,
      [...have.keys()].sort().filter((name) => !keep.has(name)),
    );
    const guarding = missing.filter((w) => w.name.startsWith(GUARD_PREFIX));
    const capturing = missing.filter((w) => !guarding.includes(w));
    createAll(db, capturing);
    verify(db, capturing);
    createGuards(db, guarding);
  };
  if (db.inTransaction) db.savepoint("_tm_install", work);
  else db.transaction(work);
}

function hasTable(db: Database, name: string): boolean {
  return db.int(`SELECT count(*) FROM main.sqlite_master WHERE type = 'table' AND name = ?1`, name) > 0;
}

function makeTables(db: Database, s: Schema): void {
  if (!hasTable(db, "_tm_log")) {
    db.run(`CREATE TABLE main._tm_log (n INTEGER PRIMARY KEY, t, op, m, v0, v1, v2, v3, v4, v5, v6, v7, v8, v9)`);
  }
  recordTables(db, s);
}

/**
 * Keeps the list of tables that have a number. A number outlives its table, so
 * that it never goes to another one.
 */
function recordTables(db: Database, s: Schema): void {
  if (!hasTable(db, "_tm_table")) {
    db.run(`CREATE TABLE main._tm_table (t INTEGER PRIMARY KEY, name TEXT, "out" TEXT)`);
  }
  for (const t of s.tables) {
    const args = [BigInt(t.id), t.name, t.out];
    const same = `SELECT count(*) FROM main._tm_table WHERE t = ?1 AND name = ?2 AND "out" = ?3`;
    if (db.int(same, ...args) > 0) continue;
    db.run(`INSERT OR REPLACE INTO main._tm_table (t, name, "out") VALUES (?1, ?2, ?3)`, ...args);
  }
}

function columnNames(db: Database, t: Table): string[] {
  const names: string[] = [];
  db.each("SELECT name FROM pragma_table_xinfo(?1, 'main') ORDER BY cid", (s) => names.push(s.text(0)), t.name);
  return names;
}

/** A trigger as sqlite_schema keeps it; `last`: no trigger of the app on its table is younger. */
interface Installed {
  readonly row: number;
  readonly table: string;
  readonly body: string;
  last: boolean;
}

/** Lists the capture triggers that are there. */
function readTriggers(db: Database): Map<string, Installed> {
  const have = new Map<string, Installed>();
  const youngest = new Map<string, number>(); // the app's triggers by table
  db.each(`SELECT rowid, name, tbl_name, sql FROM main.sqlite_master WHERE type = 'trigger' ORDER BY rowid`, (s) => {
    const [row, name, table] = [s.int(0), s.text(1), foldName(s.text(2))];
    if (!name.startsWith("_tm_")) youngest.set(table, row);
    else have.set(name, { row, table, body: s.text(3).replace(/^CREATE TRIGGER /, ""), last: true });
  });
  for (const t of have.values()) t.last = t.row > (youngest.get(t.table) ?? 0);
  return have;
}

/**
 * Whether a trigger can stay as it is. SQLite fires the youngest trigger first,
 * and the one behind inserts must come before the app's: these may move or
 * delete the new row again.
 */
function current(h: Installed | undefined, w: Trigger): boolean {
  return h?.body === w.body && (h.last || !w.name.endsWith(`_${INSERTED}`));
}

/** Drops triggers by their names. */
export function dropAll(db: Database, names: readonly string[]): void {
  for (const name of names) db.run(`DROP TRIGGER main.${quote(name)}`);
}

/** Makes triggers. */
export function createAll(db: Database, triggers: readonly Trigger[]): void {
  for (const t of triggers) db.script(`CREATE TRIGGER main.${t.body}`);
}
