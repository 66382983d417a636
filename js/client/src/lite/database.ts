import type { Row, Value } from "../value.ts";
import { SqliteError } from "./failure.ts";
import type { Sqlite } from "./load.ts";
import { quote } from "./quote.ts";
import { Statement } from "./statement.ts";
import { atOnce, STRIDE, step, type Work } from "./work.ts";

/** Bounds the cache of one connection. */
const maxStatements = 512;

const ENABLE_FKEY = 1002;
const ENABLE_TRIGGER = 1003;
const DQS_DML = 1013;
const DQS_DDL = 1014;
/** READWRITE, CREATE, URI names off, results with their extended codes. */
const openFlags = 2 | 4 | 0x2000000;
/** READONLY, URI names on, results with their extended codes. */
const frozenFlags = 1 | 0x40 | 0x2000000;

/** Hears what a statement will do while it compiles: the code of an action, its two names, the database, the trigger or view. */
export type Hear = (
  action: number,
  a: string | null,
  b: string | null,
  db: string | null,
  inside: string | null,
) => void;

/**
 * One connection. The only place, with its neighbours here, that calls SQLite.
 * Everything is synchronous and throws SqliteError. A statement that is not
 * reset holds its lock. An error may have ended the whole transaction: look at
 * inTransaction.
 */
export class Database {
  readonly sqlite: Sqlite;
  readonly handle: number;
  readonly #name: string;
  readonly #vfs: string | undefined;
  /** How many transactions were begun. */
  begun = 0;
  readonly #cache = new Map<string, Statement>();

  private constructor(sqlite: Sqlite, handle: number, name: string, vfs?: string) {
    this.sqlite = sqlite;
    this.handle = handle;
    this.#name = name;
    this.#vfs = vfs;
  }

  /** Opens a file of a registered file system (default: in memory only), and makes it if it is not there. */
  static open(sqlite: Sqlite, name: string, vfs?: string, flags = openFlags): Database {
    const { x, out } = sqlite;
    const open = (v: number): number => sqlite.withText(name, (at) => x.sqlite3_open_v2(at, out, flags, v));
    const rc = vfs === undefined ? open(0) : sqlite.withText(vfs, open);
    const db = new Database(sqlite, sqlite.pointerAt(out), name, vfs);
    if (rc !== 0) {
      const err = db.failure(rc);
      db.close();
      throw err;
    }
    // The package's build has them on, as no other SQLite.
    db.run("PRAGMA recursive_triggers = OFF");
    // Definitions of old databases have strings in double quotes, and triggers are read anew wherever they fire.
    db.#config(DQS_DML, true);
    db.#config(DQS_DDL, true);
    return db;
  }

