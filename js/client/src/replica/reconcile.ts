import { TidemarkError } from "../error.ts";
import { quote } from "../lite/quote.ts";
import type { Work } from "../lite/work.ts";
import * as meta from "../meta/meta.ts";
import { compare, type Move, type Widened } from "../schema/compare.ts";
import { decode } from "../schema/encode.ts";
import { type Schema, type SchemaObject, scoped, type Table } from "../schema.ts";
import { bytesOf } from "../value.ts";
import type { Schema as SchemaMessage } from "../wire/schema.ts";
import { type Applied, advance, joined } from "./apply.ts";
import { type Attempt, noJob } from "./attempt.ts";
import { synced } from "./base.ts";
import { allPending } from "./closure.ts";
import { keyRepair, store } from "./facts.ts";
import { resyncReason } from "./identity.ts";
import { noteTexts } from "./intent.ts";
import { leaveSync, overlay, structureChanged } from "./know.ts";
import { addedColumns, definitionOf, reline } from "./loose.ts";
import { dropMirrors, mirror } from "./mirror.ts";
import { unfolded } from "./renumber.ts";
import type { Replica } from "./replica.ts";
import { listedNothing } from "./scope-list.ts";
import { otherKind } from "./scopes.ts";
import { scrubbed } from "./scrub.ts";
import { forgetSums } from "./tally.ts";
import { engineTransaction } from "./transaction.ts";

// A new schema is taken over inside the transaction of the first batch that
// names it, with all pending undone: first tables that leave syncing, then new
// columns and tables, then the rows, then indexes, views and triggers, which
// may only hold for the new rows. Then pending goes back on top.

/**
 * Keeps a schema until the batch that needs it. After a resync the copy is at
 * the server's head already, so that the schema is taken over at once. What a
 * welcome did not list leaves now that there are scopes for certain. Gives null
 * when nothing of that happened.
 */
export function* saveSchema(r: Replica, s: SchemaMessage, now: number): Work<Applied | null> {
  const body = bytesOf(s.body);
  let next: Schema;
  try {
    next = decode(body);
  } catch (cause) {
    throw new TidemarkError("protocol", "the server sent a schema that cannot be read", { op: "schema", cause });
  }
  return yield* scrubbed(r, () =>
    engineTransaction(r, "schema", now, function* () {
      if (scoped(next) !== scoped(r.server)) throw otherKind(scoped(next));
      const lost = yield* listedNothing(r);
      r.db.run("INSERT OR REPLACE INTO main._tm_schema (hash, body) VALUES (?1, ?2)", s.hash, body);
      if (meta.get(r.db, keyRepair) !== resyncReason || s.hash === r.server.hash) return lost;
      const seq = meta.getInt(r.db, meta.keySeq);
      const a = yield* advance(r, { ...noJob, seq, schema: s.hash });
      a.tally.save();
      a.out.seq = seq;
      return lost ? joined(lost, a.out) : a.out;
    }),
  );
}

/** Reads the new schema, where the job brings one, and takes out the tables that no longer sync. */
export function reconcileOut(a: Attempt): void {
  const { r, db, job } = a;
  if (job.schema === "" || job.schema === r.server.hash) return;
  const body = db.get("SELECT body FROM main._tm_schema WHERE hash = ?1", job.schema)?.[0];
  if (!(body instanceof Uint8Array)) {
    throw new TidemarkError("schema", `changes came under schema ${job.schema}, which this copy does not have`);
  }
  const next = decode(body);
  const move = compare(r.server, next);
  for (const o of move.out) leaveSync(r.db, o.table.id, o.reason);
  for (const t of r.server.tables) {
    if (synced(r.schema, t.id) && !synced(next, t.id)) {
      leaveSync(r.db, t.id, `the server no longer syncs table ${t.name}`);
    }
  }
  a.next = { schema: next, body, move };
  overlay(r);
}

/**
 * Adds columns and tables and makes the new schema the replica's. The tables
 * hold confirmed rows at this moment.
 */
export function* reconcileTables(a: Attempt): Work<void> {
  if (!a.next) return;
  const { r, db } = a;
  dropMirrors(r);
  db.forget();
  const from = r.server;
  takeSchema(a, a.next.schema, a.next.body, grow(a, a.next.move));
  reline(a, from);
  compareTables(r);
  notePending(a, a.next.move.policies);
  for (const o of [...a.next.move.dropped, ...a.next.move.changed]) {
    object(a, o, `DROP ${o.type} IF EXISTS main.${quote(o.name)}`); // the new rows need not please an index that is gone
  }
  db.forget();
  mirror(r);
  a.out.schema = true;
  yield* recount(a, a.next.move.widened);
}

