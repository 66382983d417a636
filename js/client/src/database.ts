import type { AppCode, Code } from "./codes.ts";
import type { ConflictState, Winner } from "./conflict.ts";
import type { CallOptions, WatchOptions } from "./options.ts";
import type { Presence } from "./presence.ts";
import type { ScopeInfo, ScopeNews, ScopeStatus, SubscribeOptions, Subscription } from "./scope.ts";
import type { Query } from "./sql.ts";
import type { WatchCost } from "./watch/watches.ts";

/** A value that a query gives: INTEGER is a number, beyond 2^53 or where asked a bigint. Text that is not UTF-8 comes as its bytes. */
export type SqlValue = null | number | bigint | string | Uint8Array;

/**
 * A value for a parameter. Whole numbers up to 2^53 are stored as INTEGER, others
 * as REAL (beyond that give a bigint), booleans as 1 and 0. Text must be
 * well-formed, NaN and undefined are refused.
 */
export type Param = SqlValue | boolean;

/** A row by the names of its columns, frozen; of two columns with one name the last. */
export type Row = Record<string, SqlValue>;

/** What exec did. */
export interface ExecResult<T = Row> {
  /** Rows that the statement itself changed. */
  readonly changes: number;
  /** rowid of the last row that the transaction inserted, 0 when there is none. */
  readonly lastId: number | bigint;
  /** What RETURNING gave. */
  readonly rows: readonly T[];
}

/** What any one statement did or gave, by the places of its columns: for query builders and tools. */
export interface RawResult {
  readonly columns: readonly string[];
  readonly rows: readonly (readonly SqlValue[])[];
  readonly changes: number;
  readonly lastId: number | bigint;
}

/** What a commit changed in the result of a watched query. At the first call every row is added. */
export interface Diff<T = Row> {
  readonly added: readonly T[];
  /** Rows with the same key and other values. */
  readonly changed: readonly { readonly before: T; readonly after: T }[];
  readonly removed: readonly T[];
  /**
   * Of those removed the ones that were not deleted: they left this device with
   * a scope, as far as that is known of rows whose primary key the result shows.
   */
  readonly left: readonly T[];
  /** Whether rows that stayed are in another order. */
  readonly moved: boolean;
}

/** A local transaction, usable until its function returns. Wait for each call before the next. */
export interface Transaction {
  exec<T = Row>(sql: TemplateStringsArray, ...values: readonly (Param | Query)[]): Promise<ExecResult<T>>;
  exec<T = Row>(sql: string | Query, params?: readonly Param[]): Promise<ExecResult<T>>;
  query<T = Row>(sql: TemplateStringsArray, ...values: readonly (Param | Query)[]): Promise<T[]>;
  query<T = Row>(sql: string | Query, params?: readonly Param[]): Promise<T[]>;
  queryOne<T = Row>(sql: TemplateStringsArray, ...values: readonly (Param | Query)[]): Promise<T | undefined>;
  queryOne<T = Row>(sql: string | Query, params?: readonly Param[]): Promise<T | undefined>;
  /** Runs one statement, whether it reads or writes. */
  raw(sql: string, params?: readonly Param[]): Promise<RawResult>;
}

/** Levels of storage, best first. */
export type Level = "opfs" | "indexeddb" | "memory";

/** Where the database is kept. */
export interface Storage {
  readonly level: Level;
  /** Why it is not a better level; "" for the best. */
  readonly reason: string;
  /** Whether the browser promised not to evict it. */
  readonly persisted: boolean;
}

/** How far a download or the taking in of it is, or the first scopes that fill. */
export interface Progress {
  readonly stage: "download" | "install" | "scopes";
  /** 0: not counted. */
  readonly bytes: number;
  /** 0: not known. */
  readonly total: number;
  /** Rows so far, an estimate. */
  readonly rows: number;
}

/** Where the sync loop is. */
export type SyncState =
  | "offline"
  | "dialing"
  | "greeting"
  | "catching up"
  | "pushing"
  | "idle"
  | "verifying"
  | "backoff"
  | "auth needed"
  | "stopped";

/**
 * How far the database is in coming up.
 *
 * - `opening`: this tab looks for the one that leads, or opens the storage
 * - `schema`: nothing is known of the space yet: calls wait for the server
 * - `snapshot`: the tables are there and empty, writes are kept, rows are being fetched
 * - `ready`: queries see the space's rows
 * - `outdated`: a tab of a newer version took over: reload the page
 * - `failed`: the database cannot be opened; `error` says why
 * - `closed`
 */
