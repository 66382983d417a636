import type {
  Choice,
  Conflict,
  ConflictFilter,
  Database,
  DatabaseEvent,
  Diff,
  ExecResult,
  Inspection,
  Param,
  PendingChangeset,
  RawResult,
  RejectedChangeset,
  Replacement,
  Resolved,
  Row,
  Status,
  SyncResult,
  Transaction,
  VerifyReport,
} from "../database.ts";
import type { CallOptions, WatchOptions } from "../options.ts";
import type { Presence } from "../presence.ts";
import type { ScopeInfo, SubscribeOptions, Subscription } from "../scope.ts";
import { checkValue, type Query, queryOf } from "../sql.ts";
import { LiveQueries, rowOf } from "../watch/live-queries.ts";
import { decodeError, type ErrorMessage, waitedFor } from "./errors.ts";
import type { Link } from "./link.ts";
import { type Listeners, listen } from "./listeners.ts";
import type { Executed, Methods, Rowset, Statement } from "./messages.ts";
import { TabPresences } from "./presence.ts";
import { TabSubscription } from "./scopes.ts";
import { TabTransaction } from "./transaction.ts";

type First = TemplateStringsArray | string | Query;

/** Times that a transaction is run again when what it read changed. */
const MOST_RUNS = 10;

/** What a tab's database needs of the one who holds it together. */
export interface TabHost {
  readonly name: string;
  readonly bigint: boolean;
  readonly link: Link;
  readonly status: Status;
  readonly statusListeners: Listeners<Status>;
  readonly eventListeners: Listeners<DatabaseEvent>;
  close(): Promise<void>;
}

/** The database as an app has it: turns its calls into those of the worker that leads. */
export class Tab implements Database {
  readonly name: string;
  readonly ready: Promise<void>;
  readonly live: LiveQueries;
  readonly presences: TabPresences;
  readonly #host: TabHost;
  readonly #link: Link;

  constructor(host: TabHost) {
    this.name = host.name;
    this.#host = host;
    this.#link = host.link;
    host.link.why = () => waitedFor(host.status);
    this.ready = host.link.call("ready", null).then(() => {});
    this.ready.catch(() => {}); // who does not ask need not hear of it
    this.presences = new TabPresences({
      tab: host.link.tab,
      present: (scope, state) => host.link.call("present", { scope, state }, { deadline: Number.POSITIVE_INFINITY }),
      cast: (scope, body) => host.link.call("cast", { scope, body }),
    });
    this.live = new LiveQueries({
      watch: (spec) =>
        // A failure of the query travels as errors of calls do.
        host.link
          .call("watch", spec)
          .then((p) => (p.error === undefined ? p : { ...p, error: decodeError(p.error as ErrorMessage) })),
      unwatch: (id) => void host.link.call("unwatch", id).catch(() => {}),
    });
  }

  get status(): Status {
    return this.#host.status;
  }

  presence<S extends object = Record<string, unknown>>(scope = "all"): Presence<S> {
    return this.presences.of<S>(scope);
  }

