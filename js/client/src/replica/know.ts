import { GUARD_PREFIX } from "../capture/guards.ts";
import { install } from "../capture/install.ts";
import { Hasher } from "../digest/digest.ts";
import { TidemarkError } from "../error.ts";
import type { Database } from "../lite/database.ts";
import * as meta from "../meta/meta.ts";
import { decode } from "../schema/encode.ts";
import { type Found, inspect } from "../schema/inspect.ts";
import { sameName, type Table } from "../schema.ts";
import { bytesOf } from "../value.ts";
import { markStructure } from "./create.ts";
import { extend } from "./extend.ts";
import { flag, keyProven, keyReadOnly, keyRepair, store } from "./facts.ts";
import { mergingOf } from "./intent.ts";
import { definitionOf } from "./loose.ts";
import { findMirrors } from "./mirror.ts";
import { newReferences } from "./references.ts";
import type { Replica } from "./replica.ts";
import { overwriteDeleted } from "./scrub.ts";
import { seal } from "./seal.ts";
import { forgetSums } from "./tally.ts";

const structure = "PRAGMA main.schema_version";

/**
 * Makes sure that the engine knows the file's structure: the first step of
 * every writing transaction, since the app may have run DDL.
 */
export function know(r: Replica): void {
  const { db } = r;
  let version = db.int(structure);
  if (version === r.ddl) return;
  if (extend(db, version)) version = db.int(structure);
  load(r);
  if (meta.getInt(db, meta.keyDDLVersion) !== version) drift(r);
  findMirrors(r);
  r.ddl = db.int(structure);
}

/** Reads the schema and what else belongs to the file. */
function load(r: Replica): void {
  const { db } = r;
  db.forget();
  try {
    r.server = decode(bytesOf(meta.value(db, meta.keySchemaBody)));
  } catch (cause) {
    throw new TidemarkError("corrupt", "the stored schema cannot be read", { cause });
  }
  overlay(r);
  r.hasher = new Hasher(bytesOf(meta.value(db, meta.keyDigestKey)));
  overwriteDeleted(r);
  r.readOnly = meta.getInt(db, keyReadOnly) !== 0;
}

/** Makes r.schema: the server's, with the tables that left syncing here. */
export function overlay(r: Replica): void {
  const outs = new Map<number, string>();
  const sql = "SELECT t, out FROM main._tm_table WHERE out IS NOT NULL AND out <> ''";
  r.db.each(sql, (s) => outs.set(s.int(0), s.text(1)));
  const tables = r.server.tables.map((t) => {
    const out = outs.get(t.id);
    return out && !t.out ? { ...t, out } : t;
  });
  r.schema = { ...r.server, tables };
  r.refs = newReferences(r.schema);
  r.merging = mergingOf(r.schema);
}

/**
 * Answers DDL that the app ran. What was captured before it is sealed under the
 * schema that capture knew; tables that are no longer what the server has leave
 * syncing, with a reason; everything else goes on.
 */
function drift(r: Replica): void {
  const outs = new Map<number, string>();
  const gone = new Set<number>();
  for (const t of r.schema.tables) {
    if (t.out) continue;
    const here = inspect(r.db, t.name);
    const why = difference(t, here, definitionOf(t));
    if (!why) continue;
    outs.set(t.id, why);
    if (!here || !t.columns.every((c) => here.columns.some((x) => sameName(x.name, c.name)))) gone.add(t.id);
  }
  sealWithout(r, gone);
  for (const [id, why] of outs) leaveSync(r.db, id, why);
  const before = captureTriggers(r.db);
  structureChanged(r);
  // Rows may have changed while triggers of capture were gone.
  if ([...captureTriggers(r.db)].every((name) => before.has(name))) return;
  store(r.db, { [keyProven]: flag(false), [keyRepair]: "the capture of changes was taken off for a while" });
}

function captureTriggers(db: Database): Set<string> {
  const names = new Set<string>();
  db.each("SELECT name FROM main.sqlite_master WHERE type = 'trigger'", (s) => {
    if (meta.own(s.text(0)) && !s.text(0).startsWith(GUARD_PREFIX)) names.add(s.text(0));
  });
  return names;
}

/** Makes capture fit the file and remembers the structure. */
export function structureChanged(r: Replica): void {
  overlay(r);
  r.db.forget();
  install(r.db, r.schema, r.readOnly);
  markStructure(r.db);
}

/** Says why a table here is no longer the server's, which is made here by `sql`; "" if it is. */
export function difference(t: Table, here: Found | null, sql: string): string {
  const hint = "; undo that and clone again to sync it, the other tables go on";
  if (!here) {
    return `table ${t.name} was dropped, renamed or changed in this copy so that it cannot sync${hint}`;
  }
  if (here.sql !== sql) return `table ${t.name} was altered in this copy${hint}`;
  const added = here.uniques.find((u) => !t.uniques.some((x) => sameName(x.name, u.name)));
  return added ? `unique index ${added.name} was added to table ${t.name} in this copy${hint}` : "";
}

/** Seals what was captured of all tables but those whose rows can no longer be read. */
function sealWithout(r: Replica, gone: ReadonlySet<number>): void {
  const known = r.schema;
  r.schema = { ...known, tables: known.tables.filter((t) => !gone.has(t.id)) };
  try {
    seal(r);
  } finally {
    r.schema = known;
  }
}

/**
 * Takes a table out of syncing. Its rows stay as they are, as long as the copy has a
 * scope that they were in; what is pending of it stays pending, for the server to judge.
 */
export function leaveSync(db: Database, t: number, why: string): void {
  db.run("UPDATE main._tm_table SET out = ?1 WHERE t = ?2", why, BigInt(t));
  for (const table of ["_tm_base", "_tm_pending_row", "_tm_text", "_tm_lost"]) {
    db.run(`DELETE FROM main.${table} WHERE t = ?1`, BigInt(t));
  }
  forgetSums(db, t);
}
