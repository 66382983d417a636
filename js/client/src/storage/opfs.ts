import type { Sqlite } from "../lite/load.ts";
import { isFull, needNoRoom } from "./room.ts";
import { Held, type Storage } from "./storage.ts";

/** What sqlite-wasm's pool of OPFS files offers. */
type Pool = Awaited<ReturnType<Sqlite["api"]["installOpfsSAHPoolVfs"]>>;

/** Files: two databases, each with its log and for a moment a journal. */
const CAPACITY = 6;

/** Directory of all our databases. */
const PLACE = ".tidemark";

/** What failed last in a file, null after a write that did not; SQLite does not pass it on. */
let failure: unknown = null;

type Handle = Record<"read" | "write" | "truncate", (...args: unknown[]) => unknown>;

/** Remembers what fails in all files of this worker. */
function overhear(): void {
  // The types of a page lack what only workers have.
  const { FileSystemSyncAccessHandle: handles } = globalThis as unknown as {
    FileSystemSyncAccessHandle?: { prototype: Handle };
  };
  const files = handles?.prototype;
  if (!files || files.write.name === "overheard") return;
  for (const name of ["read", "write", "truncate"] as const) {
    const does = files[name];
    files[name] = function overheard(this: Handle, ...args): unknown {
      try {
        const done = does.apply(this, args);
        if (name === "write") failure = null;
        return done;
      } catch (err) {
        failure = err;
        throw err;
      }
    };
  }
}

/** Files of the origin's private file system, opened exclusively. */
export class OpfsStorage implements Storage {
  readonly level = "opfs";
  readonly vfs: string;
  readonly pragmas = "PRAGMA locking_mode = exclusive; PRAGMA journal_mode = WAL";
  readonly #pool: Pool;
  readonly #name: string;

  private constructor(pool: Pool, name: string, vfs: string) {
    this.#pool = pool;
    this.#name = name;
    this.vfs = vfs;
  }

  /** Throws Held as long as another tab has the files. */
  static async open(sqlite: Sqlite, name: string, vfs: string): Promise<OpfsStorage> {
    const options = {
      name: vfs,
      directory: `/${PLACE}/${name}`,
      initialCapacity: CAPACITY,
      preserveOnInitFailure: true,
      forceReinitIfPreviouslyFailed: true,
      verbosity: 0,
    };
    overhear();
    needNoRoom();
    try {
      return new OpfsStorage(await sqlite.api.installOpfsSAHPoolVfs(options), name, vfs);
    } catch (err) {
      if (err instanceof DOMException && err.name === "NoModificationAllowedError") throw new Held();
      throw err;
    }
  }

  files(): string[] {
    return this.#pool
      .getFileNames()
      .filter((n) => !n.endsWith("-wal") && !n.endsWith("-journal"))
      .sort();
  }

  async write(name: string, next: () => Promise<Uint8Array | undefined>): Promise<void> {
    // The types tell of the bytes as a whole only.
    await (this.#pool.importDb as (name: string, next: () => Promise<Uint8Array | undefined>) => Promise<number>)(
      name,
      next,
    );
  }

  remove(name: string): void {
    for (const n of [name, `${name}-wal`, `${name}-journal`]) this.#pool.unlink(n);
  }

  flush(): undefined {
    return undefined;
  }

  async exists(): Promise<boolean> {
    try {
      const root = await navigator.storage.getDirectory();
      await (await root.getDirectoryHandle(PLACE)).getDirectoryHandle(this.#name);
      return true;
    } catch (err) {
      return !(err instanceof DOMException && err.name === "NotFoundError");
    }
  }

  get full(): boolean {
    return isFull(failure);
  }

  close(): void {
    this.#pool.pauseVfs();
  }

  async wipe(): Promise<void> {
    await this.#pool.removeVfs();
  }
}
