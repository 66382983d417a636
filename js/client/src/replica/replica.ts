import type { Change, Outcome } from "../change.ts";
import type { Code } from "../codes.ts";
import type { Hasher } from "../digest/digest.ts";
import type { Columns } from "../ids/ids.ts";
import type { Database } from "../lite/database.ts";
import { atOnce, type Work } from "../lite/work.ts";
import type { MergeFunction } from "../merge/merge.ts";
import type { Schema } from "../schema.ts";
import type { Row } from "../value.ts";
import type { Batch, Leases, Schema as SchemaMessage, Scopes, Welcome } from "../wire/down.ts";
import type { RangeSum } from "../wire/ranges.ts";
import type { Want } from "../wire/scope.ts";
import type { Hello, Push } from "../wire/up.ts";
import { type Applied, apply, settle } from "./apply.ts";
import { guarded, prepareConnection, requireReplica } from "./connection.ts";
import { type CreateOptions, create } from "./create.ts";
import { hello, reidentify, stop, welcome } from "./identity.ts";
import { type Merging, mergingOf } from "./intent.ts";
import { know } from "./know.ts";
import { lease } from "./lease.ts";
import type { Mirror } from "./mirror.ts";
import { type Pending, pending, unsent } from "./pending.ts";
import { saveSchema } from "./reconcile.ts";
import { newReferences, type References } from "./references.ts";
import { discard, exportRejected, type Rejected, rejected } from "./reject.ts";
import { confirmedRanges, prove, repairAll } from "./repair.ts";
import { editAndRetry, type Replacement, replaceAndRetry, retry } from "./retry.ts";
import { takeScopes } from "./scope-list.ts";
import { answered, filling, type ScopeStatus, scopes, subscribe, type Wants, wanted, wants } from "./scopes.ts";
import { sealNow } from "./seal.ts";
import { readStatus, type Status } from "./status.ts";
import { type RangeRows, splitKeys } from "./verify.ts";

/** Options of `Replica.open`. */
export interface Options {
  /** Random bytes, for salts and jitter. */
  readonly rand: (n: number) => Uint8Array;
  /** Program and version, for the server's logs. */
  readonly agent?: string;
  /** The app's merge functions by name, for predictions. */
  readonly merge?: Readonly<Record<string, MergeFunction>>;
}

const defaultExact = 100;

/** The schema of a replica that has not read its file yet. */
const none: Schema = { hash: "", tables: [], objects: [], scopes: [], public: [], declared: "", guards: [] };

/**
 * An open replica: an ordinary SQLite database whose local changes are sealed
 * into pending changesets, and whose confirmed rows follow the server's log,
 * with pending rebased on top. It reads no clock and opens no socket. The app
 * writes on the same connection, between `begin` and `commit` of write.ts.
 *
 * Every method that writes is one transaction, so none may be called while one
 * is open; what gives Work is one transaction from its first step to its last.
 * The fields are the engine's own: only modules of this folder use them.
 */
export class Replica {
  readonly db: Database;
  readonly opts: Options;

  /** schema_version that the fields below belong to; 0: read them anew. */
  ddl = 0;
  /** The schema as the server named it. */
  server: Schema = none;
  /** The same, with tables that left syncing here marked `out`. */
  schema: Schema = none;
  refs: References = newReferences(none);
  merging: Map<number, Merging> = mergingOf(none);
  ids: Columns | null = null;
  /** The schema that `ids` belongs to. */
  idsOf: Schema | null = null;
  hasher!: Hasher; // by the first know()
  readOnly = false;
  /** The app's triggers that must fire for remote rows too. */
  mirrors: Mirror[] = [];
  /** What of the app's triggers cannot be mirrored, and why. */
  left: string[] = [];
  /** Tables (in lower case) whose mirrors failed, and why. */
  muted: Map<string, string> = new Map();

  /** Up to so many pending changesets, a rebase tries all of them where constraints meet. */
  exact = defaultExact;
  /** The last time that a caller told, Unix milliseconds. */
  now = 0;
  /** Rowid of the first log record of the app's transaction, the open one or the last. */
  first = 0;