export type Phase = "opening" | "schema" | "snapshot" | "ready" | "outdated" | "failed" | "closed";

/** An error as it stands in status and events. */
export interface ErrorInfo {
  readonly code: Code;
  readonly message: string;
  readonly hint: string;
}

/** What is known of the database; each change makes a new object. */
export interface Status {
  readonly phase: Phase;
  /** What is being waited for, in words; "" for nothing. */
  readonly waiting: string;
  /** null until it is known. */
  readonly storage: Storage | null;
  /** Whether this tab runs the database for all tabs of it. */
  readonly leader: boolean;
  /** Of the first sync while it runs. */
  readonly progress: Progress | null;
  /** Whether the network may be used, see Database.setNetwork. */
  readonly online: boolean;
  /** Where the sync loop is. */
  readonly sync: SyncState;
  /** Whether there is a session with the server now. */
  readonly connected: boolean;
  /** Why the loop pauses or stopped, or the last failure of the storage. */
  readonly error: ErrorInfo | null;
  /** Checkpoint of this copy, and the newest seq that the server told. */
  readonly seq: number;
  readonly head: number;
  /** Changesets without an outcome, what is written and not sealed yet as one. */
  readonly pending: number;
  /** Of these, those whose effect is laid aside because it does not fit now. */
  readonly suspended: number;
  /** Rejected changesets that are kept until disposed of. */
  readonly rejected: number;
  /** Conflicts that wait for a decision. */
  readonly conflicts: number;
  /** Whether the last checkpoint was proven equal to the server's. */
  readonly proven: boolean;
  /** Last contact with the server, Unix milliseconds; 0: none yet. */
  readonly contact: number;
  readonly readOnly: boolean;
  /** Name of this replica, "" until the server gave it one. */
  readonly replica: string;
  readonly space: string;
  readonly server: string;
  /** Tables that do not sync, each with the reason. */
  readonly out: Readonly<Record<string, string>>;
  /** Scopes that this device wants, that are granted or here, by their names; empty in a space without. */
  readonly scopes: readonly ScopeStatus[];
}

/** A change with names in place of places. */
export interface ChangeView {
  readonly table: string;
  readonly op: "insert" | "update" | "delete";
  readonly key: Row;
  readonly set: Row;
  /** Of columns whose edits are no plain values what they do, in words. */
  readonly edit: Readonly<Record<string, string>>;
}

/** A changeset that has no outcome yet. */
export interface PendingChangeset {
  readonly n: number;
  readonly madeAt: number;
  /** Checkpoint of this copy when it was made. */
  readonly seen: number;
  readonly suspended: boolean;
  readonly cause: string;
  readonly bytes: number;
  readonly changes: readonly ChangeView[];
}

/** A changeset that was rejected and is kept. */
export interface RejectedChangeset {
  readonly id: number;
  readonly n: number;
  /** `app:...` is the app's own, given by the server's hook. */
  readonly code: Code | AppCode;
  readonly message: string;
  /** Where, as far as it is known. */
  readonly table: string;
  readonly key: readonly SqlValue[];
  readonly columns: readonly string[];
  readonly seq: number;
  readonly madeAt: number;
  readonly at: number;
  readonly changes: readonly ChangeView[];
}

/** Another value for a column of a rejected changeset. */
export interface Replacement {
  readonly table: string;
  readonly column: string;
  readonly value: Param;
  /** Of the row, as the changeset names it. */
  readonly key: readonly Param[];
}

/** Two edits that met. */
export interface Conflict {
  readonly id: string;
  readonly state: ConflictState;
  readonly table: string;
  readonly key: readonly SqlValue[];
  /** "": the whole row, and base, theirs and mine are rows. */
  readonly column: string;
  readonly unit: string;
  readonly policy: string;
  readonly winner: Winner;
  readonly base: SqlValue | Row;
  readonly theirs: SqlValue | Row;
  readonly mine: SqlValue | Row;
  readonly theirsBy: string;
  readonly mineBy: string;
  readonly author: string;
  readonly madeAt: number;
  readonly at: number;
  readonly seq: number;
}

