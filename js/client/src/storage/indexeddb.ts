import type { Sqlite } from "../lite/load.ts";
import { MemoryStorage } from "./memory.ts";
import { PageFile } from "./pages.ts";
import type { StorageEvents } from "./storage.ts";

const BLOCKS = "blocks";
const FACTS = "facts";

/** Key of a commit's number: each is taken once, so that of two writers only one can go on. */
const turn = (n: number): IDBValidKey => ["turn", n];

/** How long to wait before storing is tried again, milliseconds. */
const PAUSE_FIRST = 500;
const PAUSE_MOST = 30_000;

/** Blocks that are handed to the browser in one go. */
const AT_ONCE = 32;

/** Name of the database that IndexedDB keeps for one of ours. */
export const placeOf = (name: string): string => `tidemark:${name}`;

/** Whether there is one. */
export async function hasIndexedDb(name: string): Promise<boolean> {
  if (typeof indexedDB === "undefined" || indexedDB.databases === undefined) return false;
  return (await indexedDB.databases()).some((d) => d.name === placeOf(name));
}

/**
 * Files in memory whose blocks are stored in IndexedDB: after a commit, the
 * blocks that it wrote go there in one transaction, strictly durable. So what
 * is stored is the state after some commit, never a mixture, and a commit is
 * safe when `flush` resolves. Each of these transactions makes sure that no
 * other tab has taken the place over.
 */
export class IndexedDbStorage extends MemoryStorage {
  override readonly level = "indexeddb";
  readonly #place: string;
  readonly #events: StorageEvents;
  /** Number of the last commit. */
  #turn = 0;
  readonly #gone = new Set<string>();
  #db: IDBDatabase | null = null;
  #running: Promise<void> | null = null;
  #next: Promise<void> | null = null;
  #slipped = false;
  #recovering = false;
  #ended = false;
  /** Another tab has the place. */
  #taken = false;

  private constructor(sqlite: Sqlite, name: string, vfs: string, events: StorageEvents) {
    super(sqlite, vfs);
    this.#place = placeOf(name);
    this.#events = events;
  }

  static async open(sqlite: Sqlite, name: string, vfs: string, events: StorageEvents): Promise<IndexedDbStorage> {
    const s = new IndexedDbStorage(sqlite, name, vfs, events);
    await s.#connect(Number.POSITIVE_INFINITY);
    await s.#load();
    return s;
  }

  override remove(name: string): void {
    super.remove(name);
    this.#gone.add(name);
  }

  override async write(name: string, next: () => Promise<Uint8Array | undefined>): Promise<void> {
    await super.write(name, next);
    this.#gone.delete(name);
  }