  private constructor(db: Database, opts: Options) {
    this.db = db;
    this.opts = opts;
  }

  /** Turns a snapshot into a replica; the rows must have the sum that the server told. */
  static create(db: Database, o: CreateOptions): void {
    atOnce(create(db, o));
  }

  /** Opens a replica. A server's file, a plain file, a newer format are refused with a next step. */
  static open(db: Database, opts: Options): Replica {
    const r = new Replica(db, opts);
    return guarded("open", () => {
      requireReplica(db);
      prepareConnection(db);
      db.view(() => know(r));
      return r;
    });
  }

  /** Triggers that should fire everywhere and cannot, each with its reason. */
  get skipped(): readonly string[] {
    return this.left;
  }

  /** Turns what was captured into pending changesets and returns how many were made. */
  seal(now: number): number {
    return sealNow(this, now);
  }

  /** Pushes for the pending changesets behind `after`, up to `bytes`, at least one when there is one. */
  unsent(after: number, bytes: number): Push[] {
    return unsent(this, after, bytes);
  }

  hello(): Hello {
    return hello(this);
  }

  /** Null: no scope came or went. */
  welcome(w: Welcome, now: number): Work<Applied | null> {
    return welcome(this, w, now);
  }

  /** Takes over the list of the scopes of the session. */
  takeScopes(m: Scopes, now: number): Work<Applied | null> {
    return takeScopes(this, m, now);
  }

  /** The scopes by name; none where none are declared. */
  scopes(count: boolean): ScopeStatus[] {
    return scopes(this, count);
  }

  /** What it subscribes to. */
  wants(): Wants {
    return guarded("scopes", () => wants(this.db));
  }

  /** Replaces what it subscribes to; rows come and go when the server has been told. */
  subscribe(only: boolean, want: readonly Want[]): void {
    subscribe(this, only, want);
  }

  wanted(): number {
    return wanted(this);
  }

  answered(n: number): void {
    answered(this, n);
  }

  filling(): boolean {
    return filling(this);
  }

  reidentify(): void {
    reidentify(this);
  }

  /** Remembers the refusal that ended syncing, until the next welcome. */
  stop(code: Code): void {
    stop(this, code);
  }

  saveSchema(s: SchemaMessage, now: number): Work<Applied | null> {
    return saveSchema(this, s, now);
  }

  lease(m: Leases, now: number): void {
    lease(this, m, now);
  }

  apply(b: Batch, outcomes: readonly Outcome[], now: number): Work<Applied> {
    return apply(this, b, outcomes, now);
  }

  settle(outcomes: readonly Outcome[], now: number): Work<Applied> {
    return settle(this, outcomes, now);
  }

  status(): Status {
    return readStatus(this);
  }

  /** Pending changesets in order, with their changes only when asked. */
  pending(changes: boolean): Pending[] {
    return pending(this, changes);
  }

  rejected(): Rejected[] {
    return rejected(this);
  }

  retry(id: number, apart: boolean, now: number): number {
    return retry(this, id, apart, now);
  }

  editAndRetry(id: number, changes: readonly Change[], now: number): number {
    return editAndRetry(this, id, changes, now);
  }

  replaceAndRetry(id: number, edits: readonly Replacement[], now: number): number {
    return replaceAndRetry(this, id, edits, now);
  }

  /** Disposes of a rejected changeset for good. */
  discard(id: number): void {
    discard(this, id);
  }

  /** A rejected changeset as JSON, with the names of tables and columns. */
  export(id: number): string {
    return exportRejected(this, id);
  }

  confirmedRanges(table: number, after: Row | null, upto: Row | null, bounds: readonly Row[]): Work<RangeSum[]> {
    return confirmedRanges(this, table, after, upto, bounds);
  }

  splitKeys(table: number, after: Row | null, upto: Row | null, parts: number): Work<Row[]> {
    return splitKeys(this, table, after, upto, parts);
  }

  repairAll(list: readonly RangeRows[], code: Code, now: number): Work<number> {
    return repairAll(this, list, code, now);
  }

  prove(now: number): Work<void> {
    return prove(this, now);
  }
}