/** Which conflicts; by default those that are open or kept. */
export interface ConflictFilter {
  readonly states?: readonly ConflictState[];
  readonly table?: string;
  readonly limit?: number;
}

/** What somebody decides about a conflict. */
export type Choice = "theirs" | "mine" | { readonly value: Param };

/** What deciding about a conflict did. */
export interface Resolved {
  /** Whether the cell or row had been changed by somebody since. */
  readonly changedSince: boolean;
}

/** The server's word on a changeset of this replica. */
export interface OutcomeInfo {
  readonly n: number;
  readonly kind: "accepted" | "merged" | "rejected";
  readonly seq: number;
  readonly code: Code | AppCode | "";
  readonly message: string;
  readonly table: string;
  readonly key: readonly SqlValue[];
  readonly columns: readonly string[];
}

/** What may be lost, or was, because the storage failed. */
export interface Risk {
  /** `reopened`: all is there again. `memory`: all is there, but nowhere else than in memory. `lost`: what is named is gone. */
  readonly kind: "reopened" | "memory" | "lost";
  readonly message: string;
  /** Changesets that this is about. */
  readonly pending: number;
}

/** News, in order, after what it tells of is in the database. */
export type DatabaseEvent =
  | { readonly type: "outcome"; readonly outcome: OutcomeInfo }
  | { readonly type: "suspended"; readonly changeset: PendingChangeset }
  | { readonly type: "conflict"; readonly conflict: Conflict }
  | { readonly type: "risk"; readonly risk: Risk }
  | { readonly type: "scope"; readonly scope: ScopeNews }
  | { readonly type: "error"; readonly error: ErrorInfo };

/** Result of comparing every row with the server. */
export interface VerifyReport {
  readonly seq: number;
  readonly tables: number;
  readonly rows: number;
  readonly differed: number;
  readonly saved: number;
}

/** What an inspector shows beside status and lists. */
export interface Inspection {
  readonly watches: readonly WatchCost[];
  /** Tabs that have the database open. */
  readonly tabs: number;
  /** Version of SQLite. */
  readonly sqlite: string;
  /** Of the database file. */
  readonly bytes: number;
}

/** Result of sync. */
export interface SyncResult {
  readonly seq: number;
  readonly accepted: number;
  readonly merged: number;
  readonly rejected: number;
  /** Rows that the server told of: new, changed or gone; those of own changesets come back. */
  readonly rows: number;
}

/**
 * An open database: a replica that this tab shares with the others of its
 * origin. Reads and writes are local; what is written goes to the server when
 * it can be reached. What a page reads shows what it wrote before, also where it
 * did not wait for the write. Promises fail with a TidemarkError.
 *
 * Every call has a deadline but those that wait for the server or for the whole
 * file: ready, sync, flushed, caughtUp, verify, subscribe, unsubscribe, exportFile and logout. A write that fails
 * with `busy` may have been done all the same when its answer did not come in time;
 * one that fails with another code was not done.
 */
export interface Database {
  readonly name: string;

  /** Runs one statement as one changeset. */
  exec<T = Row>(sql: TemplateStringsArray, ...values: readonly (Param | Query)[]): Promise<ExecResult<T>>;
  exec<T = Row>(sql: string | Query, params?: readonly Param[], options?: CallOptions): Promise<ExecResult<T>>;

  /** Reads. A statement that writes is refused with code `usage`. */
  query<T = Row>(sql: TemplateStringsArray, ...values: readonly (Param | Query)[]): Promise<T[]>;
  query<T = Row>(sql: string | Query, params?: readonly Param[], options?: CallOptions): Promise<T[]>;

  /** The first row of a query, or undefined. */
  queryOne<T = Row>(sql: TemplateStringsArray, ...values: readonly (Param | Query)[]): Promise<T | undefined>;
  queryOne<T = Row>(sql: string | Query, params?: readonly Param[], options?: CallOptions): Promise<T | undefined>;

  /** Runs one statement, whether it reads or writes, in which case it is one changeset. */
  raw(sql: string, params?: readonly Param[], options?: CallOptions): Promise<RawResult>;

  /**
   * Runs fn in one transaction, which becomes one changeset. What fn throws
   * undoes it. No lock is held while fn waits: when another commit changed what
   * fn has read, fn runs again from its start, up to ten times. So fn must do
   * nothing but use its transaction.
   */
  transaction<R>(fn: (tx: Transaction) => Promise<R>, options?: CallOptions): Promise<R>;

