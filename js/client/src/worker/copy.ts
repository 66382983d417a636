import { Database } from "../lite/database.ts";
import type { Sqlite } from "../lite/load.ts";
import { keyDigestKey, value } from "../meta/meta.ts";
import type { MergeFunctions } from "../options.ts";
import { Replica } from "../replica/replica.ts";
import { captured } from "../replica/seal.ts";
import { begin, commit, rollback, touched } from "../replica/write.ts";
import type { Schema } from "../schema.ts";
import type { Storage } from "../storage/storage.ts";
import { same } from "../value.ts";
import { AGENT } from "../version.ts";
import type { Touched } from "../watch/watches.ts";
import { Journal } from "./journal.ts";
import { Statements } from "./statements.ts";
import { Transactions } from "./transactions.ts";

/** Digest key of a copy that has the tables and not yet the space's rows: no server has it. */
export const PROVISIONAL_KEY = new Uint8Array(16);

/** Names a call of a tab. */
export interface Call {
  readonly tab: string;
  readonly id: number;
  /** It was asked of another worker before, which may have done it. */
  readonly again: boolean;
}

let pool = new Uint8Array();

/** Random bytes; asking the browser for a few costs as much as for many. */
export function random(n: number): Uint8Array {
  if (pool.length < n) pool = crypto.getRandomValues(new Uint8Array(Math.max(n, 1024)));
  const bytes = pool.slice(0, n);
  pool = pool.subarray(n);
  return bytes;
}

/** Opens a database file of a storage, without looking at what is in it. */
export function openFile(sqlite: Sqlite, storage: Storage, name: string): Database {
  const db = Database.open(sqlite, name, storage.vfs);
  db.script(storage.pragmas);
  return db;
}

/** What reads are made on, and the schema of what it shows. */
export interface Reader {
  readonly statements: Statements;
  readonly schema: Schema;
}

/** An open replica with what apps do to it. */
export class Copy {
  readonly name: string;
  readonly db: Database;
  readonly replica: Replica;
  readonly statements: Statements;
  readonly transactions: Transactions;
  readonly #journal: Journal;
  readonly #committed: (touched: Touched) => void;
  /** Whether there were writes to be sealed when a tab's transaction began. */
  #captured = false;
  #reader: Reader | null = null;
  /** The transaction beside which the reader was opened, or could not be. */
  #beside = 0;

  constructor(name: string, db: Database, merge: MergeFunctions, committed: (touched: Touched) => void) {
    this.name = name;
    this.db = db;
    this.replica = Replica.open(db, { rand: random, agent: AGENT, merge });
    this.statements = new Statements(db);
    this.#journal = new Journal(db, Date.now());
    this.#committed = committed;
    this.transactions = new Transactions(this.statements, {
      begin: () => {
        this.#captured = captured(this.replica);
        begin(this.replica);
      },
      commit: (tab, id, answer) => this.#commit({ tab, id, again: false }, answer),
      rollback: () => rollback(this.replica),
    });
  }

  /** Whether the space's rows are not there yet. */
  get provisional(): boolean {
    return same(value(this.db, keyDigestKey), PROVISIONAL_KEY);
  }

  /** Whether what is committed has to be sealed yet. */
  get unsealed(): boolean {
    return this.transactions.open ? this.#captured : captured(this.replica);
  }

  /** What reads are made on while no transaction of the engine is open. */
  get reader(): Reader {
    return { statements: this.statements, schema: this.replica.schema };
  }

  /** What they are made on beside the one that is: null where they have to wait, undefined where nothing is prepared. */
  get beside(): Reader | null | undefined {
    return this.#beside === this.db.begun ? this.#reader : undefined;
  }

  /**
   * Prepares for reads beside the next transaction, on a connection that shows what
   * is committed now. All of that is brought into the file itself, which is not written
   * until that transaction is committed.
   */
  openReader(): void {
    this.closeReader();
    this.#beside = this.db.begun + 1;
    try {
      // TEMP tables and views are those of one connection, and may hide others.
      if (this.db.int("SELECT count(*) FROM temp.sqlite_schema WHERE type <> 'trigger'") > 0) return;
      const [busy, log, done] = this.db.get("PRAGMA main.wal_checkpoint(FULL)") ?? [];
      if (busy !== 0n || log !== done) return;
      // What it commits is brought into the file in a turn of its own.
      this.db.text("PRAGMA main.wal_autocheckpoint = 0");
      this.#reader = { statements: new Statements(this.db.frozen()), schema: this.replica.schema };
    } catch {
      // There is no room, say: what is wrong with the file, the transaction will tell.
    }
  }

  /** Does what was put off when the reader was opened. */
  checkpoint(): void {
    try {
      this.db.text("PRAGMA main.wal_autocheckpoint = 1000");
      this.db.get("PRAGMA main.wal_checkpoint(PASSIVE)");
    } catch {
      // A tab has a transaction open: some commit to come does it.
    }
  }

  /** What was prepared is worth nothing any more. Reports whether anything was: then a checkpoint was put off. */
  closeReader(): boolean {
    const prepared = this.#beside > 0;
    this.#beside = 0;
    this.#reader?.statements.db.close();
    this.#reader = null;
    return prepared;
  }

  /** The answer of a write that was committed already. */
  done(call: Call): { readonly answer: unknown } | null {
    return call.again ? this.#journal.find(call.tab, call.id) : null;
  }

  /** Runs fn in a local transaction and remembers its result with it. */
  write<T>(call: Call, fn: () => T): T {
    begin(this.replica);
    let result: T;
    try {
      result = fn();
    } catch (err) {
      rollback(this.replica);
      throw err;
    }
    this.#commit(call, result);
    return result;
  }

  #commit(call: Call, answer: unknown): void {
    const now = Date.now();
    try {
      this.#journal.note(call.tab, call.id, now, answer);
    } catch (err) {
      rollback(this.replica);
      throw err;
    }
    commit(this.replica, now);
    this.#committed(touched(this.replica));
  }

  /** Knows what was committed to another file that this one replaces. */
  takeOver(old: Copy): void {
    this.#journal.take(old.db);
  }

  close(): void {
    this.transactions.yield();
    this.closeReader();
    this.db.close();
  }
}
