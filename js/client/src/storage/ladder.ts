import type { Level } from "../database.ts";
import type { Sqlite } from "../lite/load.ts";
import { hasIndexedDb, IndexedDbStorage } from "./indexeddb.ts";
import { MemoryStorage } from "./memory.ts";
import { OpfsStorage } from "./opfs.ts";
import { Held, type Storage, type StorageEvents } from "./storage.ts";

/** What the ladder led to. */
export interface Found {
  readonly storage: Storage;
  /** Why it is not a better one. */
  readonly reason: string;
  /** A place one step below that holds files from a time when the better one failed. */
  readonly older: Storage | null;
}

/**
 * Opens the best storage that there is. While another tab holds the files it
 * waits and says so: a second database must not come to be beside the first. In a
 * hurry, when what is to be stored is in memory only, it takes what answers.
 */
export async function climb(
  sqlite: Sqlite,
  name: string,
  highest: Level,
  events: StorageEvents,
  waiting: (why: string) => void,
  hurry = false,
): Promise<Found> {
  const vfs = `tidemark-${name}`;
  let reason = highest === "opfs" ? "" : "the app asked for it";
  if (highest === "opfs") {
    try {
      if (hurry) await answers();
      const storage = await patient(() => OpfsStorage.open(sqlite, name, vfs), waiting);
      return { storage, reason, older: await unhindered(olderOf(sqlite, name, `${vfs}-older`, events), waiting) };
    } catch (err) {
      reason = `the private file system cannot be used: ${said(err)}`;
    }
  }
  if (highest !== "memory") {
    try {
      const opening = IndexedDbStorage.open(sqlite, name, `${vfs}-idb`, events);
      return { storage: await unhindered(opening, waiting), reason, older: null };
    } catch (err) {
      reason += `${reason && "; "}IndexedDB cannot be used: ${said(err)}`;
    }
  }
  return { storage: new MemoryStorage(sqlite, `${vfs}-memory`), reason, older: null };
}

/** What IndexedDB holds; where it cannot be opened it stays for the next time. */
async function olderOf(sqlite: Sqlite, name: string, vfs: string, events: StorageEvents): Promise<Storage | null> {
  try {
    return (await hasIndexedDb(name)) ? await IndexedDbStorage.open(sqlite, name, vfs, events) : null;
  } catch {
    return null;
  }
}

/** How long a file system whose data was cleared may take to answer; some never do until the page is loaded again. */
const CLEARED = 1_500;

async function answers(): Promise<void> {
  const late = new Promise<never>((_, reject) => setTimeout(() => reject(new Error("it does not answer")), CLEARED));
  await Promise.race([navigator.storage.getDirectory(), late]);
}

const said = (err: unknown): string => (err instanceof Error ? err.message || err.name : String(err));

/** What is waited for while another tab, most likely one that stands still, is in the way. */
const HELD = "another tab still holds the database's files";

/** How long IndexedDB may take, milliseconds, before that is said to be so: it lets nobody in while another's transaction is open. */
const HINDERED = 1_000;

async function unhindered<T>(opening: Promise<T>, waiting: (why: string) => void): Promise<T> {
  const late = setTimeout(() => waiting(HELD), HINDERED);
  return await opening.finally(() => clearTimeout(late));
}

async function patient<T>(fn: () => Promise<T>, waiting: (why: string) => void): Promise<T> {
  for (let pause = 20; ; pause = Math.min(2 * pause, 250)) {
    try {
      return await fn();
    } catch (err) {
      if (!(err instanceof Held)) throw err;
      waiting(HELD);
      await new Promise((resolve) => setTimeout(resolve, pause));
    }
  }
}
