import type { Level } from "../database.ts";

/**
 * A place for the files of one database, and a file system of SQLite's by
 * which they are opened. One storage of a database exists at a time.
 */
export interface Storage {
  readonly level: Level;
  /** Name of the file system, for lite's Database.open. */
  readonly vfs: string;
  /** What to set on a connection before its first use. */
  readonly pragmas: string;
  /** Names of the database files. */
  files(): string[];
  /** Makes a file of what next gives until it gives undefined. */
  write(name: string, next: () => Promise<Uint8Array | undefined>): Promise<void>;
  /** Removes a file that is not open, and what belongs to it. */
  remove(name: string): void;
  /** Resolves when all that is committed survives; undefined when it does already. */
  flush(): Promise<void> | undefined;
  /** Whether the place is still there. */
  exists(): Promise<boolean>;
  /** Whether what failed last failed for want of room. */
  readonly full: boolean;
  /** Lets go of everything; nothing is deleted. */
  close(): void;
  /** Deletes the whole place; it cannot be used afterwards. */
  wipe(): Promise<void>;
}

/** What happens to a storage while it is in use. */
export interface StorageEvents {
  /** Nothing is written from here on, what is committed stays in memory. Told once until `kept`. */
  slipped(why: string): void;
  /** All is stored again. */
  kept(): void;
  /** Another tab took the database over: nothing may be written any more. */
  taken(): void;
}

/** Somebody else still holds the files. */
export class Held extends Error {}