  subscribe(scope: string, options: SubscribeOptions = {}): Subscription {
    return new TabSubscription(this.#link, this, scope, options);
  }

  async unsubscribe(scope: string): Promise<void> {
    await this.#link.call("unsubscribe", scope);
  }

  scopes(): Promise<ScopeInfo[]> {
    return this.#link.call("scopes", null);
  }

  get online(): boolean {
    return this.status.online;
  }

  async exec<T = Row>(first: First, ...rest: unknown[]): Promise<ExecResult<T>> {
    const { statement, options } = this.#statement(first, rest);
    return executed<T>(await this.#link.call("exec", statement, options));
  }

  async query<T = Row>(first: First, ...rest: unknown[]): Promise<T[]> {
    const { statement, options } = this.#statement(first, rest);
    return rowsOf<T>(await this.#link.call("query", statement, options));
  }

  async queryOne<T = Row>(first: First, ...rest: unknown[]): Promise<T | undefined> {
    return (await this.query<T>(first, ...rest))[0];
  }

  raw(sql: string, params: readonly Param[] = [], options: CallOptions = {}): Promise<RawResult> {
    const { statement } = this.#statement(sql, [params, options]);
    return this.#link.call("exec", statement, options);
  }

  #statement(first: First, rest: readonly unknown[]): { statement: Statement; options: CallOptions } {
    const { query, options = {} } = queryOf(first, rest);
    return { statement: { ...query, bigint: options.bigint ?? this.#host.bigint }, options };
  }

  async transaction<R>(fn: (tx: Transaction) => Promise<R>, options: CallOptions = {}): Promise<R> {
    for (let run = 1; ; run++) {
      const tx = new TabTransaction(this.#link, options, options.bigint ?? this.#host.bigint);
      try {
        const result = await fn(tx);
        await tx.commit();
        return result;
      } catch (err) {
        tx.rollback();
        if (!tx.changed || run === MOST_RUNS) throw err;
      }
    }
  }

  watch<T = Row>(
    sql: string | Query,
    params: readonly Param[],
    fn: (rows: readonly T[], diff: Diff<T>) => void,
    options: WatchOptions = {},
  ): () => void {
    const { query } = queryOf(sql, [params]);
    const key = typeof options.key === "string" ? [options.key] : options.key;
    const plain = query.params.map((p) => (typeof p === "boolean" ? Number(p) : p));
    const spec = { sql: query.sql, params: plain, key, bigint: options.bigint ?? this.#host.bigint };
    const fail = (err: unknown): void => {
      const e = err instanceof Error ? err : new Error(String(err));
      if (options.onError) options.onError(e);
      else queueMicrotask(() => reportError(e));
    };
    // What the app says its rows are.
    const tell = (rows: readonly Row[], diff: Diff): void => fn(rows as readonly T[], diff as unknown as Diff<T>);
    return this.live.watch(spec, tell, fail);
  }

  onStatus(fn: (status: Status) => void): () => void {
    return listen(this.#host.statusListeners, fn);
  }

  onEvent(fn: (event: DatabaseEvent) => void): () => void {
    return listen(this.#host.eventListeners, fn);
  }

  pending(): Promise<PendingChangeset[]> {
    return this.#link.call("pending", null);
  }

  rejected(): Promise<RejectedChangeset[]> {
    return this.#link.call("rejected", null);
  }

  retry(id: number, apart = false): Promise<number> {
    return this.#link.call("retry", { id, apart });
  }

  async editAndRetry(id: number, values: readonly Replacement[]): Promise<void> {
    for (const { column, value, key } of values) {
      checkValue(value, `the value of ${column}`);
      for (const part of key) checkValue(part, "the key");
    }
    await this.#link.call("editAndRetry", { id, values });
  }

  async discard(id: number): Promise<void> {
    await this.#link.call("discard", id);
  }

  export(id: number): Promise<string> {
    return this.#link.call("export", id);
  }

  conflicts(filter: ConflictFilter = {}): Promise<Conflict[]> {
    return this.#link.call("conflicts", filter);
  }

  async resolve(id: string, choice: Choice): Promise<Resolved> {
    if (typeof choice === "object") checkValue(choice.value, "the value");
    return await this.#link.call("resolve", { id, choice });
  }

  restoreLoser(id: string): Promise<Resolved> {
    return this.#link.call("resolve", { id, choice: "loser" });
  }

  sync(signal?: AbortSignal): Promise<SyncResult> {
    return this.#patient("sync", signal);
  }

  async flushed(signal?: AbortSignal): Promise<void> {
    await this.#patient("flushed", signal);
  }

  async caughtUp(signal?: AbortSignal): Promise<void> {
    await this.#patient("caughtUp", signal);
  }

  verify(signal?: AbortSignal): Promise<VerifyReport> {
    return this.#patient("verify", signal);
  }

  #patient<M extends "sync" | "flushed" | "caughtUp" | "verify">(
    method: M,
    signal?: AbortSignal,
  ): Promise<Methods[M][1]> {
    return this.#link.call(method, null, signal ? { signal } : {});
  }

  async setNetwork(on: boolean): Promise<void> {
    await this.#link.call("network", on);
  }

  async reconnect(): Promise<void> {
    await this.#link.call("reconnect", null);
  }

  inspect(): Promise<Inspection> {
    return this.#link.call("inspect", null);
  }

  exportFile(): Promise<Uint8Array> {
    return this.#link.call("exportFile", null);
  }

  close(): Promise<void> {
    return this.#host.close();
  }

  async logout(options: { readonly force?: boolean } = {}): Promise<void> {
    try {
      await this.#link.call("wipe", options.force ?? false);
    } catch (err) {
      // The word that it is wiped may come before the answer.
      if (this.status.phase !== "closed") throw err;
    }
    await this.close();
  }
}

/** Rows as the app says that they are. */
export function rowsOf<T>({ columns, rows }: Rowset): T[] {
  return rows.map((cells) => rowOf(columns, cells) as T);
}

export function executed<T>(e: Executed): ExecResult<T> {
  return { changes: e.changes, lastId: e.lastId, rows: rowsOf<T>(e) };
}
