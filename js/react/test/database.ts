import type {
  Conflict,
  ConflictFilter,
  Database,
  DatabaseEvent,
  PendingChangeset,
  RejectedChangeset,
  Status,
} from "@tidemark/client";
import { act } from "react";
import { table, World } from "../../client/test/watch/world.ts";

declare global {
  var IS_REACT_ACT_ENVIRONMENT: boolean;
}

/** A database of one tab whose watched queries are real and whose rest a test sets. */
export interface Lab {
  readonly world: World;
  readonly db: Database;
  /** Watches that run now. */
  watching(): number;
  /** How often lists were asked for. */
  asked: number;
  pending: PendingChangeset[];
  rejected: RejectedChangeset[];
  conflicts: Conflict[];
  closed: number;
  status(change: Partial<Status>): Promise<void>;
  /** Tells an event. */
  event(e: DatabaseEvent): Promise<void>;
  /** Executes a statement that changes titles, and lets the watchers hear of it. */
  commit(sql: string): Promise<void>;
}

const CALM = { phase: "ready", seq: 1, pending: 0, suspended: 0, rejected: 0, conflicts: 0 };

function listen<T>(all: Set<T>, one: T): () => void {
  all.add(one);
  return () => void all.delete(one);
}

export function lab(): Lab {
  const world = new World(
    `CREATE TABLE task (id INTEGER PRIMARY KEY, title TEXT);
     INSERT INTO task VALUES (1, 'one'), (2, 'two'), (3, 'three')`,
    table(1, "task", ["id", "title"]),
  );
  const live = world.tab("a");
  const heard = new Set<(s: Status) => void>();
  const events = new Set<(e: DatabaseEvent) => void>();
  let status = CALM as Status;
  let watching = 0;
  const l = { world, asked: 0, pending: [], rejected: [], conflicts: [], closed: 0 } as unknown as Lab;
  type Part = "watch" | "onStatus" | "onEvent" | "status" | "pending" | "rejected" | "conflicts" | "close";
  const part: Pick<Database, Part> = {
    watch: (sql, params, fn, options) => {
      watching++;
      const key = typeof options?.key === "string" ? [options.key] : options?.key;
      const stop = live.watch({ sql: `${sql}`, params: params as never, ...(key ? { key } : {}) }, fn as never, (err) =>
        options?.onError?.(err as Error),
      );
      return () => {
        watching--;
        stop();
      };
    },
    onStatus: (fn) => listen(heard, fn),
    onEvent: (fn) => listen(events, fn),
    get status() {
      return status;
    },
    pending: async () => {
      l.asked++;
      return structuredClone(l.pending);
    },
    rejected: async () => structuredClone(l.rejected),
    conflicts: async (filter?: ConflictFilter) =>
      structuredClone(l.conflicts.filter((c) => filter?.states?.includes(c.state) ?? true)),
    close: async () => void l.closed++,
  };
  return Object.assign(l, {
    db: part as Database,
    watching: () => watching,
    status: (change: Partial<Status>) =>
      act(async () => {
        status = { ...status, ...change };
        for (const fn of heard) fn(status);
      }),
    event: (e: DatabaseEvent) =>
      act(async () => {
        for (const fn of events) fn(e);
      }),
    commit: (sql: string) =>
      act(async () => {
        world.db.script(sql);
        world.watches.commit(null);
        world.deliver();
      }),
  });
}
