import type { Database } from "../lite/database.ts";
import * as meta from "../meta/meta.ts";
import type { Value } from "../value.ts";

// Facts in _tm_meta beside those that both sides keep.
/** Address of the server. */
export const keyServer = "server";
/** Name that the server gave, "" until then. */
export const keyReplica = "replica";
/** Proves that this file is the replica and not a copy of it. */
export const keyTicket = "ticket";
/** Whose copy it is, by the first welcome that named somebody. */
export const keyPrincipal = "principal";
/** Number of the next changeset. */
export const keyNext = "next_n";
/** Id of the last rejected record, never given again. */
export const keyKept = "kept";
/** Newest seq that the server told. */
export const keyHead = "head";
/** Last word from the server, Unix milliseconds. */
export const keyContact = "contact";
/** 1: sums were equal at the last checkpoint. */
export const keyProven = "proven";
/** Why the copy has to be compared with the server. */
export const keyRepair = "repair";
/** Code of the refusal that ended syncing. */
export const keyStopped = "stopped";
/** 1: nobody may write here. */
export const keyReadOnly = "read_only";
/** 1: the scopes of _tm_want are wanted and no others. */
export const keyOnly = "only";
/** Counts how often what is wanted changed. */
export const keyWants = "wants";
/** What keyWants was when the server listed what is granted of it. */
export const keyAnswered = "answered";
/** 1: a welcome listed no scope, and its schema is to come. */
export const keyUnlisted = "unlisted";
/** Rows left: 1: the WAL may still hold them, 2: full-text indexes may, too. */
export const keyScrub = "scrub";

/**
 * Names, for each cell that merges as text, the pending changesets that wrote
 * it (col -1: every cell of the row), and whether the text that is shown moved
 * since under the newest of them.
 */
export const textBookkeeping = `
CREATE TABLE main._tm_text (t INTEGER NOT NULL, key BLOB NOT NULL, col INTEGER NOT NULL, n INTEGER NOT NULL,
  moved INTEGER NOT NULL DEFAULT 0, PRIMARY KEY (t, key, col, n)) WITHOUT ROWID;
CREATE INDEX main._tm_text_n ON _tm_text (n);
`;

/** The history of undo, which other builds keep: here it stays empty. */
export const historyBookkeeping = `
CREATE TABLE main._tm_history (id INTEGER PRIMARY KEY, n INTEGER NOT NULL, hash BLOB NOT NULL, seen INTEGER NOT NULL,
  undone INTEGER NOT NULL, size INTEGER NOT NULL, body BLOB, texts BLOB);
`;

/**
 * Keeps which rows the server gave other ids than their author did, at which
 * seq other rows took the ids of rows that wait for their outcome, and the
 * blocks of ids that were given in advance.
 */
export const idBookkeeping = `
CREATE TABLE main._tm_renumbered (pos INTEGER PRIMARY KEY, t INTEGER NOT NULL, old INTEGER NOT NULL,
  new INTEGER NOT NULL, before INTEGER NOT NULL, n INTEGER NOT NULL);
CREATE INDEX main._tm_renumbered_old ON _tm_renumbered (t, old);
CREATE TABLE main._tm_taken (t INTEGER NOT NULL, key BLOB NOT NULL, n INTEGER NOT NULL, seq INTEGER NOT NULL,
  PRIMARY KEY (t, key, n)) WITHOUT ROWID;
CREATE INDEX main._tm_taken_n ON _tm_taken (n);
CREATE TABLE main._tm_lease (t INTEGER PRIMARY KEY, first INTEGER NOT NULL, last INTEGER NOT NULL);
`;

/**
 * Keeps the scopes that the server listed (held: all their rows are here), those
 * that are wanted by name, and which confirmed rows are in which scope. _tm_lost
 * names rows that left while pending touches them, as long as it does; _tm_left
 * counts, by table, rows that left, for other processes.
 */