/** Adds columns and tables, and says by table what could not be added. */
function grow(a: Attempt, move: Move): Map<number, string> {
  const { r, db } = a;
  const failed = new Map<number, string>();
  const attempt = (t: Table, sql: () => string): void => {
    try {
      db.savepoint("grow", () => db.script(sql()));
    } catch (err) {
      failed.set(t.id, `table ${t.name} could not be made like the server's: ${reason(err)}`);
    }
  };
  for (const w of move.widened) if (synced(r.schema, w.from.id)) attempt(w.to, () => addedColumns(w));
  for (const t of move.added) {
    db.run("INSERT OR REPLACE INTO main._tm_table (t, name) VALUES (?1, ?2)", BigInt(t.id), t.name);
    attempt(t, () => definitionOf(t));
  }
  return failed;
}

/** Makes the new schema the replica's, without the tables that failed. */
function takeSchema(a: Attempt, next: Schema, body: Uint8Array, failed: ReadonlyMap<number, string>): void {
  const { r, db } = a;
  store(db, { [meta.keySchema]: next.hash, [meta.keySchemaBody]: body });
  db.run("DELETE FROM main._tm_schema WHERE hash = ?1", a.job.schema);
  r.server = next;
  for (const [id, why] of failed) leaveSync(r.db, id, why);
  overlay(r);
}

/** Takes tables out of syncing that did not become what the server has. */
function compareTables(r: Replica): void {
  const query = "SELECT sql FROM main.sqlite_master WHERE type = 'table' AND name = ?1 COLLATE NOCASE";
  const other = r.schema.tables.filter((t) => t.out === "" && r.db.text(query, t.name) !== definitionOf(t));
  for (const t of other) {
    leaveSync(r.db, t.id, `table ${t.name} is not made like the server's; clone again to sync it`);
  }
  if (other.length > 0) overlay(r);
}

/**
 * Notes, where tables merge by other rules from now on, which texts pending
 * changesets wrote before. What they meant stays what it was.
 */
function notePending(a: Attempt, tables: readonly Table[]): void {
  const { r, db } = a;
  if (!tables.some((t) => (r.merging.get(t.id)?.text.length ?? 0) > 0)) return;
  for (const n of allPending(a)) {
    const p = unfolded(r, n);
    if (p) noteTexts(r, n, p.changes ?? []);
  }
  // Whether the texts moved since is not known: the next edits say what they were made on.
  for (const t of tables) db.run("UPDATE main._tm_text SET moved = 1 WHERE t = ?1", BigInt(t.id));
}

/**
 * Counts tables anew that got columns or are new: a default gives every row a
 * new cell.
 */
function* recount(a: Attempt, widened: readonly Widened[]): Work<void> {
  const { tally } = a;
  tally.schema = a.r.schema;
  tally.save();
  for (const w of widened) forgetSums(a.db, w.to.id);
  tally.bare = true;
  yield* tally.load();
  if (tally.scopes) yield* tally.countScopes();
  tally.bare = false;
}

/**
 * Runs DDL of an object beside the synced tables. What cannot be made here (a
 * module or function that this build does not have) is left out.
 */
function object(a: Attempt, o: SchemaObject, sql: string): void {
  try {
    a.db.savepoint("object", () => a.db.script(sql));
  } catch (err) {
    a.out.skipped.push(`${o.type} ${o.name}: ${reason(err)}`);
  }
}

/**
 * Builds a full-text index anew from the rows that are here: no trigger told
 * it of them. Other modules have no such command, and say so.
 */
function fill(a: Attempt, o: SchemaObject): void {
  if (o.type !== "table" || !/^\s*\S+\s+VIRTUAL\s/i.test(o.sql)) return;
  const name = quote(o.name);
  try {
    a.db.savepoint("fill", () => a.db.run(`INSERT INTO main.${name} (${name}) VALUES ('rebuild')`));
  } catch (err) {
    a.out.skipped.push(`rows of ${o.name}: ${reason(err)}; clone again to have them`);
  }
}

/** Makes what the new rows must be there for, and capture. */
export function reconcileObjects(a: Attempt): void {
  if (!a.next) return;
  const { r, db } = a;
  dropMirrors(r);
  db.forget();
  for (const o of [...a.next.move.changed, ...a.next.move.objects]) {
    if (o.sql === "") continue;
    object(a, o, o.sql);
    fill(a, o);
  }
  structureChanged(r);
  mirror(r);
  r.ddl = db.int("PRAGMA main.schema_version");
}

function reason(err: unknown): string {
  return err instanceof Error ? err.message : String(err);
}
