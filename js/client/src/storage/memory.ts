import type { Sqlite } from "../lite/load.ts";
import { PageFile, registerPages } from "./pages.ts";
import type { Storage } from "./storage.ts";

/** Settings for files that lie in memory: a commit is what the storage takes over, so nothing is written before. */
const IN_MEMORY = "PRAGMA locking_mode = exclusive; PRAGMA journal_mode = MEMORY; PRAGMA cache_spill = OFF";

/** Files that live as long as the worker. */
export class MemoryStorage implements Storage {
  readonly level: Storage["level"] = "memory";
  readonly vfs: string;
  readonly pragmas = IN_MEMORY;
  readonly full = false;
  protected readonly held: Map<string, PageFile>;

  constructor(sqlite: Sqlite, vfs: string, held = new Map<string, PageFile>()) {
    this.vfs = vfs;
    this.held = held;
    registerPages(sqlite, vfs, held);
  }

  files(): string[] {
    return [...this.held.keys()].sort();
  }

  async write(name: string, next: () => Promise<Uint8Array | undefined>): Promise<void> {
    const file = new PageFile();
    for (let part = await next(); part !== undefined; part = await next()) file.write(part, file.size);
    // Memory has no write-ahead log: the file says that it needs none.
    if (file.size > 100) file.write(Uint8Array.of(1, 1), 18);
    this.held.set(name, file);
  }

  remove(name: string): void {
    this.held.delete(name);
  }

  flush(): Promise<void> | undefined {
    return undefined;
  }

  async exists(): Promise<boolean> {
    return true;
  }

  close(): void {}

  async wipe(): Promise<void> {
    this.held.clear();
  }
}
