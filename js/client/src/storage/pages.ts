import type { Sqlite } from "../lite/load.ts";

/** Bytes of one block; files of SQLite's are multiples of its page size, whatever that is. */
export const BLOCK = 8192;

/** A file in memory that knows which of its blocks were written. */
export class PageFile {
  blocks: Uint8Array[] = [];
  size = 0;
  readonly dirty = new Set<number>();
  /** Blocks that somebody is still reading: one that is written gets a copy of its own. */
  readonly lent = new Set<number>();
  /** Whether the size changed. */
  resized = true;

  read(into: Uint8Array, at: number): boolean {
    const end = Math.min(at + into.length, this.size);
    for (let p = at; p < end; ) {
      const from = p % BLOCK;
      const part = this.#block(p).subarray(from, Math.min(BLOCK, from + end - p));
      into.set(part, p - at);
      p += part.length;
    }
    if (end - at === into.length) return true;
    into.fill(0, Math.max(0, end - at));
    return false;
  }

  write(from: Uint8Array, at: number): void {
    const end = at + from.length;
    for (let p = at; p < end; ) {
      const start = p % BLOCK;
      const n = Math.min(BLOCK - start, end - p);
      const i = (p - start) / BLOCK;
      if (this.lent.delete(i)) this.blocks[i] = this.#block(p).slice();
      this.#block(p).set(from.subarray(p - at, p - at + n), start);
      this.dirty.add(i);
      p += n;
    }
    if (end > this.size) this.resize(end);
  }

  truncate(size: number): void {
    if (size >= this.size) return;
    this.resize(size);
    this.blocks.length = Math.ceil(size / BLOCK);
    for (const i of this.dirty) if (i >= this.blocks.length) this.dirty.delete(i);
  }

  /** Marks all of it as written. */
  soil(): void {
    this.resized = true;
    for (let i = 0; i * BLOCK < this.size; i++) this.dirty.add(i);
  }

  resize(size: number): void {
    this.size = size;
    this.resized = true;
  }

  #block(at: number): Uint8Array {
    const i = Math.floor(at / BLOCK);
    while (this.blocks.length <= i) this.blocks.push(new Uint8Array(BLOCK));
    return this.blocks[i]!;
  }
}

const SHORT_READ = 522;
const CANT_OPEN = 14;
const NOT_FOUND = 12;
const MAIN_DB = 0x100;

/** The methods of a file system as SQLite calls them, all pointers as numbers. */
type Methods = Record<string, (...args: never[]) => number>;

const ok = (_: unknown): number => 0;

interface Struct {
  readonly pointer: number;
  $iVersion: number;
  $szOsFile: number;
  $mxPathname: number;
}

/**
 * Registers a file system whose files are those of the map, by name. Files
 * that are no database (there are none as long as journals and temporary files
 * are kept in memory) belong to nobody and are forgotten when they are closed.
 */
export function registerPages(sqlite: Sqlite, name: string, files: Map<string, PageFile>): void {
  const { capi, vfs } = sqlite.api;
  const open = new Map<number, PageFile>();
  const nameAt = (at: number): string => sqlite.textAt(at);
  const view = (): DataView => new DataView(sqlite.heap.buffer);
  const file = (at: number): PageFile => open.get(at)!;

  const io: Methods = {
    xClose: (f: number) => ok(open.delete(f)),
    xRead: (f: number, into: number, n: number, at: bigint) =>
      file(f).read(sqlite.heap.subarray(into, into + n), Number(at)) ? 0 : SHORT_READ,
    xWrite: (f: number, from: number, n: number, at: bigint) =>
      ok(file(f).write(sqlite.heap.subarray(from, from + n), Number(at))),
    xTruncate: (f: number, size: bigint) => ok(file(f).truncate(Number(size))),
    xSync: () => 0,
    xFileSize: (f: number, out: number) => ok(view().setBigInt64(out, BigInt(file(f).size), true)),
    xLock: () => 0,
    xUnlock: () => 0,
    xCheckReservedLock: (_: number, out: number) => ok(view().setInt32(out, 0, true)),
    xFileControl: () => NOT_FOUND,
    xSectorSize: () => BLOCK,
    xDeviceCharacteristics: () => 0,
  };
  // The package types a struct's fields one by one; these are those that matter here.
  const ioStruct = new capi.sqlite3_io_methods() as unknown as Struct;
  ioStruct.$iVersion = 1;
  const fs: Methods = {
    xOpen: (_: number, at: number, f: number, flags: number, out: number) => {
      const path = nameAt(at);
      let found = path === "" ? undefined : files.get(path);
      if (!found) {
        if ((flags & 4) === 0) return CANT_OPEN;
        found = new PageFile();
        if (path !== "" && (flags & MAIN_DB) !== 0) files.set(path, found);
      }
      open.set(f, found);
      view().setInt32(f, ioStruct.pointer, true);
      if (out !== 0) view().setInt32(out, flags, true);
      return 0;
    },
    xDelete: (_: number, at: number) => ok(files.delete(nameAt(at))),
    xAccess: (_: number, at: number, __: number, out: number) =>
      ok(view().setInt32(out, files.has(nameAt(at)) ? 1 : 0, true)),
    xFullPathname: (_: number, at: number, most: number, out: number) => {
      const n = sqlite.heap.indexOf(0, at) - at;
      if (n >= most) return CANT_OPEN;
      return ok(sqlite.heap.copyWithin(out, at, at + n + 1));
    },
    xGetLastError: () => 0,
    xRandomness: (_: number, n: number, out: number) => {
      sqlite.heap.set(crypto.getRandomValues(new Uint8Array(n)), out);
      return n;
    },
    xSleep: () => 0,
    xCurrentTime: (_: number, out: number) => ok(view().setFloat64(out, 2440587.5 + Date.now() / 864e5, true)),
    xCurrentTimeInt64: (_: number, out: number) =>
      ok(view().setBigInt64(out, 210866760000000n + BigInt(Date.now()), true)),
  };
  const fsStruct = new capi.sqlite3_vfs() as unknown as Struct;
  fsStruct.$iVersion = 2;
  // The structs of the package know their sizes; its types do not tell.
  fsStruct.$szOsFile = (
    capi as unknown as { sqlite3_file: { structInfo: { sizeof: number } } }
  ).sqlite3_file.structInfo.sizeof;
  fsStruct.$mxPathname = 512;
  vfs.installVfs({ io: { struct: ioStruct, methods: io }, vfs: { struct: fsStruct, methods: fs, name } } as never);
}