  override flush(): Promise<void> | undefined {
    if (this.#taken) return never;
    if (this.#slipped || this.#ended || !this.#dirty()) return this.#running ?? undefined;
    this.#next ??= (this.#running ?? Promise.resolve()).then(() => {
      this.#next = null;
      this.#running = this.#store().finally(() => {
        this.#running = null;
      });
      return this.#running;
    });
    return this.#next;
  }

  override close(): void {
    this.#ended = true;
    this.#db?.close();
  }

  override async wipe(): Promise<void> {
    await super.wipe();
    this.close();
    await done(indexedDB.deleteDatabase(this.#place));
  }

  /** Takes the place, unless somebody has written there beyond the commit `most`. */
  async #connect(most: number): Promise<void> {
    const opening = indexedDB.open(this.#place, 1);
    opening.onupgradeneeded = () => {
      opening.result.createObjectStore(BLOCKS);
      opening.result.createObjectStore(FACTS);
    };
    const db = await done(opening);
    db.onclose = () => {
      if (this.#db === db) void this.#failed("the browser closed the database");
    };
    // Somebody deletes it: not to stand in the way is all that can be done.
    db.onversionchange = () => db.close();
    const tx = db.transaction(FACTS, "readwrite", { durability: "strict" });
    const facts = tx.objectStore(FACTS);
    const n = await lastTurn(facts);
    if (n > most) {
      db.close();
      throw new Taken();
    }
    // The next number of whoever was here before is taken for good; ours is behind it.
    facts.add("", turn(n + 1));
    facts.add("", turn(n + 2));
    await finished(tx);
    this.#turn = n + 2;
    this.#db = db;
  }

  async #load(): Promise<void> {
    const tx = this.#db!.transaction([BLOCKS, FACTS]);
    const [keys, blocks] = await Promise.all([
      done(tx.objectStore(BLOCKS).getAllKeys()),
      done(tx.objectStore(BLOCKS).getAll()),
    ]);
    keys.forEach((key, i) => {
      // What #store put there.
      const [name, at] = key as [string, number];
      let file = this.held.get(name);
      if (!file) {
        file = new PageFile();
        this.held.set(name, file);
      }
      file.blocks[at] = blocks[i] as Uint8Array;
    });
    for (const [name, file] of this.held) {
      file.size = (await done(this.#db!.transaction(FACTS).objectStore(FACTS).get(`size:${name}`))) as number;
      file.resized = false;
    }
  }

  #dirty(): boolean {
    if (this.#gone.size > 0) return true;
    for (const f of this.held.values()) if (f.dirty.size > 0 || f.resized) return true;
    return false;
  }

  /** Stores what was written. It never fails: what cannot be stored is told as an event, and tried again. */
  async #store(): Promise<void> {
    const stored: [PageFile, number[]][] = [];
    const gone = [...this.#gone];
    let taken = false;
    try {
      if (this.#db === null) throw new Error("the database is closed");
      const tx = this.#db.transaction([BLOCKS, FACTS], "readwrite", { durability: "strict" });
      const committed = finished(tx);
      committed.catch(() => {});
      const facts = tx.objectStore(FACTS);
      const blocks = tx.objectStore(BLOCKS);
      facts.add("", turn(this.#turn + 1)).onerror = (e) => {
        taken = (e.target as IDBRequest).error?.name === "ConstraintError"; // of this request
      };
      facts.delete(turn(this.#turn));
      for (const name of gone) {
        blocks.delete(IDBKeyRange.bound([name], [name, []]));
        facts.delete(`size:${name}`);
      }
      this.#gone.clear();
      const puts: [Uint8Array, IDBValidKey][] = [];
      for (const [name, file] of this.held) {
        const dirty = [...file.dirty];
        for (const i of dirty) {
          puts.push([file.blocks[i]!, [name, i]]);
          file.lent.add(i);
        }
        if (file.resized) {
          facts.put(file.size, `size:${name}`);
          blocks.delete(IDBKeyRange.bound([name, file.blocks.length], [name, []]));
        }
        file.dirty.clear();
        file.resized = false;
        stored.push([file, dirty]);
      }
      for (let n = 0; n < puts.length; ) {
        const put = blocks.put(...puts[n++]!);
        if (n % AT_ONCE === 0) await done(put).catch(() => committed); // others have their turn
      }
      // Nothing more comes: a page that is stopped now does not stand in the way of others.
      tx.commit?.();
      await committed;
      this.#turn++;
    } catch (err) {
      for (const [file, dirty] of stored) {
        file.resized = true;
        for (const i of dirty) if (i < file.blocks.length) file.dirty.add(i);
      }
      for (const name of gone) if (!this.held.has(name)) this.#gone.add(name);
      if (taken) this.#lose();
      else await this.#failed(err instanceof Error ? err.message || err.name : String(err));
      if (this.#taken) return await never; // nobody may hear that it is stored
    } finally {
      for (const [file] of stored) file.lent.clear();
    }
  }

  /**
   * Something failed. The browser ends the transaction of a page that stood still
   * and was in the way of another, so perhaps that one has the place by now.
   */
  async #failed(why: string): Promise<void> {
    if (this.#slipped || this.#ended) return;
    if (await this.#isTaken()) this.#lose();
    else this.#slip(why);
  }

  /** Whether somebody has written behind this one's last commit. */
  async #isTaken(): Promise<boolean> {
    try {
      const opening = indexedDB.open(this.#place);
      opening.onupgradeneeded = () => opening.transaction!.abort(); // it is gone, and shall not come of a look
      const db = await done(opening);
      const n = await lastTurn(db.transaction(FACTS).objectStore(FACTS)).finally(() => db.close());
      return n > this.#turn + 1;
    } catch {
      return false;
    }
  }

  /** Another tab has the place: nothing is written from here on, and nobody hears that anything was. */
  #lose(): void {
    if (this.#taken) return;
    this.#ended = true;
    this.#taken = true;
    this.#events.taken();
  }

  /** Goes on in memory, and tries to come back. */
  #slip(why: string): void {
    if (this.#slipped || this.#ended) return;
    this.#slipped = true;
    if (this.#recovering) return;
    this.#recovering = true;
    this.#events.slipped(why);
    void this.#recover();
  }

  /** Tries with growing pauses. */
  async #recover(): Promise<void> {
    for (let pause = PAUSE_FIRST; !this.#ended; pause = Math.min(2 * pause, PAUSE_MOST)) {
      await new Promise((resolve) => setTimeout(resolve, pause));
      if (this.#ended) return;
      try {
        this.#db?.close();
        this.#db = null;
        await this.#connect(this.#turn + 1);
        for (const f of this.held.values()) f.soil();
        this.#slipped = false;
        await this.flush();
      } catch (err) {
        this.#slipped = true;
        if (err instanceof Taken) this.#lose();
      }
      if (this.#slipped || this.#ended) continue;
      this.#recovering = false;
      this.#events.kept();
      return;
    }
  }
}

const never = new Promise<never>(() => {});

/** Another tab has the place. */
class Taken extends Error {}

/** Number of the last commit that anybody stored, 0 for none. */
async function lastTurn(facts: IDBObjectStore): Promise<number> {
  const last = await done(facts.openKeyCursor(IDBKeyRange.bound(["turn"], ["turn", []]), "prev"));
  return last === null ? 0 : Number((last.key as [string, number])[1]); // put there as turn
}

/** The result of a request. */
export function done<T>(request: IDBRequest<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}

/** Resolves when a transaction is durable. */
export function finished(tx: IDBTransaction): Promise<void> {
  return new Promise((resolve, reject) => {
    tx.oncomplete = () => resolve();
    tx.onabort = () => reject(tx.error ?? new Error("the transaction was ended"));
  });
}
