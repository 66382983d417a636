export type { AppCode, Code } from "./codes.ts";
export { CONFLICTS_TABLE, type ConflictState, type Winner } from "./conflict.ts";
export type {
  ChangeView,
  Choice,
  Conflict,
  ConflictFilter,
  Database,
  DatabaseEvent,
  Diff,
  ErrorInfo,
  ExecResult,
  Inspection,
  Level,
  OutcomeInfo,
  Param,
  PendingChangeset,
  Phase,
  Progress,
  RawResult,
  RejectedChangeset,
  Replacement,
  Resolved,
  Risk,
  Row,
  SqlValue,
  Status,
  Storage,
  SyncResult,
  SyncState,
  Transaction,
  VerifyReport,
} from "./database.ts";
export { codeOf, TidemarkError } from "./error.ts";
export { id } from "./id.ts";
export { open } from "./open.ts";
export type { CallOptions, MergeFunction, MergeFunctions, OpenOptions, TokenSource, WatchOptions } from "./options.ts";
export type { Cast, Peer, Presence } from "./presence.ts";
export type {
  ScopeInfo,
  ScopeNews,
  ScopeStatus,
  ScopeWant,
  SubscribeOptions,
  Subscription,
} from "./scope.ts";
export { type Query, sql } from "./sql.ts";
export { unknown as unknownStatus } from "./status.ts";
export type { WatchCost } from "./watch/watches.ts";
