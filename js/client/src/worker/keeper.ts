import type { Risk, Status } from "../database.ts";
import { TidemarkError } from "../error.ts";
import { corrupt, disk, notADatabase } from "../lite/failure.ts";
import type { Sqlite } from "../lite/load.ts";
import { climb } from "../storage/ladder.ts";
import type { Storage } from "../storage/storage.ts";
import type { Boot } from "../tabs/messages.ts";

/** How often it is looked whether the storage is there, milliseconds. */
const LOOK = 2_000;

/** What the keeper tells. */
export interface KeeperHost {
  /** What is waited for, "" for nothing any more. */
  waiting(why: string): void;
  risk(risk: Risk): void;
  /** Pending changesets, as far as they are known. */
  pending(): number;
  /** The storage is gone or does not work. */
  lost(err: unknown): void;
  /** Another tab has the storage; nothing may be done any more. */
  taken(): void;
}

/** Looks after the storage: finds it, puts back what was saved of one before, and notices when it fails. */
export class Keeper {
  storage: Storage | null = null;
  /** A place that was used while the better one failed. */
  older: Storage | null = null;
  /** Whether a database was there, or could be put back. */
  found = false;
  persisted = false;
  readonly #boot: Boot;
  readonly #host: KeeperHost;
  #reason = "";
  #slipped = false;
  #looking: ReturnType<typeof setInterval> | undefined;

  constructor(boot: Boot, host: KeeperHost) {
    this.#boot = boot;
    this.#host = host;
  }

  /** Where the database is kept, as the app is told. */
  get place(): Status["storage"] {
    const { storage, persisted } = this;
    if (storage === null) return null;
    if (this.#slipped) return { level: "memory", reason: "the storage failed", persisted };
    return { level: storage.level, reason: this.#reason, persisted };
  }

  async open(sqlite: Sqlite): Promise<Storage> {
    const { name, storage, rescued, why } = this.#boot;
    const found = await climb(sqlite, name, storage, this.#events(), (w) => this.#host.waiting(w), rescued !== null);
    this.storage = found.storage;
    this.older = found.older;
    this.#reason = why || found.reason;
    this.found = found.storage.files().length > 0;
    if (!this.found && rescued?.file) await this.#putBack(found.storage, rescued.file);
    this.#host.waiting("");
    return found.storage;
  }

  /** Puts the database back that a worker before this one could save. */
  async #putBack(storage: Storage, file: Uint8Array): Promise<void> {
    const parts = [file];
    await storage.write("/db-1", async () => parts.shift());
    await storage.flush();
    this.found = true;
  }

  #events(): Parameters<typeof climb>[3] {
    const risk = (kind: Risk["kind"], message: string): void => {
      this.#slipped = kind === "memory";
      this.#host.risk({ kind, message, pending: this.#host.pending() });
    };
    return {
      slipped: (why) => risk("memory", `what is written is kept in memory only: ${why}`),
      kept: () => risk("reopened", "everything is stored again"),
      taken: () => this.#host.taken(),
    };
  }

  /** Looks after it from here on: files that were cleared away can be written as before, and are nowhere. */
  watch(): void {
    this.#looking = setInterval(async () => {
      if (await this.storage?.exists()) return;
      this.#host.lost(new TidemarkError("internal", "the browser cleared the site's data"));
    }, LOOK);
  }

  stop(): void {
    clearInterval(this.#looking);
  }

  /** The error to tell of one that came up; where the storage failed, not the statement, that is seen to. */
  judged(err: unknown): unknown {
    if (!(err instanceof TidemarkError)) return err;
    const { cause } = err.detail;
    if (disk(cause) && this.storage?.full) {
      return new TidemarkError("disk_full", "the browser gives this site no more room", {
        op: err.detail.op ?? "write",
        hint: "nothing of it was written; make room and try again",
      });
    }
    if (disk(cause) || notADatabase(cause) || corrupt(cause)) this.#host.lost(err);
    return err;
  }
}
