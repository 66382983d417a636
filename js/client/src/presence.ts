import type { ErrorInfo } from "./database.ts";

/** One who is present in a scope. */
export interface Peer<S = Record<string, unknown>> {
  /** The replica's name; a tab's part behind a colon. The same after an interruption. */
  readonly id: string;
  /** Who its token says it is; "" without authentication. */
  readonly principal: string;
  readonly state: S;
  /** Whether it is this tab. */
  readonly me: boolean;
}

/** What a peer said to everyone. */
export interface Cast {
  /** Peer.id. */
  readonly from: string;
  readonly principal: string;
  readonly body: unknown;
}

/**
 * This tab's part in who is present in a scope. Nothing of it is stored. Each
 * tab is a peer of its own. It needs a WebSocket: over plain HTTP nobody is
 * present, and `error` says so.
 */
export interface Presence<S extends object = Record<string, unknown>> {
  readonly scope: string;
  /**
   * Who is present, this tab included, in the order of their ids: the same array
   * until something changes, and in it the same objects for those who did not.
   * Empty until join. While the connection is lost those of before, for half a minute.
   */
  readonly peers: readonly Peer<S>[];
  /** Why others do not see this tab, or what the server declined last; null when all is well. */
  readonly error: ErrorInfo | null;
  /**
   * Makes this tab present, whenever it is connected, with a state: what makes a
   * JSON object of at most 4096 bytes. Who is present is told of everyone who is.
   */
  join(state?: S): void;
  /** Sets another state. What comes faster than 30 times a second is put together: the newest is sent. */
  update(state: S): void;
  /** Leaves. The others see it at once. */
  leave(): void;
  /**
   * Says something to everyone who is present now: what makes at most 16,384 bytes
   * of JSON. Nobody who is not connected hears of it later.
   */
  cast(body: unknown): void;
  /** Calls fn after each change of `peers` or `error`. Returns the function that ends it. */
  onChange(fn: (peers: readonly Peer<S>[]) => void): () => void;
  /** Calls fn with what others cast. Returns the function that ends it. */
  onCast(fn: (cast: Cast) => void): () => void;
}
