import type { Level } from "./database.ts";
import type { ScopeWant } from "./scope.ts";
import type { Value } from "./value.ts";

/**
 * Decides what becomes of two edits of a cell that met, under policy `custom`:
 * from what both started from (null when that is not known) and what they made of
 * it. It must depend on nothing else. INTEGER is a bigint here, REAL a number.
 */
export type MergeFunction = (base: Value, theirs: Value, mine: Value) => Value;

/** Merge functions by the names under which the server has them. */
export type MergeFunctions = Readonly<Record<string, MergeFunction>>;

/** Where access tokens come from: the token, or a function that fetches one and is asked again when it was refused. */
export type TokenSource = string | (() => string | null | Promise<string | null>);

/** How long a call waits where nobody says, milliseconds. */
export const DEADLINE = 10_000;

/** Options of open. */
export interface OpenOptions {
  /**
   * Name of the database on this device: one per space and per person who
   * signs in, so that nobody's pending edits go out under another's name.
   * Letters, digits and the signs `-_.@` only, at most 100.
   */
  readonly name: string;
  /**
   * Address of the space: `https://host/NAME`, or a path of the page's own
   * origin. May be left out when the device has a copy already.
   */
  readonly server?: string;
  /**
   * Says who is there: sent in the first message of a session over a WebSocket
   * and as `Authorization: Bearer` with every HTTP request, never as a part of an
   * address. A function is asked again when the server refused the token, and
   * in time before it is over, so that the connection stays.
   */
  readonly token?: TokenSource;
  /**
   * Scopes that this device wants: these and no others when it makes its copy, by
   * default everything that is granted. A copy that is there already wants them in
   * addition, see Database.subscribe. They come in the order of their priorities.
   */
  readonly scopes?: readonly (string | ScopeWant)[];
  /** How to reach the server; default "auto": a WebSocket, and plain HTTP where none can be had. */
  readonly transport?: "auto" | "websocket" | "http";
  /** Highest level of storage to try; default "opfs". The levels below it follow in their order. */
  readonly storage?: Level;
  /** Milliseconds after which a call fails with code `busy`, and open goes on whatever is in the way; default 10,000. */
  readonly deadline?: number;
  /** Give every INTEGER as a bigint; by default a number, and a bigint only beyond 2^53. */
  readonly bigint?: boolean;
  /**
   * Version of the app. When tabs of several versions are open, the newest
   * goes on and the older ones are told to reload. Raise it when an older page
   * could not live with what the new one writes.
   */
  readonly version?: number;
  /** Whether the database may use the network from the start; default true. */
  readonly online?: boolean;
  /** Address of sqlite3.wasm where the bundler does not find it. */
  readonly wasm?: string;
  /**
   * Makes the worker. For apps that bring their own file, which imports `serve`
   * of `@tidemark/client/worker`: to give merge functions of policy `custom`,
   * or where the bundler cannot find ours.
   */
  readonly worker?: () => Worker;
}

/** Options of one call. */
export interface CallOptions {
  /** Gives the call up. A write that is being committed then may still be done. */
  readonly signal?: AbortSignal;
  /** Milliseconds; default: that of open. */
  readonly deadline?: number;
  /** Give every INTEGER as a bigint; default: that of open. */
  readonly bigint?: boolean;
}

/** Options of watch. */
export interface WatchOptions {
  /**
   * Columns by which rows are told apart; default: the primary keys that the
   * result has, else the whole row.
   */
  readonly key?: string | readonly string[];
  /** Give every INTEGER as a bigint; default: that of open. */
  readonly bigint?: boolean;
  /** Told when the query fails; it is tried again after the next commit that concerns it. */
  readonly onError?: (err: Error) => void;
}