export const scopeBookkeeping = `
CREATE TABLE main._tm_scope (i INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, held INTEGER NOT NULL DEFAULT 0,
  sum INTEGER NOT NULL DEFAULT 0);
CREATE TABLE main._tm_want (name TEXT PRIMARY KEY, priority INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE main._tm_member (t INTEGER NOT NULL, key BLOB NOT NULL, s INTEGER NOT NULL,
  PRIMARY KEY (t, key, s)) WITHOUT ROWID;
CREATE INDEX main._tm_member_s ON _tm_member (s);
CREATE TABLE main._tm_lost (t INTEGER NOT NULL, key BLOB NOT NULL, PRIMARY KEY (t, key)) WITHOUT ROWID;
CREATE TABLE main._tm_left (t INTEGER PRIMARY KEY, n INTEGER NOT NULL);
`;

/** What a replica keeps in its file beside _tm_meta and what capture makes, byte for byte that of other builds. */
export const bookkeeping = `
CREATE TABLE IF NOT EXISTS main._tm_table (t INTEGER PRIMARY KEY, name TEXT, out TEXT);
CREATE TABLE main._tm_schema (hash TEXT PRIMARY KEY, body BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE main._tm_pending (n INTEGER PRIMARY KEY, salt BLOB NOT NULL, hash BLOB NOT NULL,
  was_replica TEXT, was_n INTEGER, was_hash BLOB, seen INTEGER NOT NULL, schema TEXT NOT NULL,
  made_at INTEGER NOT NULL, suspended INTEGER NOT NULL DEFAULT 0, cause TEXT, body BLOB NOT NULL, view BLOB);
CREATE INDEX main._tm_pending_suspended ON _tm_pending (n) WHERE suspended = 1;
CREATE TABLE main._tm_pending_row (t INTEGER NOT NULL, key BLOB NOT NULL, n INTEGER NOT NULL,
  PRIMARY KEY (t, key, n)) WITHOUT ROWID;
CREATE INDEX main._tm_pending_row_n ON _tm_pending_row (n);
CREATE TABLE main._tm_base (t INTEGER NOT NULL, key BLOB NOT NULL, image BLOB, PRIMARY KEY (t, key)) WITHOUT ROWID;
CREATE TABLE main._tm_rejected (id INTEGER PRIMARY KEY, n INTEGER NOT NULL, hash BLOB, code TEXT NOT NULL,
  message TEXT, tbl TEXT, key BLOB, cols BLOB, seq INTEGER NOT NULL, made_at INTEGER NOT NULL,
  at INTEGER NOT NULL, schema TEXT NOT NULL, body BLOB NOT NULL);
CREATE TABLE main._tm_stage (pos INTEGER PRIMARY KEY, since INTEGER NOT NULL, cursor TEXT NOT NULL, body BLOB NOT NULL,
  scope TEXT, part INTEGER NOT NULL DEFAULT 0);
CREATE TABLE main._tm_digest (t INTEGER PRIMARY KEY, sums BLOB NOT NULL);
CREATE TABLE main._tm_touch (t INTEGER PRIMARY KEY, counter INTEGER NOT NULL);
${textBookkeeping}${historyBookkeeping}${idBookkeeping}${scopeBookkeeping}`;

/** A truth as it is stored. */
export function flag(on: boolean): bigint {
  return on ? 1n : 0n;
}

/** Stores facts by their keys, in order. */
export function store(db: Database, facts: Readonly<Record<string, Value>>): void {
  for (const [key, value] of Object.entries(facts)) meta.setValue(db, key, value);
}

/** Reads _tm_meta. */
export function allFacts(db: Database): Map<string, Value> {
  const facts = new Map<string, Value>();
  db.each("SELECT k, v FROM main._tm_meta", (s) => facts.set(s.text(0), s.value(1)));
  return facts;
}

/** A fact as text, "" where it is none. */
export function textFact(facts: ReadonlyMap<string, Value>, key: string): string {
  const v = facts.get(key);
  return typeof v === "string" ? v : "";
}

/** A fact as a number, 0 where it is none. */
export function numberFact(facts: ReadonlyMap<string, Value>, key: string): number {
  const v = facts.get(key);
  return typeof v === "bigint" ? Number(v) : 0;
}
