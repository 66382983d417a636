import { TidemarkError } from "../error.ts";
import type { Database } from "../lite/database.ts";
import { SqliteError, violation } from "../lite/failure.ts";
import { failure } from "../replica/connection.ts";
import type { Executed, Rowset, Statement } from "../tabs/messages.ts";
import { RawText, type Value } from "../value.ts";
import type { Cell, Cells } from "../watch/difference.ts";

/** Bounds what is remembered of statements. */
const MOST = 500;

/** How many steps of SQLite's machine lie between two looks at the clock. */
const STEPS = 50_000;

const TEMP_TRIGGER = 5;
const PRAGMA = 19;
const TRANSACTION = 22;
const ATTACH = 24;
const DETACH = 25;
const SAVEPOINT = 32;
const INTERRUPT = 9;
const ERROR = 1;

/** Actions that write rows or the structure, with the name of a table. */
const writes = (action: number): boolean => action === 9 || action === 18 || action === 23;

/** Runs the app's statements on the database. */
export class Statements {
  readonly db: Database;
  /** Why a statement is refused, "" if it is not, by its text. */
  readonly #known = new Map<string, string>();
  #until = Number.POSITIVE_INFINITY;

  constructor(db: Database) {
    this.db = db;
    const { capi } = db.sqlite.api;
    capi.sqlite3_progress_handler(db.handle, STEPS, () => (performance.now() > this.#until ? 1 : 0), 0);
  }

  /** Runs fn, whose statements are broken off when the time is over. */
  within<T>(until: number, fn: () => T): T {
    this.#until = until;
    try {
      return fn();
    } catch (err) {
      throw explained(err);
    } finally {
      this.#until = Number.POSITIVE_INFINITY;
    }
  }

  /** Runs a statement that must not write. */
  query(s: Statement): Rowset {
    return this.#run(s, true);
  }

  /** Whether a statement only reads. */
  reads(sql: string): boolean {
    this.#admit(sql);
    const s = this.db.prepare(sql);
    try {
      return this.db.sqlite.x.sqlite3_stmt_readonly(s.handle) !== 0;
    } finally {
      s.reset();
    }
  }

  /** Runs a statement inside the open transaction. */
  exec(s: Statement): Executed {
    const { x } = this.db.sqlite;
    const before = x.sqlite3_total_changes(this.db.handle);
    const rows = this.#run(s, false);
    if (!this.db.inTransaction) throw ended();
    const changed = x.sqlite3_total_changes(this.db.handle) !== before;
    return { ...rows, changes: changed ? this.db.changes() : 0, lastId: integer(this.db.lastInsertRowid(), s.bigint) };
  }

  /** Rows alone, for live queries. */
  cells(sql: string, params: Cells, bigint: boolean): Cells[] {
    return [...this.#run({ sql, params, bigint }, true).rows];
  }

  #run({ sql, params, bigint }: Statement, reads: boolean): Rowset {
    this.#admit(sql);
    const s = this.db.prepare(sql);
    const columns: string[] = [];
    const rows: Cell[][] = [];
    let done = false;
    try {
      const { x } = this.db.sqlite;
      if (reads && x.sqlite3_stmt_readonly(s.handle) === 0) throw usage("a query cannot write", "use exec");
      const wanted = x.sqlite3_bind_parameter_count(s.handle);
      if (wanted !== params.length) throw usage(`the statement has ${wanted} parameters, ${params.length} were given`);
      s.bindAll(params.map(stored));
      const n = s.columns;
      for (let i = 0; i < n; i++) columns.push(s.columnName(i));
      while (s.step()) {
        const row: Cell[] = [];
        for (let i = 0; i < n; i++) row.push(shown(s.value(i), bigint));
        rows.push(row);
      }
      done = true;
    } finally {
      reset(s, done);
    }
    return { columns, rows };
  }

  /** Refuses what is not the app's to do: ends of transactions, other files, the bookkeeping. */
  #admit(sql: string): void {
    let why = this.#known.get(sql);
    if (why === undefined) {
      why = "";
      this.db.authorize(
        (action, a, b, _, inside) => {
          if (action === TRANSACTION || action === SAVEPOINT)
            why ||= "transactions are begun and ended by Database.transaction";
          else if (action === ATTACH || action === DETACH) why ||= "other files cannot be attached";
          else if (
            action === PRAGMA &&
            (b !== null
              ? !/_(x?info|list|check)$/.test(a ?? "")
              : !/(^|_)(version|list|check|count|keys|mode)$/.test(a ?? ""))
          )
            why ||= `pragma ${a} is not for apps`;
          else if (action === TEMP_TRIGGER) why ||= "a TEMP trigger would also fire for what the server sends";
          else if (writes(action) && inside === null && /^_tm_/i.test(a ?? "")) why ||= `${a} is Tidemark's own`;
        },
        () => this.db.compile(sql),
      );
      if (this.#known.size >= MOST) this.#known.clear();
      this.#known.set(sql, why);
    }
    if (why !== "") throw usage(why);
  }
}

function reset(s: { reset(): void }, done: boolean): void {
  try {
    s.reset();
  } catch (err) {
    if (done) throw err; // else the first error is the one to tell
  }
}

/** A parameter as SQLite stores it. */
export function stored(p: Cell | boolean): Value {
  if (typeof p === "number") return Number.isInteger(p) && !Object.is(p, -0) && Number.isSafeInteger(p) ? BigInt(p) : p;
  return typeof p === "boolean" ? BigInt(p) : p;
}

/** A value as the app gets it. */
export function shown(v: Value, bigint = false): Cell {
  if (typeof v !== "bigint") return v instanceof RawText ? v.bytes : v;
  return integer(v, bigint);
}

function integer(v: bigint, bigint: boolean): number | bigint {
  if (bigint) return v;
  const n = Number(v);
  return Number.isSafeInteger(n) ? n : v;
}

function usage(message: string, hint = ""): TidemarkError {
  return new TidemarkError("usage", message, { hint });
}

/** The error of a statement that ended the transaction around it. */
export function ended(): TidemarkError {
  return usage("the statement ended the transaction", "do not use ON CONFLICT ROLLBACK or RAISE(ROLLBACK)");
}

/** Gives an error of SQLite the code by which an app can tell it. */
export function explained(err: unknown): Error {
  if (err instanceof TidemarkError) return err;
  if (!(err instanceof SqliteError)) return usage(err instanceof Error ? err.message : String(err));
  if (err.code === INTERRUPT) {
    return new TidemarkError("busy", "the statement took longer than its deadline", { hint: "nothing of it was done" });
  }
  const refused = violation(err);
  if (refused) return refused;
  if (err.code === ERROR) return usage(err.message);
  return failure("database", err);
}
