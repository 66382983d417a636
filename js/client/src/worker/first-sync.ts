import { codeOf, TidemarkError } from "../error.ts";
import type { Database } from "../lite/database.ts";
import type { Work } from "../lite/work.ts";
import { type CreateOptions, create } from "../replica/create.ts";
import { definitionOf } from "../replica/loose.ts";
import { Replica } from "../replica/replica.ts";
import { decode } from "../schema/encode.ts";
import { scoped, tableNamed } from "../schema.ts";
import { openParts } from "../storage/parts.ts";
import { Address } from "../sync/address.ts";
import { currentSchema, Download, type Parts, Replaced, schemaOf } from "../sync/download.ts";
import { load, unload } from "./cargo.ts";
import { Copy, openFile, PROVISIONAL_KEY } from "./copy.ts";
import type { Host } from "./host.ts";
import { aside } from "./slices.ts";

const PAUSE_FIRST = 300;
const PAUSE_MOST = 30_000;

/**
 * Makes the first copy of a space. As soon as the schema is known there is a
 * provisional copy with the tables and no rows, in which apps read and write.
 * When the snapshot has come in beside it, what was written is carried over and
 * the provisional file goes; until it does, it is the one that counts.
 */
export class FirstSync {
  readonly #host: Host;
  /** Ends the attempts that are under way. */
  #running: AbortController | null = null;
  #wake: (() => void) | null = null;
  #over = false;

  constructor(host: Host) {
    this.#host = host;
  }

  /** Tries until it is done, with growing pauses. */
  run(): void {
    if (this.#running !== null || !this.#host.online) return;
    const ctl = new AbortController();
    this.#running = ctl;
    void this.#loop(ctl.signal).finally(() => {
      if (this.#running === ctl) this.#running = null;
    });
  }

  /** Goes on now. */
  wake(): void {
    this.#wake?.();
    this.run();
  }

  /** Lets go of the network. */
  pause(): void {
    this.#running?.abort();
    this.#running = null;
    this.#wake?.();
  }

  async #loop(signal: AbortSignal): Promise<void> {
    for (let pause = PAUSE_FIRST; !signal.aborted; pause = Math.min(2 * pause, PAUSE_MOST)) {
      try {
        await this.#once(signal);
        return;
      } catch (err) {
        if (signal.aborted) return;
        if (err instanceof Replaced) continue;
        this.#host.progress(null);
        this.#host.trouble(err);
        if (err instanceof TidemarkError && ["unauthenticated", "forbidden"].includes(err.code))
          await this.#host.token.replace();
      }
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
        setTimeout(resolve, pause * (0.75 + Math.random() / 2));
      });
    }
  }

  async #once(signal: AbortSignal): Promise<void> {
    const { copy } = this.#host;
    if (copy === null || copy.provisional) await this.#bring(signal);
    // Whatever fails from here on: what has come is complete, and is not fetched again.
    await this.#host.storage!.flush();
    if (this.#over) return; // it was paused and begun again meanwhile
    this.#host.ready();
    this.#over = true;
  }

  /** Fetches the space, and keeps what came of it for another attempt. */
  async #bring(signal: AbortSignal): Promise<void> {
    const parts = await openParts(this.#host.boot.name);
    try {
      await this.#fetch(signal, parts);
      parts.clear();
    } catch (err) {
      // What is not the network's fault may be that of what was kept.
      if (!signal.aborted && codeOf(err) !== "offline") parts.clear();
      throw err;
    }
  }

  async #fetch(signal: AbortSignal, parts: Parts): Promise<void> {
    const host = this.#host;
    const address = host.address ?? new Address(host.copy!.replica.status().server);
    const download = new Download(address, host.token.get, signal, parts, (p) => host.progress(p));
    const starting = download.start(); // meanwhile the server makes the snapshot
    starting.catch(() => {});
    if (host.copy === null) {
      const { schema, incarnation } = await currentSchema(address, host.token.get, signal);
      signal.throwIfAborted();
      host.use(this.#provisional(address, schema, incarnation));
      await host.storage!.flush();
      host.trouble(null);
    }
    const snapshot = await starting;
    const storage = host.storage!;
    const name = `/db-${Number(host.copy!.name.slice(4)) + 1}`;
    let unpacked = 0;
    await storage.write(name, async () => {
      const part = await snapshot.next();
      signal.throwIfAborted();
      unpacked += part?.length ?? 0;
      return part;
    });
    const { rows, unpacked: total } = snapshot.notes;
    host.progress({ stage: "install", bytes: unpacked, total, rows });
    const schema = await schemaOf(address, snapshot.state.schemaHash, host.token.get, signal);
    signal.throwIfAborted();
    host.status.publishNow();
    await this.#install(address, name, snapshot.state, schema, signal);
    await storage.flush();
  }

  #provisional(address: Address, schema: string, incarnation: string): Copy {
    const host = this.#host;
    const known = decode(schema);
    const db = openFile(host.sqlite, host.storage!, "/db-1");
    for (const o of known.objects) {
      const t = o.type === "table" ? tableNamed(known, o.name) : null;
      attempt(db, t ? definitionOf(t) : o.sql);
    }
    const state = { space: address.space, incarnation, term: "", head: 0, sum: 0n, digestKey: PROVISIONAL_KEY };
    // In a space without scopes whoever named some hears of it when he subscribes.
    const scopes = scoped(known) ? host.boot.scopes : null;
    const want = scopes?.map((w) => ({ scope: w.scope, priority: w.priority ?? 0 })) ?? [];
    Replica.create(db, { server: address.base, state, schema, only: scopes !== null, want });
    return new Copy("/db-1", db, host.merge, host.committed);
  }

  /**
   * Makes a copy of the snapshot, which takes a while, and then lets the provisional one
   * go in one step: with what was written meanwhile.
   */
  async #install(
    address: Address,
    name: string,
    state: CreateOptions["state"],
    schema: string,
    signal: AbortSignal,
  ): Promise<void> {
    const host = this.#host;
    const db = openFile(host.sqlite, host.storage!, name);
    const undo = (): void => {
      db.close();
      host.storage!.remove(name);
    };
    const { only, want } = host.copy!.replica.wants();
    function* make(): Work<Copy> {
      yield* create(db, { server: address.base, state, schema, only, want });
      yield;
      const copy = new Copy(name, db, host.merge, host.committed);
      yield;
      return copy;
    }
    const copy = await aside(make(), signal, undo);
    const old = host.copy!;
    try {
      const now = old.replica.wants();
      if (JSON.stringify(now) !== JSON.stringify({ only, want })) copy.replica.subscribe(now.only, now.want);
    } catch (err) {
      undo();
      throw err;
    }
    old.transactions.yield();
    old.replica.seal(Date.now());
    copy.takeOver(old);
    load(copy.replica, unload(old.replica), Date.now());
    old.close();
    host.storage!.remove(old.name);
    host.use(copy);
  }
}

/** Objects that this build of SQLite cannot make are left out. */
function attempt(db: Database, sql: string): void {
  if (sql === "") return;
  try {
    db.script(sql);
  } catch {
    // The table that an object of this kind needs is missing here: the copy says so when it is complete.
  }
}
