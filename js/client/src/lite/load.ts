import init, { type Sqlite3Static } from "@sqlite.org/sqlite-wasm";

/** SQLite's own functions, called without wrappers: pointers are numbers, 64-bit integers are bigints. */
export interface Exports {
  sqlite3_malloc(bytes: number): number;
  sqlite3_free(at: number): void;
  sqlite3_open_v2(name: number, out: number, flags: number, vfs: number): number;
  sqlite3_close_v2(db: number): number;
  sqlite3_exec(db: number, sql: number, callback: 0, arg: 0, message: 0): number;
  sqlite3_prepare_v3(db: number, sql: number, bytes: number, flags: number, out: number, tail: number): number;
  sqlite3_step(s: number): number;
  sqlite3_reset(s: number): number;
  sqlite3_clear_bindings(s: number): number;
  sqlite3_finalize(s: number): number;
  sqlite3_stmt_readonly(s: number): number;
  sqlite3_bind_parameter_count(s: number): number;
  sqlite3_bind_null(s: number, i: number): number;
  sqlite3_bind_int(s: number, i: number, v: number): number;
  sqlite3_bind_int64(s: number, i: number, v: bigint): number;
  sqlite3_bind_double(s: number, i: number, v: number): number;
  sqlite3_bind_text(s: number, i: number, at: number, bytes: number, free: number): number;
  sqlite3_bind_blob(s: number, i: number, at: number, bytes: number, free: number): number;
  sqlite3_bind_zeroblob(s: number, i: number, bytes: number): number;
  sqlite3_column_count(s: number): number;
  sqlite3_column_name(s: number, i: number): number;
  sqlite3_column_type(s: number, i: number): number;
  sqlite3_column_int64(s: number, i: number): bigint;
  sqlite3_column_double(s: number, i: number): number;
  sqlite3_column_text(s: number, i: number): number;
  sqlite3_column_blob(s: number, i: number): number;
  sqlite3_column_bytes(s: number, i: number): number;
  sqlite3_errmsg(db: number): number;
  sqlite3_error_offset(db: number): number;
  sqlite3_get_autocommit(db: number): number;
  sqlite3_changes(db: number): number;
  sqlite3_total_changes(db: number): number;
  sqlite3_last_insert_rowid(db: number): bigint;
  sqlite3_set_last_insert_rowid(db: number, rowid: bigint): void;
  sqlite3__wasm_db_config_ip(db: number, op: number, on: number, out: number): number;
}

const arenaBytes = 1 << 16;
const encoder = new TextEncoder();

/**
 * The SQLite of one WebAssembly module, and its memory. Bound values lie in an
 * arena until every statement that put something there is reset, so that most
 * of them cost neither an allocation nor a second copy.
 */
export class Sqlite {
  readonly api: Sqlite3Static;
  readonly x: Exports;
  /** Room for two pointers that SQLite returns. */
  readonly out: number;
  /** Destructor for what malloc gave. */
  readonly free: number;
  /** Statements whose values lie in the arena. */
  holders = 0;
  readonly #memory: WebAssembly.Memory;
  readonly #arena: number;
  #top = 0;
  #heap: Uint8Array;

  constructor(api: Sqlite3Static) {
    this.api = api;
    // The package's types name neither the C signatures of the exports nor the memory.
    this.x = api.wasm.exports as unknown as Exports;
    this.#memory = (api.wasm as unknown as { memory: WebAssembly.Memory }).memory;
    this.#heap = new Uint8Array(this.#memory.buffer);
    this.free = api.capi.SQLITE_WASM_DEALLOC;
    this.out = this.malloc(8);
    this.#arena = this.malloc(arenaBytes);
  }

  /** The module's memory; a view is good until SQLite is called again. */
  get heap(): Uint8Array {
    if (this.#heap.length === 0) this.#heap = new Uint8Array(this.#memory.buffer);
    return this.#heap;
  }

  malloc(bytes: number): number {
    const at = this.x.sqlite3_malloc(Math.max(bytes, 1));
    if (at === 0) throw new RangeError("SQLite is out of memory");
    return at;
  }

  /** Finds room in the arena, or gives 0. `used` takes it. */
  room(bytes: number): number {
    if (this.holders === 0) this.#top = 0;
    return this.#top + bytes <= arenaBytes ? this.#arena + this.#top : 0;
  }

  used(bytes: number): void {
    this.#top += bytes;
  }

  /** Copies bytes into memory of their own, with a zero behind them. */
  copy(bytes: Uint8Array): number {
    const at = this.malloc(bytes.length + 1);
    const heap = this.heap;
    heap.set(bytes, at);
    heap[at + bytes.length] = 0;
    return at;
  }

  /** Calls fn with a text as a C string, and its length. */
  withText<T>(text: string, fn: (at: number, bytes: number) => T): T {
    const bytes = encoder.encode(text);
    const at = this.copy(bytes);
    try {
      return fn(at, bytes.length);
    } finally {
      this.x.sqlite3_free(at);
    }
  }

  /** The C string at a place. */
  textAt(at: number): string {
    const heap = this.heap;
    return at === 0 ? "" : new TextDecoder().decode(heap.subarray(at, heap.indexOf(0, at)));
  }

  /** The pointer at a place. */
  pointerAt(at: number): number {
    return new DataView(this.#memory.buffer).getInt32(at, true);
  }
}

/** What `loadSqlite` may be told. */
export interface LoadOptions {
  /** Where sqlite3.wasm is; default: beside the module, where bundlers put it. */
  readonly wasmUrl?: string | URL;
}

/** Loads SQLite, in a worker or in Node. */
export async function loadSqlite(options: LoadOptions = {}): Promise<Sqlite> {
  const { wasmUrl } = options;
  // The types of the package do not tell of Emscripten's options.
  const start = init as (module?: { locateFile(): string }) => Promise<Sqlite3Static>;
  return new Sqlite(await start(wasmUrl === undefined ? undefined : { locateFile: () => String(wasmUrl) }));
}
