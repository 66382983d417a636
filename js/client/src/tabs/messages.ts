import type {
  Choice,
  Conflict,
  ConflictFilter,
  DatabaseEvent,
  Inspection,
  Level,
  PendingChangeset,
  RejectedChangeset,
  Replacement,
  Resolved,
  Status,
  SyncResult,
  VerifyReport,
} from "../database.ts";
import type { ScopeInfo, ScopeStatus } from "../scope.ts";
import type { Cell, Cells } from "../watch/difference.ts";
import type { Patch, Spec } from "../watch/watches.ts";
import type { Rescued } from "../worker/spare.ts";
import type { ErrorMessage } from "./errors.ts";
import type { PresenceNews } from "./presence.ts";

/** Version of the messages between tabs. Whatever an older tab could not understand raises it. */
export const PROTOCOL = 1;

/** What versions of the package and of the app speak; the newer wins. */
export type Version = readonly [protocol: number, app: number];

/** Whether a is newer than b. */
export function newer(a: Version, b: Version): boolean {
  return a[0] !== b[0] ? a[0] > b[0] : a[1] > b[1];
}

/** Rows as they travel. */
export interface Rowset {
  readonly columns: readonly string[];
  readonly rows: readonly Cells[];
}

/** What a statement that may write did. */
export interface Executed extends Rowset {
  readonly changes: number;
  readonly lastId: number | bigint;
}

/** A statement with its parameters, as the app gave it. */
export interface Statement {
  readonly sql: string;
  readonly params: readonly (Cell | boolean)[];
  readonly bigint: boolean;
}

/** A statement of a transaction; whether it may only read. */
export interface Step extends Statement {
  readonly reads: boolean;
}

/** What came of a step: an error of one statement does not end the transaction. */
export type StepResult = { readonly done: Executed } | { readonly error: ErrorMessage };

/**
 * Steps of an optimistic transaction from place `from` on. `mark` stands for
 * all results of the `known` first steps: where the worker has to run them
 * again and they come out otherwise, the function must run again.
 */
export interface TransactionStep {
  readonly id: string;
  readonly from: number;
  readonly known: number;
  readonly mark: string;
  readonly steps: readonly Step[];
  readonly commit: boolean;
}

/** `gone`: the worker knows nothing of the steps before; send all. `changed`: run the function again. */
export type TransactionAnswer = "gone" | "changed" | { readonly results: readonly StepResult[]; readonly mark: string };

/** A scope that a tab wants; priority null: the one that it has. */
export interface Wish {
  readonly scope: string;
  readonly priority: number | null;
}

/** What a tab may ask of the worker: arguments and result of each method. */
export interface Methods {
  query: [Statement, Rowset];
  exec: [Statement, Executed];
  transaction: [TransactionStep, TransactionAnswer];
  rollback: [string, null];
  watch: [Spec, Patch];
  unwatch: [number, null];
  pending: [null, PendingChangeset[]];
  rejected: [null, RejectedChangeset[]];
  retry: [{ readonly id: number; readonly apart: boolean }, number];
  editAndRetry: [{ readonly id: number; readonly values: readonly Replacement[] }, null];
  discard: [number, null];
  export: [number, string];
  conflicts: [ConflictFilter, Conflict[]];
  resolve: [{ readonly id: string; readonly choice: Choice | "loser" }, Resolved];
  sync: [null, SyncResult];
  flushed: [null, null];
  caughtUp: [null, null];
  ready: [null, null];
  network: [boolean, null];
  reconnect: [null, null];
  verify: [null, VerifyReport];
  exportFile: [null, Uint8Array];
  wipe: [boolean, null];
  inspect: [null, Inspection];
  present: [{ readonly scope: string; readonly state: string | null }, null];
  cast: [{ readonly scope: string; readonly body: string }, null];
  subscribe: [readonly Wish[], null];
  unsubscribe: [string, null];
  scopes: [null, ScopeInfo[]];
  /** Waits until a scope is whole. */
  whole: [string, null];
}

export type Method = keyof Methods;

/** What the worker needs to begin. */
export interface Boot {
  readonly type: "boot";
  readonly name: string;
  /** Names this worker: answers of one before it are of no interest. */
  readonly leader: string;
  /** The tab that it belongs to. */
  readonly tab: string;
  readonly version: Version;
  readonly server: string;
  readonly transport: "auto" | "websocket" | "http";
  readonly storage: Level;
  /** Why no better storage may be tried, "" if it may. */
  readonly why: string;
  readonly online: boolean;
  readonly hasToken: boolean;
  readonly wasm: string | undefined;
  /** What a worker before it could save when its storage was lost. */
  readonly rescued: Rescued | null;
  /** What a new copy wants; null: everything. */
  readonly scopes: readonly Wish[] | null;
}

/** From a tab to the worker that leads. */
export type Up =
  | {
      readonly type: "call";
      readonly tab: string;
      readonly id: number;
      readonly method: Method;
      readonly args: unknown;
      /** Milliseconds that are left. */
      readonly left: number;
      /** It was asked of a worker before this one, which may have done it. */
      readonly again: boolean;
    }
  | { readonly type: "cancel"; readonly tab: string; readonly id: number }
  | { readonly type: "leave"; readonly tab: string };

/** From a tab to the worker of its own. */
export type Own =
  | Boot
  | Up
  | { readonly type: "token"; readonly token: string | null }
  | { readonly type: "persisted"; readonly persisted: boolean }
  | { readonly type: "ping" }
  /** Finish what runs and close. */
  | { readonly type: "end" };

/** From the worker to tabs. */
export type Down =
  | { readonly type: "answer"; readonly tab: string; readonly id: number; readonly result: unknown }
  | { readonly type: "answer"; readonly tab: string; readonly id: number; readonly error: ErrorMessage }
  | { readonly type: "lead"; readonly status: Shared }
  | { readonly type: "status"; readonly status: Shared }
  | { readonly type: "event"; readonly event: DatabaseEvent }
  | { readonly type: "patches"; readonly patches: readonly Patch[] }
  | { readonly type: "presence"; readonly news: PresenceNews }
  | { readonly type: "pong" };

/** From the worker to the tab that made it. */
export type Home =
  | Down
  | { readonly type: "token"; readonly refused: boolean }
  | { readonly type: "ended" }
  /** The storage is gone: begin again with a new worker. */
  | { readonly type: "restart"; readonly rescued: Rescued };

/** What all tabs know alike; scopes null: those of the status before. */
export type Shared = Omit<Status, "leader" | "scopes"> & { readonly scopes: readonly ScopeStatus[] | null };

/** What goes over the channel that everyone hears. */
export type Lobby = { readonly v: Version } & (
  | { readonly type: "version" }
  | { readonly type: "join"; readonly tab: string }
  | { readonly type: "ping" }
  /** A tab that is about to lead, or leads: have patience. */
  | { readonly type: "alive"; readonly waiting: string }
  | { readonly type: "down"; readonly leader: string; readonly down: Down }
);

/** What goes to the worker that leads over the channel to it. */
export type Upward = { readonly v: Version; readonly leader: string; readonly up: Up };

/** Names of the channels and locks of a database. */
export const lobbyOf = (name: string): string => `tidemark:${name}`;
export const upwardOf = (name: string): string => `tidemark:${name}:up`;
export const downwardOf = (name: string, tab: string): string => `tidemark:${name}:${tab}`;
export const lockOf = (name: string): string => `tidemark:${name}:leader`;
/** Held by a tab for as long as it lives. */
export const tabLockOf = (tab: string): string => `tidemark:tab:${tab}`;
