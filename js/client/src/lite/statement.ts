import { RawText, type Row, textOf, type Value } from "../value.ts";
import type { Database } from "./database.ts";
import type { Exports, Sqlite } from "./load.ts";

const encoder = new TextEncoder();

// Texts of so many bytes are read, or written, by a loop: a call of TextDecoder or TextEncoder costs browsers more.
const shortRead = 24;
const shortWrite = 64;

const ROW = 100;
const DONE = 101;

/**
 * A prepared statement. Bind all parameters, step until it gives false, reset.
 * An error is thrown by step; reset all the same.
 */
export class Statement {
  readonly handle: number;
  busy = true;
  /** Not cached: ends with its next reset. */
  temp: boolean;
  readonly #db: Database;
  readonly #sqlite: Sqlite;
  readonly #x: Exports;
  #failed = false;
  #bound = false;
  #holds = false;

  /** Only a Database makes statements. */
  constructor(db: Database, handle: number, temp: boolean) {
    this.#db = db;
    this.#sqlite = db.sqlite;
    this.#x = db.sqlite.x;
    this.handle = handle;
    this.temp = temp;
  }

  /** Sets parameter i, counted from 1. */
  bind(i: number, v: Value): void {
    this.#bound = true;
    const rc = this.#bind(i, v);
    if (rc !== 0) throw this.#db.failure(rc);
  }

  #bind(i: number, v: Value): number {
    const { handle } = this;
    switch (typeof v) {
      case "bigint":
        return this.#x.sqlite3_bind_int64(handle, i, v);
      case "number":
        return this.#x.sqlite3_bind_double(handle, i, v);
      case "string":
        return this.#bindText(i, v);
    }
    if (v === null) return this.#x.sqlite3_bind_null(handle, i);
    if (v instanceof RawText) return this.#x.sqlite3_bind_text(handle, i, ...this.#copy(v.bytes));
    if (v.length === 0) return this.#x.sqlite3_bind_zeroblob(handle, i, 0);
    return this.#x.sqlite3_bind_blob(handle, i, ...this.#copy(v));
  }

  #bindText(i: number, v: string): number {
    const sqlite = this.#sqlite;
    const at = sqlite.room(3 * v.length);
    if (at === 0) return this.#x.sqlite3_bind_text(this.handle, i, ...this.#copy(encoder.encode(v)));
    const { heap } = sqlite;
    let n = 0;
    if (v.length <= shortWrite) {
      for (let c = 0; n < v.length; n++) {
        c = v.charCodeAt(n);
        if (c > 0x7f) break;
        heap[at + n] = c;
      }
    }
    if (n < v.length) n = encoder.encodeInto(v, heap.subarray(at, at + 3 * v.length)).written;
    this.#hold(n);
    return this.#x.sqlite3_bind_text(this.handle, i, at, n, 0);
  }

  /** Brings bytes where SQLite reads them: place, length and destructor. */
  #copy(bytes: Uint8Array): [at: number, length: number, free: number] {
    const sqlite = this.#sqlite;
    const at = sqlite.room(bytes.length);
    if (at === 0) return [sqlite.copy(bytes), bytes.length, sqlite.free];
    sqlite.heap.set(bytes, at);
    this.#hold(bytes.length);
    return [at, bytes.length, 0];
  }

  #hold(bytes: number): void {
    this.#sqlite.used(bytes);
    if (this.#holds) return;
    this.#holds = true;
    this.#sqlite.holders++;
  }

  /** Sets the parameters from the first on. */
  bindAll(args: Row): void {
    for (let i = 0; i < args.length; i++) this.bind(i + 1, args[i]!);
  }

  /** Moves to the next row, if there is one. */
  step(): boolean {
    const rc = this.#x.sqlite3_step(this.handle);
    if (rc === ROW) return true;
    if (rc === DONE) return false;
    this.#failed = true;
    throw this.#db.failure(rc);
  }

  /** The number of result columns. */
  get columns(): number {
    return this.#x.sqlite3_column_count(this.handle);
  }

  /** The name of result column i, counted from 0, as all columns here. */
  columnName(i: number): string {
    return this.#sqlite.textAt(this.#x.sqlite3_column_name(this.handle, i));
  }

  value(i: number): Value {
    switch (this.#x.sqlite3_column_type(this.handle, i)) {
      case 1:
        return this.#x.sqlite3_column_int64(this.handle, i);
      case 2:
        return this.#x.sqlite3_column_double(this.handle, i);
      case 3:
        return this.#text(i);
      case 4:
        return this.blob(i);
      default:
        return null;
    }
  }

  /** Column i as an integer that a number holds; 0 for NULL. */
  int(i: number): number {
    return this.#x.sqlite3_column_double(this.handle, i);
  }

  /** Column i as text; what is not UTF-8 in it is replaced. */
  text(i: number): string {
    const v = this.#text(i);
    return typeof v === "string" ? v : new TextDecoder().decode(v.bytes);
  }

  #text(i: number): string | RawText {
    const at = this.#x.sqlite3_column_text(this.handle, i);
    const end = at + this.#x.sqlite3_column_bytes(this.handle, i);
    const { heap } = this.#sqlite;
    if (end - at <= shortRead) {
      let s = "";
      let p = at;
      for (; p < end; p++) {
        const c = heap[p]!;
        if (c > 0x7f) break;
        s += String.fromCharCode(c);
      }
      if (p === end) return s;
    }
    return textOf(heap.subarray(at, end));
  }

  /** Column i as bytes, copied. */
  blob(i: number): Uint8Array {
    const at = this.#x.sqlite3_column_blob(this.handle, i);
    return this.#sqlite.heap.slice(at, at + this.#x.sqlite3_column_bytes(this.handle, i));
  }

  isNull(i: number): boolean {
    return this.#x.sqlite3_column_type(this.handle, i) === 5;
  }

  /** All result columns from column `from` on. */
  row(from = 0): Value[] {
    const n = this.columns;
    const row: Value[] = [];
    for (let i = from; i < n; i++) row.push(this.value(i));
    return row;
  }

  /** Makes the statement ready for its next use and gives it back. */
  reset(): void {
    const rc = this.#x.sqlite3_reset(this.handle);
    const err = rc !== 0 && !this.#failed ? this.#db.failure(rc) : null;
    if (this.#bound) this.#x.sqlite3_clear_bindings(this.handle);
    if (this.#holds) this.#sqlite.holders--;
    this.#bound = this.#holds = this.#failed = this.busy = false;
    if (this.temp) this.finalize();
    if (err) throw err;
  }

  /** Ends the statement: it must not be used again. */
  finalize(): void {
    if (this.#holds) this.#sqlite.holders--;
    this.#holds = false;
    this.#x.sqlite3_finalize(this.handle);
  }
}
