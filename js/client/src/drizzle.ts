import { type DrizzleConfig, TransactionRollbackError } from "drizzle-orm";
import { drizzle as proxy, type SqliteRemoteDatabase } from "drizzle-orm/sqlite-proxy";
import type { Database, Param, Transaction } from "./database.ts";
import { TidemarkError } from "./error.ts";
import type { Query } from "./sql.ts";

type Schema = Record<string, unknown>;

/** Drizzle's database inside of a transaction. */
export type DrizzleTransaction<S extends Schema> = Omit<SqliteRemoteDatabase<S>, "transaction" | "batch"> & {
  /** Gives the transaction up. */
  rollback(): never;
};

/** Drizzle's database on one of ours. */
export type DrizzleDatabase<S extends Schema> = Omit<SqliteRemoteDatabase<S>, "transaction" | "batch"> & {
  /** Runs fn in one transaction, which becomes one changeset. As with Database.transaction, fn may run more than once. */
  transaction<R>(fn: (tx: DrizzleTransaction<S>) => Promise<R>): Promise<R>;
};

/**
 * Runs Drizzle's queries on a database:
 *
 *     const orm = drizzle(db, { schema });
 *
 * Each statement outside of a transaction is one changeset. Transactions cannot
 * be nested.
 */
export function drizzle<S extends Schema = Record<string, never>>(
  db: Database,
  config: DrizzleConfig<S> = {},
): DrizzleDatabase<S> {
  return Object.assign(on(db, config), {
    transaction: <R>(fn: (tx: DrizzleTransaction<S>) => Promise<R>): Promise<R> =>
      db.transaction((tx) => fn(inside(tx, config))),
  });
}

function inside<S extends Schema>(tx: Transaction, config: DrizzleConfig<S>): DrizzleTransaction<S> {
  return Object.assign(on(tx, config), {
    rollback: (): never => {
      throw new TransactionRollbackError();
    },
    transaction: (): never => {
      throw new TidemarkError("usage", "a transaction cannot hold another one");
    },
  });
}

function on<S extends Schema>(where: Pick<Transaction, "raw">, config: DrizzleConfig<S>): SqliteRemoteDatabase<S> {
  return proxy<S>(async (sql, params, method) => {
    const { rows } = await where.raw(sql, params);
    // For the first row of none Drizzle wants no row, though its types have a list.
    return { rows: method === "get" ? (rows[0] as unknown as unknown[]) : [...rows] };
  }, config);
}

/** A query of Drizzle's for db.watch and useQuery; their rows have the names of the columns. */
export function queryOf(query: { toSQL(): { sql: string; params: unknown[] } }): Query {
  const { sql, params } = query.toSQL();
  // What is no value of SQLite's is refused when it is used.
  return { sql, params: params as Param[] };
}