  /**
   * Opens another connection, which takes the file as it is: what is in a WAL is not
   * seen, no lock is taken, and it is good as long as nobody writes the file itself.
   */
  frozen(): Database {
    return Database.open(this.sqlite, `file:${this.#name}?immutable=1`, this.#vfs, frozenFlags);
  }

  close(): void {
    this.forget();
    // Not the bare function: the hooks that were set go with the connection.
    this.sqlite.api.capi.sqlite3_close_v2(this.handle);
  }

  /** The error of this result code. */
  failure(rc: number): SqliteError {
    const { x } = this.sqlite;
    const text = this.sqlite.textAt(x.sqlite3_errmsg(this.handle));
    return new SqliteError(rc, text, x.sqlite3_error_offset(this.handle));
  }

  /** Ends all cached statements, as must happen before a table is dropped and before the file is given up. */
  forget(): void {
    for (const s of this.#cache.values()) {
      if (s.busy) s.temp = true;
      else s.finalize();
    }
    this.#cache.clear();
  }

  /** The cached statement. One that is in use (by a recursive caller) is prepared anew. */
  prepare(sql: string): Statement {
    const cached = this.#cache.get(sql);
    if (cached?.busy === false) {
      cached.busy = true;
      return cached;
    }
    const s = new Statement(this, this.#compile(sql, cached === undefined), cached !== undefined);
    if (cached === undefined) {
      this.#makeRoom();
      this.#cache.set(sql, s);
    }
    return s;
  }

  #compile(sql: string, persistent: boolean): number {
    const { sqlite } = this;
    const { x, out } = sqlite;
    return sqlite.withText(sql, (at, bytes) => {
      const rc = x.sqlite3_prepare_v3(this.handle, at, bytes + 1, persistent ? 1 : 0, out, out + 4);
      if (rc !== 0) throw this.failure(rc);
      const s = sqlite.pointerAt(out);
      const rest = sqlite.textAt(sqlite.pointerAt(out + 4)).trim();
      if (s !== 0 && rest === "") return s;
      x.sqlite3_finalize(s);
      throw new Error(`${s === 0 ? "no" : "more than one"} statement in ${sql}`);
    });
  }

  #makeRoom(): void {
    if (this.#cache.size < maxStatements) return;
    for (const [sql, s] of this.#cache) {
      if (s.busy) continue;
      s.finalize();
      this.#cache.delete(sql);
    }
  }

  /** Throws unless a statement compiles, and lets `look` see it. Nothing runs, nothing is kept. */
  compile(sql: string, look: (handle: number) => void = () => {}): void {
    const handle = this.#compile(sql, false);
    try {
      look(handle);
    } finally {
      this.sqlite.x.sqlite3_finalize(handle);
    }
  }

  /** Executes any number of statements without arguments. */
  script(sql: string): void {
    const rc = this.sqlite.withText(sql, (at) => this.sqlite.x.sqlite3_exec(this.handle, at, 0, 0, 0));
    if (rc !== 0) throw this.failure(rc);
  }

  /** Executes one statement and calls fn at every result row; the statement may be used only during the call. */
  each(sql: string, fn: ((s: Statement) => void) | null, ...args: Value[]): void {
    this.#each(sql, fn, args);
  }

  #each(sql: string, fn: ((s: Statement) => void) | null, args: Row): void {
    const s = this.prepare(sql);
    let done = false;
    try {
      s.bindAll(args);
      while (s.step()) if (fn !== null) fn(s);
      done = true;
    } finally {
      if (!done) abandon(s);
    }
    s.reset();
  }

  /** The same step by step. */
  *pass(sql: string, fn: (s: Statement) => void, ...args: Value[]): Work<void> {
    const s = this.prepare(sql);
    let done = false;
    try {
      s.bindAll(args);
      for (let n = 1; s.step(); n++) {
        fn(s);
        if (n % STRIDE === 0) yield;
      }
      done = true;
    } finally {
      if (!done) abandon(s);
    }
    s.reset();
  }

  /** Executes one statement and drops what it returns. */
  run(sql: string, ...args: Value[]): void {
    this.#each(sql, null, args);
  }

  /** The first row of a query, or null. What comes behind it is not asked for. */
  get(sql: string, ...args: Value[]): Value[] | null {
    const s = this.prepare(sql);
    let row: Value[] | null = null;
    let done = false;
    try {
      s.bindAll(args);
      if (s.step()) row = s.row();
      done = true;
    } finally {
      if (!done) abandon(s);
    }
    s.reset();
    return row;
  }

  /** The first column of the first row as a number; 0 where it is no integer. */
  int(sql: string, ...args: Value[]): number {
    const v = this.get(sql, ...args)?.[0];
    return typeof v === "bigint" ? Number(v) : 0;
  }

  /** The first column of the first row as text; "" where it is none. */
  text(sql: string, ...args: Value[]): string {
    const v = this.get(sql, ...args)?.[0];
    return typeof v === "string" ? v : "";
  }

  /** Runs fn inside BEGIN IMMEDIATE and commits, or rolls back when fn throws. */
  transaction<T>(fn: () => T): T {
    return atOnce(this.working(() => step(fn)));
  }

  /** Does work inside BEGIN IMMEDIATE and commits, or rolls back when it throws or is given up. */
  working<T>(fn: () => Work<T>): Work<T> {
    return this.#transaction("BEGIN IMMEDIATE", fn);
  }

