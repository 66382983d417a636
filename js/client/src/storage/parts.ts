import type { Notes, Parts } from "../sync/download.ts";
import { done, finished, hasIndexedDb, placeOf } from "./indexeddb.ts";

/** Downloads that are smaller are fetched again rather than kept. */
const WORTH = 4 << 20;

/** Bytes that are stored together. */
const PIECE = 1 << 20;

const STORE = "parts";
const NOTES = 0;

/**
 * Parts of a download in IndexedDB, so that one that a reload interrupted goes
 * on. It is a help and no more: what fails here is as if nothing were kept.
 */
export async function openParts(database: string): Promise<Parts> {
  const name = `${database}:download`;
  const parts = new StoredParts(name);
  try {
    if (await hasIndexedDb(name)) await parts.recall();
  } catch {
    parts.notes = null;
  }
  return parts;
}

class StoredParts implements Parts {
  notes: Notes | null = null;
  readonly #name: string;
  #db: Promise<IDBDatabase> | null = null;
  #next = NOTES;
  #waiting: Uint8Array[] = [];
  #bytes = 0;

  constructor(name: string) {
    this.#name = name;
  }

  async recall(): Promise<void> {
    const store = (await this.#open()).transaction(STORE).objectStore(STORE);
    const [notes, last] = await Promise.all([done(store.get(NOTES)), done(store.count())]);
    this.notes = (notes as Notes | undefined) ?? null; // put there by begin
    this.#next = last;
  }

  async *read(): AsyncGenerator<Uint8Array> {
    const db = await this.#open();
    for (let i = NOTES + 1; i < this.#next; i++) {
      const part: unknown = await done(db.transaction(STORE).objectStore(STORE).get(i));
      if (!(part instanceof Uint8Array)) return;
      yield part;
    }
  }

  begin(notes: Notes): void {
    this.notes = notes;
    this.#waiting = [];
    this.#next = NOTES;
    if (notes.size > WORTH) this.#put(notes);
  }

  add(part: Uint8Array): void {
    if (this.#next === NOTES) return;
    this.#waiting.push(part);
    this.#bytes += part.length;
    if (this.#bytes < PIECE) return;
    const piece = new Uint8Array(this.#bytes);
    let at = 0;
    for (const p of this.#waiting) {
      piece.set(p, at);
      at += p.length;
    }
    this.#waiting = [];
    this.#bytes = 0;
    this.#put(piece);
  }

  clear(): void {
    this.notes = null;
    this.#next = NOTES;
    void this.#db?.then((db) => db.close()).catch(() => {});
    this.#db = null;
    if (typeof indexedDB !== "undefined") indexedDB.deleteDatabase(placeOf(this.#name));
  }

  /** In order, so that what is there is the beginning. */
  #put(value: unknown): void {
    const key = this.#next++;
    void this.#open()
      .then((db) => {
        const tx = db.transaction(STORE, "readwrite");
        if (key === NOTES) tx.objectStore(STORE).clear();
        tx.objectStore(STORE).put(value, key);
        return finished(tx);
      })
      .catch(() => {
        this.#next = NOTES; // no room: what comes is not kept
      });
  }

  #open(): Promise<IDBDatabase> {
    this.#db ??= new Promise((resolve, reject) => {
      const opening = indexedDB.open(placeOf(this.#name), 1);
      opening.onupgradeneeded = () => opening.result.createObjectStore(STORE);
      done(opening).then(resolve, reject);
    });
    return this.#db;
  }
}
