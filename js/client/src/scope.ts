/** A scope that a device wants. */
export interface ScopeWant {
  readonly scope: string;
  /** Those of a lower one come first, those of the same together; a whole number, default 0. */
  readonly priority?: number;
}

/** What is known of a scope on this device; the same object until something changes. */
export interface ScopeStatus {
  /** `project/42`, or the name of the kind alone where there is one of it. */
  readonly scope: string;
  /** Whether the device wants it: by its name, or because it takes everything that is granted. */
  readonly wanted: boolean;
  /** Whether the server granted it when it was asked last. */
  readonly granted: boolean;
  /** Whether it is whole here. */
  readonly ready: boolean;
  readonly priority: number;
  /** Rows that came in while it fills, since the database was opened; 0 once it is whole. */
  readonly incoming: number;
}

/** A scope with what it has here. */
export interface ScopeInfo extends ScopeStatus {
  /** Rows of it that this device holds. */
  readonly rows: number;
}

/** News of a scope. */
export interface ScopeNews {
  readonly scope: string;
  /**
   * `gained`: the server grants it, its rows come. `ready`: it is whole here.
   * `lost`: its rows are gone from this device, those that are in another scope excepted.
   */
  readonly state: "gained" | "ready" | "lost";
  /** Of `ready` the rows that it has, of `lost` those that left. */
  readonly rows: number;
  /** `lost`, because this device does not want it any more, and not because a grant ended. */
  readonly unwanted: boolean;
}

/** Options of Database.subscribe. */
export interface SubscribeOptions {
  /** Scopes of a lower one come first; default: what it has, at first 0. */
  readonly priority?: number;
  /** Ends the wait for `ready`. The scope stays wanted. */
  readonly signal?: AbortSignal;
}

/** A scope that this device subscribed to. */
export interface Subscription {
  readonly scope: string;
  /**
   * Resolves when the scope is whole here. Rejects with code `forbidden` when the
   * server does not grant it; it stays wanted, and comes when it is granted. Without
   * network it waits.
   */
  readonly ready: Promise<void>;
  /** What is known of it now. */
  readonly status: ScopeStatus;
  /** Calls fn after each change of `status`. Returns the function that ends it. */
  onChange(fn: (status: ScopeStatus) => void): () => void;
}