  /**
   * Calls fn with the rows of a query now and after each commit that changes
   * them, from whichever tab or device it came. Rows that did not change are
   * the same objects as before. Returns the function that ends it.
   */
  watch<T = Row>(
    sql: string | Query,
    params: readonly Param[],
    fn: (rows: readonly T[], diff: Diff<T>) => void,
    options?: WatchOptions,
  ): () => void;

  /**
   * Wants a scope on this device, for all its tabs and until unsubscribe; what is
   * granted of it comes, and stays without network. Where the device takes everything
   * it only sets the priority.
   */
  subscribe(scope: string, options?: SubscribeOptions): Subscription;
  /**
   * Wants a scope no longer: its rows leave this device with the next contact,
   * those that are in another scope excepted. Nothing is deleted. A device that
   * took everything takes what it has by name from then on.
   */
  unsubscribe(scope: string): Promise<void>;
  /** The scopes of `status.scopes`, with how many rows of each are here. */
  scopes(): Promise<ScopeInfo[]>;

  /**
   * This tab's part in who is present in a scope: the same object for one scope.
   * In a space that declares no scopes there is one, `all`, the default.
   */
  presence<S extends object = Record<string, unknown>>(scope?: string): Presence<S>;

  /** What is known now: the same object until something changes. */
  readonly status: Status;
  /** Calls fn after each change of status. Returns the function that ends it. */
  onStatus(fn: (status: Status) => void): () => void;
  /** Calls fn with news. Returns the function that ends it. */
  onEvent(fn: (event: DatabaseEvent) => void): () => void;
  /** Resolves when queries see the space's rows, with scopes the first of them; fails when that will never be. */
  readonly ready: Promise<void>;

  /** Changesets without an outcome, the oldest first. */
  pending(): Promise<PendingChangeset[]>;
  /** Rejected changesets that are kept, the oldest first. */
  rejected(): Promise<RejectedChangeset[]>;
  /** Applies a rejected changeset once more; apart: in parts that stand alone. Returns their number. */
  retry(id: number, apart?: boolean): Promise<number>;
  /** Applies it with other values, as one new changeset. */
  editAndRetry(id: number, values: readonly Replacement[]): Promise<void>;
  /** Disposes of a rejected changeset. */
  discard(id: number): Promise<void>;
  /** A rejected changeset as JSON text, for a report or to keep it elsewhere. */
  export(id: number): Promise<string>;

  /** What policies threw away and what waits for a decision, the oldest first. */
  conflicts(filter?: ConflictFilter): Promise<Conflict[]>;
  /** Writes what was chosen and sets the record to resolved, as one changeset. */
  resolve(id: string, choice: Choice): Promise<Resolved>;
  /** Writes the value that lost back. */
  restoreLoser(id: string): Promise<Resolved>;

  /** Pushes what is pending, pulls what is new. Fails with `offline` when the server cannot be reached. */
  sync(signal?: AbortSignal): Promise<SyncResult>;
  /** Resolves when nothing is pending. Waits for as long as it takes. */
  flushed(signal?: AbortSignal): Promise<void>;
  /** Resolves when this copy is at the newest seq that the server told in the running session. */
  caughtUp(signal?: AbortSignal): Promise<void>;
  /** Whether the network may be used. */
  readonly online: boolean;
  /** Cuts the connection, for all tabs, or allows it again. Kept until the last tab closes. */
  setNetwork(on: boolean): Promise<void>;
  /** Begins anew with the server: after it stopped, or when a new token is there. */
  reconnect(): Promise<void>;
  /** Compares every row with the server, repairs and reports. Fails with `offline` when that breaks off again and again. */
  verify(signal?: AbortSignal): Promise<VerifyReport>;

  /** What the database does, for people who look into it. */
  inspect(): Promise<Inspection>;
  /** The replica as an SQLite file, which every other Tidemark client opens too. */
  exportFile(): Promise<Uint8Array>;
  /** Leaves the database. It never deletes anything. */
  close(): Promise<void>;
  /**
   * Wipes the database from this device, for all tabs. Refused with code
   * `pending` while something is pending or rejected, unless forced.
   */
  logout(options?: { readonly force?: boolean }): Promise<void>;
}
