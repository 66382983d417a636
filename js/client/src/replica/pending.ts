import type { Change, Name, Seq } from "../change.ts";
import { TidemarkError } from "../error.ts";
import type { Database } from "../lite/database.ts";
import type { Statement } from "../lite/statement.ts";
import * as meta from "../meta/meta.ts";
import { bytesOfBinary } from "../value.ts";
import { appendChanges, decodeChanges } from "../wire/changes.ts";
import type { Push } from "../wire/up.ts";
import { hashOf } from "../wire/wire.ts";
import type { Attempt } from "./attempt.ts";
import { keyIDOf, rowsOf, synced } from "./base.ts";
import { guarded } from "./connection.ts";
import { keyNext } from "./facts.ts";
import { noteTexts } from "./intent.ts";
import { renamed } from "./renumber.ts";
import type { Replica } from "./replica.ts";

/** A changeset without an outcome. */
export interface Pending {
  readonly n: number;
  readonly madeAt: number;
  readonly seen: Seq;
  readonly suspended: boolean;
  /** Why it is suspended: a code, and the number of the changeset that it builds on where there is one. */
  readonly cause: string;
  readonly bytes: number;
  /** null where they were not asked for. */
  readonly changes: Change[] | null;
}

/** The columns that readRecord reads. */
export const recordColumns = "n, hash, schema, made_at, seen, suspended, cause, body, view";

/** A pending changeset as it is stored. */
export class PendingRecord {
  readonly n: number;
  readonly hash: Uint8Array;
  readonly schema: string;
  readonly madeAt: number;
  readonly seen: Seq;
  suspended: boolean;
  cause: string;
  body: Uint8Array;
  /** null: like body. */
  view: Uint8Array | null;
  /** As they are predicted to end; decoded when first needed. */
  raw: Change[] | null = null;
  /** The same as the tables follow them, index by index. */
  changes: Change[] | null = null;

  constructor(s: Statement) {
    this.n = s.int(0);
    this.hash = s.blob(1);
    this.schema = s.text(2);
    this.madeAt = s.int(3);
    this.seen = s.int(4);
    this.suspended = s.int(5) !== 0;
    this.cause = s.text(6);
    this.body = s.blob(7);
    this.view = s.isNull(8) ? null : s.blob(8);
  }

  public(changes: Change[] | null = this.changes): Pending {
    const { n, madeAt, seen, suspended, cause, body } = this;
    return { n, madeAt, seen, suspended, cause, bytes: body.length, changes };
  }

  decode(): Change[] {
    if (!this.changes) {
      this.raw = read(this.view ?? this.body);
      this.changes = this.raw;
    }
    return this.changes;
  }

  /** The changes as their author made them, which is what is sent. */
  made(): Change[] {
    return this.view ? read(this.body) : this.decode();
  }
}

function read(body: Uint8Array): Change[] {
  try {
    return decodeChanges(body);
  } catch (cause) {
    throw new TidemarkError("corrupt", "a pending changeset cannot be read", { cause });
  }
}

/** Reads a row of recordColumns. */
export function readRecord(s: Statement): PendingRecord {
  return new PendingRecord(s);
}

/**
 * Stores how a pending changeset is now predicted to end: raw with columns and
 * edits changed, index by index. What is sent of it stays.
 */
export function setView(a: Attempt, p: PendingRecord, raw: Change[]): void {
  p.raw = raw;
  p.view = appendChanges(raw);
  a.db.run("UPDATE main._tm_pending SET view = ?1 WHERE n = ?2", p.view, BigInt(p.n));
}

/** Reads one pending changeset, or null. */
export function loadPending(db: Database, n: number): PendingRecord | null {
  const found: PendingRecord[] = [];
  const sql = `SELECT ${recordColumns} FROM main._tm_pending WHERE n = ?1`;
  db.each(sql, (s) => found.push(readRecord(s)), BigInt(n));
  return found[0] ?? null;
}

/** Lists pending changesets in order; with changes only when asked. */
export function pending(r: Replica, changes: boolean): Pending[] {
  return guarded("pending", () => {
    const list: PendingRecord[] = [];
    r.db.each(`SELECT ${recordColumns} FROM main._tm_pending ORDER BY n`, (s) => list.push(readRecord(s)));
    return list.map((p) => p.public(changes ? renamed(r, p.made(), p.n, p.seen) : null));
  });
}

/**
 * Pushes for the pending changesets behind `after`, in order, up to `bytes`,
 * but at least one when there is one. What it returns is durable.
 */
export function unsent(r: Replica, after: number, bytes: number): Push[] {
  const sql = `SELECT n, salt, was_replica, was_n, was_hash, seen, schema, made_at, body
    FROM main._tm_pending WHERE n > ?1 ORDER BY n LIMIT 1`;
  return guarded("push", () => {
    const list: Push[] = [];
    for (let size = 0; size < bytes || list.length === 0; ) {
      const found: Push[] = [];
      r.db.each(sql, (s) => found.push(readPush(s)), BigInt(list.at(-1)?.n ?? after));
      const p = found[0];
      const length = p?.body?.length ?? 0;
      if (!p || (list.length > 0 && size + length > bytes)) break;
      list.push(p);
      size += length + 1;
    }
    return list;
  });
}

function readPush(s: Statement): Push {
  const was: Name | null = s.isNull(2) ? null : { replica: s.text(2), n: s.int(3), hash: s.blob(4) };
  const [n, salt, seen, schema, madeAt, body] = [s.int(0), s.blob(1), s.int(5), s.text(6), s.int(7), s.blob(8)];
  return { type: "push", n, salt, was, seen, schema, madeAt, body, hash: new Uint8Array(16) };
}

/** A changeset about to become pending; number and hash are given when it is stored. */
export interface Sealed {
  readonly salt: Uint8Array;
  readonly seen: Seq;
  readonly madeAt: number;
  changes: Change[];
  n: number;
  hash: Uint8Array;
}

/** Stores a changeset behind all others. */
export function appendPending(r: Replica, c: Sealed): void {
  const body = appendChanges(c.changes);
  c.n = meta.getInt(r.db, keyNext);
  c.hash = hashOf(c.salt, body);
  r.db.run(
    "INSERT INTO main._tm_pending (n, salt, hash, seen, schema, made_at, body) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
    BigInt(c.n),
    c.salt,
    c.hash,
    BigInt(c.seen),
    r.server.hash,
    BigInt(c.madeAt),
    body,
  );
  indexPending(r, c.n, c.changes);
  noteTexts(r, c.n, c.changes);
  meta.setInt(r.db, keyNext, c.n + 1);
}

/** Notes which rows a changeset touches. */
export function indexPending(r: Replica, n: number, changes: readonly Change[]): void {
  const sql = "INSERT OR IGNORE INTO main._tm_pending_row (t, key, n) VALUES (?1, ?2, ?3)";
  const number = BigInt(n);
  for (const c of changes) {
    const t = synced(r.schema, c.table);
    if (!t) continue;
    for (const id of rowsOf(t, c)) r.db.run(sql, BigInt(t.id), bytesOfBinary(keyIDOf(id)), number);
  }
}

/** Forgets a changeset; the images of its rows stay. */
export function removePending(db: Database, n: number): void {
  for (const table of ["_tm_pending_row", "_tm_text", "_tm_taken", "_tm_pending"]) {
    db.run(`DELETE FROM main.${table} WHERE n = ?1`, BigInt(n));
  }
}