  /** Runs fn inside a read transaction: it sees one state of the file. */
  view<T>(fn: () => T): T {
    return atOnce(this.#transaction("BEGIN", () => step(fn)));
  }

  *#transaction<T>(begin: string, fn: () => Work<T>): Work<T> {
    this.run(begin);
    this.begun++;
    let done = false;
    try {
      const result = yield* fn();
      this.run("COMMIT");
      done = true;
      return result;
    } finally {
      if (!done && this.inTransaction) this.script("ROLLBACK");
    }
  }

  /**
   * Runs fn inside a savepoint and undoes what it did when it throws. An error
   * that ended the whole transaction is left for the caller to see by inTransaction.
   */
  savepoint<T>(name: string, fn: () => T): T {
    return atOnce(this.trying(name, () => step(fn)));
  }

  /** The same for work. */
  *trying<T>(name: string, fn: () => Work<T>): Work<T> {
    const q = quote(name);
    this.run(`SAVEPOINT ${q}`);
    let result: T;
    try {
      result = yield* fn();
    } catch (err) {
      if (this.inTransaction) {
        this.run(`ROLLBACK TO ${q}`);
        this.run(`RELEASE ${q}`);
      }
      throw err;
    }
    this.run(`RELEASE ${q}`);
    return result;
  }

  /** Whether a transaction is open. It can have ended by itself after an error. */
  get inTransaction(): boolean {
    return this.sqlite.x.sqlite3_get_autocommit(this.handle) === 0;
  }

  /** The rows that the last statement changed. */
  changes(): number {
    return this.sqlite.x.sqlite3_changes(this.handle);
  }

  lastInsertRowid(): bigint {
    return this.sqlite.x.sqlite3_last_insert_rowid(this.handle);
  }

  /** Says that nothing was inserted yet. */
  forgetLastInsert(): void {
    this.sqlite.x.sqlite3_set_last_insert_rowid(this.handle, 0n);
  }

  /** Switches all triggers stored in the file on or off, and tells how it was; TEMP triggers and foreign-key actions are not concerned. */
  setTriggers(on: boolean): boolean {
    return this.#config(ENABLE_TRIGGER, on);
  }

  /**
   * Switches foreign keys and their actions on or off, inside of a transaction
   * too, and tells how it was. What is written while they are off is not counted
   * among the deferred violations. It expires prepared statements.
   */
  setForeignKeys(on: boolean): boolean {
    return this.#config(ENABLE_FKEY, on);
  }

  #config(op: number, on: boolean): boolean {
    const { x, out } = this.sqlite;
    const config = (value: number): void => {
      const rc = x.sqlite3__wasm_db_config_ip(this.handle, op, value, out);
      if (rc !== 0) throw this.failure(rc);
    };
    config(-1);
    const was = this.sqlite.pointerAt(out) !== 0;
    if (was !== on) config(on ? 1 : 0);
    return was;
  }

  /** Runs fn and tells `hear` what the statements that it compiles will do. */
  authorize(hear: Hear, fn: () => void): void {
    const { capi } = this.sqlite.api;
    const name = (s: string | 0): string | null => s || null;
    const hook = (
      _: number,
      action: number,
      a: string | 0,
      b: string | 0,
      db: string | 0,
      inside: string | 0,
    ): number => {
      hear(action, name(a), name(b), name(db), name(inside));
      return 0;
    };
    capi.sqlite3_set_authorizer(this.handle, hook, 0);
    try {
      fn();
    } finally {
      // The types do not tell that 0 takes the authorizer away.
      capi.sqlite3_set_authorizer(this.handle, 0 as never, 0);
    }
  }

  /** The database as the bytes of a file. */
  serialize(): Uint8Array {
    return this.sqlite.api.capi.sqlite3_js_db_export(this.handle);
  }
}

/** Resets a statement whose error is on its way already. */
function abandon(s: Statement): void {
  try {
    s.reset();
  } catch {
    // The first error is the one to tell.
  }
}
