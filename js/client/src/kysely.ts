import {
  type ColumnType,
  type CompiledQuery,
  type DatabaseConnection,
  type DatabaseIntrospector,
  type Dialect,
  type DialectAdapter,
  type Driver,
  type Kysely,
  type QueryCompiler,
  type QueryResult,
  SqliteAdapter,
  SqliteIntrospector,
  SqliteQueryCompiler,
} from "kysely";
import type { Database, Param, Transaction } from "./database.ts";
import { TidemarkError } from "./error.ts";
import type { Query } from "./sql.ts";

/**
 * Runs Kysely's queries on a database:
 *
 *     const kysely = new Kysely<KyselyTables<Tables>>({ dialect: new TidemarkDialect(db) });
 *
 * Each statement outside of a transaction is one changeset, a transaction is
 * one. Since Kysely cannot run a transaction's function again, one that read
 * what somebody else changed meanwhile fails with code `busy`: run it again.
 */
export class TidemarkDialect implements Dialect {
  readonly #db: Database;

  constructor(db: Database) {
    this.#db = db;
  }

  createDriver(): Driver {
    return new TidemarkDriver(this.#db);
  }

  createQueryCompiler(): QueryCompiler {
    return new SqliteQueryCompiler();
  }

  createAdapter(): DialectAdapter {
    return new SqliteAdapter();
  }

  // Kysely's own types have any here.
  // biome-ignore lint/suspicious/noExplicitAny: as in the interface
  createIntrospector(db: Kysely<any>): DatabaseIntrospector {
    return new SqliteIntrospector(db);
  }
}

/** Kysely's types of what `tidemark generate ts` wrote. */
export type KyselyTables<T> = {
  [N in keyof T]: T[N] extends { row: infer R; insert: infer I }
    ? {
        [C in keyof R]: ColumnType<
          R[C],
          [I] extends [never] ? never : C extends keyof I ? I[C] : never,
          [I] extends [never] ? never : C extends keyof I ? R[C] : never
        >;
      }
    : never;
};

/** A query of Kysely's for db.watch and useQuery. */
export function queryOf(query: { compile(): CompiledQuery }): Query {
  const { sql, parameters } = query.compile();
  return { sql, params: paramsOf(parameters) };
}

function paramsOf(values: readonly unknown[]): Param[] {
  // What is no value of SQLite's is refused when it is used.
  return values.map((v) => v as Param);
}

/** What ends a transaction that is given up. */
class RolledBack extends Error {}

class Connection implements DatabaseConnection {
  readonly #db: Database;
  /** Ends the open transaction; null when there is none. */
  #end: { resolve(): void; reject(err: Error): void } | null = null;
  #tx: Transaction | null = null;
  #outcome: Promise<void> = Promise.resolve();

  constructor(db: Database) {
    this.#db = db;
  }

  begin(): Promise<void> {
    return new Promise((begun, failed) => {
      this.#outcome = this.#db.transaction((tx) => {
        if (this.#tx)
          throw new TidemarkError("busy", "what the transaction read was changed meanwhile", { hint: "run it again" });
        this.#tx = tx;
        begun();
        return new Promise<void>((resolve, reject) => {
          this.#end = { resolve, reject };
        });
      });
      this.#outcome.catch(failed);
    });
  }

  async commit(): Promise<void> {
    this.#end?.resolve();
    await this.#outcome.finally(() => this.#over());
  }

  async rollback(): Promise<void> {
    this.#end?.reject(new RolledBack());
    await this.#outcome.catch((err) => {
      if (!(err instanceof RolledBack)) throw err;
    });
    this.#over();
  }

  #over(): void {
    this.#tx = this.#end = null;
  }

  async executeQuery<R>({ sql, parameters }: CompiledQuery): Promise<QueryResult<R>> {
    const { columns, rows, changes, lastId } = await (this.#tx ?? this.#db).raw(sql, paramsOf(parameters));
    const objects = rows.map((cells) => Object.fromEntries(columns.map((c, i) => [c, cells[i]])));
    // R is what the app's types say of the rows.
    return { rows: objects as R[], numAffectedRows: BigInt(changes), insertId: BigInt(lastId) };
  }

  async *streamQuery<R>(query: CompiledQuery): AsyncIterableIterator<QueryResult<R>> {
    yield await this.executeQuery<R>(query);
  }
}

class TidemarkDriver implements Driver {
  readonly #db: Database;

  constructor(db: Database) {
    this.#db = db;
  }

  async init(): Promise<void> {}

  async acquireConnection(): Promise<Connection> {
    return new Connection(this.#db);
  }

  beginTransaction(c: Connection): Promise<void> {
    return c.begin();
  }

  commitTransaction(c: Connection): Promise<void> {
    return c.commit();
  }

  rollbackTransaction(c: Connection): Promise<void> {
    return c.rollback();
  }

  async releaseConnection(): Promise<void> {}

  /** The database is its owner's to close. */
  async destroy(): Promise<void> {}
}
