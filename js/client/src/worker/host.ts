import { countOpen } from "../conflict/conflict.ts";
import type { DatabaseEvent, Phase, Progress, Risk } from "../database.ts";
import { TidemarkError } from "../error.ts";
import { corrupt, disk, notADatabase } from "../lite/failure.ts";
import { loadSqlite, type Sqlite } from "../lite/load.ts";
import type { MergeFunctions } from "../options.ts";
import type { Applied } from "../replica/apply.ts";
import type { Note } from "../replica/loop.ts";
import { tableNamed } from "../schema.ts";
import { climb } from "../storage/ladder.ts";
import { openParts } from "../storage/parts.ts";
import type { Storage } from "../storage/storage.ts";
import { Address } from "../sync/address.ts";
import { Shell } from "../sync/shell.ts";
import type { Boot, Shared } from "../tabs/messages.ts";
import type { PresenceNews } from "../tabs/presence.ts";
import { readsOf } from "../watch/reads.ts";
import { type Touched, Watches } from "../watch/watches.ts";
import type { Batch } from "../wire/batch.ts";
import { load, unload } from "./cargo.ts";
import { Copy, openFile, random } from "./copy.ts";
import { FirstSync } from "./first-sync.ts";
import { eventsOf, touchedTables } from "./news.ts";
import { Presences } from "./presences.ts";
import { missing, type Rescued, Spare } from "./spare.ts";
import { Token } from "./tokens.ts";
import { nextTurn, Teller } from "./turns.ts";
import { errorInfo } from "./views.ts";

/** How long a slice of work may take before others get their turn, milliseconds. */
const SLICE = 8;

/** How long commits are gathered before they are sealed, milliseconds. */
const GATHER = 10;

/** Status is told at most this often, milliseconds. */
const FRAME = 16;

/** How often the storage is looked after, milliseconds. */
const LOOK = 2_000;

/** How the host speaks to tabs. */
export interface HostLinks {
  status(status: Shared): void;
  event(event: DatabaseEvent): void;
  patches(patches: ReturnType<Watches["run"]>): void;
  presence(news: PresenceNews): void;
  token(refused: boolean): Promise<string>;
  /** The storage is gone: a new worker must begin, with what could be saved. */
  restart(rescued: Rescued): void;
}

const nothing = {
  seq: 0,
  head: 0,
  pending: 0,
  suspended: 0,
  rejected: 0,
  conflicts: 0,
  proven: false,
  contact: 0,
  readOnly: false,
  replica: "",
  space: "",
  out: {},
};

/** The one place that has the database: storage, copy, sync and live queries. */
export class Host {
  readonly boot: Boot;
  readonly links: HostLinks;
  readonly merge: MergeFunctions;
  readonly watches: Watches;
  readonly presences: Presences;
  readonly token: Token;
  readonly address: Address | null;
  sqlite!: Sqlite;
  storage: Storage | null = null;
  copy: Copy | null = null;
  shell: Shell | null = null;
  online: boolean;
  persisted = false;
  /** Tabs that called and did not leave. */
  readonly heard = new Set<string>();
  /** Calls that wait until the tables are there. */
  readonly opened: Promise<void>;
  /** The sync loop's shell, when the rows are there. */
  readonly shellNow: Promise<Shell>;
  #open!: () => void;
  #begun!: (shell: Shell) => void;
  #refuse!: (err: unknown) => void;
  #phase: Phase = "opening";
  #waiting = "the storage is being opened";
  #reason = "";
  #slipped = false;
  #progress: Progress | null = null;
  #error: unknown = null;
  #first: FirstSync | null = null;
  readonly #teller = new Teller(FRAME, () => {
    if (!this.#ended) this.links.status(this.status());
  });
  #working = false;
  #sealing: ReturnType<typeof setTimeout> | undefined;
  readonly #impatient = new Set<(err: unknown) => void>();
  readonly #spare = new Spare();
  /** Whether a database was there, or could be put back. */
  #found = false;
  #looking: ReturnType<typeof setInterval> | undefined;
  /** A place that was used while the better one failed. */
  #older: Storage | null = null;
  #told = 0;
  #ended = false;

  constructor(boot: Boot, links: HostLinks, merge: MergeFunctions) {
    this.boot = boot;
    this.links = links;
    this.merge = merge;
    this.online = boot.online;
    this.address = boot.server === "" ? null : new Address(boot.server);
    const failed = new Promise<never>((_, reject) => {
      this.#refuse = reject;
    });
    this.opened = Promise.race([new Promise<void>((resolve) => (this.#open = resolve)), failed]);
    this.shellNow = Promise.race([new Promise<Shell>((resolve) => (this.#begun = resolve)), failed]);
    for (const p of [this.opened, this.shellNow]) p.catch(() => {});
    this.token = new Token(boot.hasToken ? (refused) => links.token(refused) : null);
    this.presences = new Presences(
      (messages) => this.shell?.say(messages) ?? false,
      (news) => links.presence(news),
    );
    this.watches = new Watches({
      query: (sql, params, bigint) => this.#copyNow().statements.cells(sql, params, bigint),
      reads: (sql) => readsOf(this.#copyNow().db, this.#copyNow().replica.schema, sql),
      table: (name) => this.#tableNames(name),
      now: () => performance.now(),
    });
  }

  async start(): Promise<void> {
    try {
      this.sqlite = await loadSqlite(this.boot.wasm === undefined ? {} : { wasmUrl: this.boot.wasm });
      const found = await climb(
        this.sqlite,
        this.boot.name,
        this.boot.storage,
        this.#storageEvents(),
        (why) => {
          this.#waiting = why;
          this.publish();
        },
        this.boot.rescued !== null,
      );
      this.storage = found.storage;
      this.#reason = this.boot.why || found.reason;
      this.#waiting = "";
      this.#older = found.older;
      await this.#restore();
      this.#adopt();
    } catch (err) {
      this.fail(err);
    }
    this.publish();
  }

  get phase(): Phase {
    return this.#phase;
  }

  /** Puts the database back that a worker before this one could save. */
  async #restore(): Promise<void> {
    this.#found = this.storage!.files().length > 0;
    const file = this.boot.rescued?.file;
    if (this.#found || !file) return;
    const parts = [file];
    await this.storage!.write("/db-1", async () => parts.shift());
    await this.storage!.flush();
    this.#found = true;
  }

  /** What was pending when the storage failed, and is not in what it gave back. */
  #takeRescued({ replica }: Copy): void {
    const cargo = this.boot.rescued?.cargo;
    if (!cargo) return;
    const left = this.#found ? missing(cargo, replica) : cargo;
    if (left.pending.length > 0) load(replica, left, Date.now());
    const message = this.#found
      ? "the storage failed and was opened again; all is there"
      : "the storage was gone; what was pending is there again, the rest comes from the server";
    this.#risk({ kind: "reopened", message, pending: replica.status().pending });
  }

  /** Opens the file that is there, or begins the first sync. */
  #adopt(): void {
    const [file, ...rest] = this.storage!.files();
    // A second one was not finished: the first goes only when it is.
    for (const name of rest) this.storage!.remove(name);
    if (file !== undefined) {
      const db = openFile(this.sqlite, this.storage!, file);
      if (db.int("SELECT count(*) FROM sqlite_schema WHERE name = '_tm_meta'") === 0) {
        db.close(); // made, and not filled: a crash at the very beginning
        this.storage!.remove(file);
      } else this.use(new Copy(file, db, this.merge, this.#committed));
    }
    if (this.copy === null || this.copy.provisional) this.#beginFirstSync();
    else this.#ready();
  }

  #beginFirstSync(): void {
    if (this.copy === null && this.address === null)
      throw new TidemarkError("usage", "this device has no copy yet", {
        hint: "give the address of the server to open",
      });
    this.#phase = this.copy === null ? "schema" : "snapshot";
    this.#first = new FirstSync(this);
    this.#first.run();
  }

  /** Another file is the database from here on. */
  use(copy: Copy): void {
    this.copy = copy;
    this.watches.moved();
    if (copy.provisional) this.#phase = "snapshot";
    this.#open();
    this.later();
    this.publish();
  }

  /** The space's rows are there. */
  ready(): void {
    this.#first = null;
    this.#ready();
  }

  #ready(): void {
    this.#phase = "ready";
    this.#progress = null;
    this.#error = null;
    const copy = this.#copyNow();
    if (this.#older) this.#merge(this.#older);
    this.#takeRescued(copy);
    this.#looking = setInterval(() => void this.#lookAfterStorage(), LOOK);
    this.#told = copy.replica.status().seq;
    const address = this.address ?? new Address(copy.replica.status().server);
    this.shell = new Shell({
      replica: copy.replica,
      address,
      transport: this.boot.transport,
      tokens: this.token.get,
      renew: this.token.renew,
      rand: random,
      flush: () => this.storage?.flush(),
      enter: () => copy.transactions.yield(),
      note: (note, batch) => this.#note(note, batch),
      fault: (err) => this.fault(err),
      stepped: () => {
        void this.storage?.flush();
        this.#spare.note(copy.replica);
        this.publish();
      },
      presence: this.presences,
    });
    this.#begun(this.shell);
    if (this.online) this.shell.nudge();
    else this.shell.step({ type: "local" });
    this.publish();
  }

  /** Takes over what is pending in a place that was used while this one failed. */
  #merge(older: Storage): void {
    this.#older = null;
    const file = older.files()[0];
    if (file !== undefined) {
      const copy = new Copy(file, openFile(this.sqlite, older, file), this.merge, () => {});
      copy.replica.seal(Date.now());
      load(this.#copyNow().replica, unload(copy.replica), Date.now());
      copy.close();
      this.#committed(null);
    }
    void older.wipe();
  }

  #copyNow(): Copy {
    if (this.copy === null)
      throw new TidemarkError("offline", "the space's tables are not known yet", {
        hint: "the first open of a database needs the server",
      });
    return this.copy;
  }

  #tableNames(name: string): { columns: string[]; key: string[] } {
    const t = tableNamed(this.#copyNow().replica.schema, name);
    const columns = t?.columns.map((c) => c.name) ?? [];
    return { columns, key: t?.key.map((at) => columns[at]!) ?? [] };
  }

  /** The copy, when it is there. */
  async whenOpen(): Promise<Copy> {
    await this.opened;
    return this.#copyNow();
  }

  /** Whatever waits or comes fails with this. */
  fail(err: unknown): void {
    this.#phase = "failed";
    this.#error = err;
    this.#refuse(err);
    this.publish();
  }

  /** Notes a passing error of the first sync. */
  trouble(err: unknown): void {
    this.#error = err;
    if (err !== null) {
      for (const fail of this.#impatient) fail(err);
      this.links.event({ type: "error", error: errorInfo(err) });
    }
    this.publish();
  }

  /** The shell, for somebody who does not wait for a server that cannot be reached. */
  async shellOrTrouble(): Promise<Shell> {
    if (!this.online)
      throw new TidemarkError("offline", "the network is switched off", { hint: "setNetwork(true) switches it on" });
    let fail: (err: unknown) => void = () => {};
    const trouble = new Promise<never>((_, reject) => {
      fail = reject;
    });
    this.#impatient.add(fail);
    this.#first?.wake();
    return await Promise.race([this.shellNow, trouble]).finally(() => this.#impatient.delete(fail));
  }

  progress(p: Progress | null): void {
    this.#progress = p;
    this.publish();
  }

  /** A commit happened: null where anything may have changed. */
  readonly #committed = (touched: Touched | null): void => {
    this.watches.commit(touched);
    if (this.watches.due) this.later();
    this.#seal();
  };

  committed(touched: Touched | null): void {
    this.#committed(touched);
  }

  /** Runs what commits left to do, in slices, behind calls that wait. */
  later(): void {
    if (this.#working) return;
    this.#working = true;
    nextTurn(() => {
      this.#working = false;
      if (this.#ended) return;
      this.#watch();
      if (this.watches.due) this.later();
    });
  }

  /** Commits that come close together are sealed and sent together. */
  #seal(): void {
    this.publish();
    this.#sealing ??= setTimeout(() => {
      this.#sealing = undefined;
      if (!this.#ended) this.shell?.step({ type: "local" });
    }, GATHER);
  }

  #watch(): void {
    if (this.copy === null || !this.watches.due) return;
    this.copy.transactions.yield();
    const until = performance.now() + SLICE;
    const patches = this.watches.run(() => performance.now() > until);
    if (patches.length > 0) this.links.patches(patches);
  }

  #note(note: Note, batch: Batch | null): void {
    const { applied, error } = note;
    if (note.verify) this.#committed(null);
    if (applied && !applied.staged) this.#applied(applied, batch);
    if (error) {
      this.#error = error;
      this.links.event({ type: "error", error: errorInfo(error) });
      if (note.state === "auth needed") void this.token.replace().then((ok) => ok && this.shell?.nudge());
    } else if (this.shell?.live) this.#error = null;
  }

  #applied(a: Applied, batch: Batch | null): void {
    const { replica } = this.#copyNow();
    if (a.schema) this.watches.moved();
    this.watches.commit(touchedTables(replica, a, batch));
    this.later();
    for (const event of eventsOf(replica, a, this.#told)) this.links.event(event);
    this.#told = Math.max(this.#told, a.seq);
  }

  /** An error of the local file. */
  fault(err: unknown): void {
    this.trouble(this.judged(err));
  }

  /** The error to tell; where the storage failed, not the statement, that is seen to. */
  judged(err: unknown): unknown {
    if (!(err instanceof TidemarkError)) return err;
    const { cause } = err.detail;
    if (disk(cause) && this.storage?.full) {
      return new TidemarkError("disk_full", "the browser gives this site no more room", {
        op: err.detail.op ?? "write",
        hint: "nothing of it was written; make room and try again",
      });
    }
    if (disk(cause) || notADatabase(cause) || corrupt(cause)) this.lost(err);
    return err;
  }

  /** The storage does not work any more: a new worker begins with what is left. */
  lost(err: unknown): void {
    if (this.#ended) return;
    let file: Uint8Array | null = null;
    try {
      file = this.copy?.db.serialize() ?? null;
    } catch {
      file = null; // then the new worker has what was pending, and what the storage gives back
    }
    const cargo = this.#spare.cargo();
    const message = `the storage fails and is opened again: ${errorInfo(err).message}`;
    this.#risk({ kind: "memory", message, pending: cargo.pending.length });
    this.#ended = true;
    clearInterval(this.#looking);
    this.shell?.stop();
    this.links.restart({ file, cargo });
  }

  /** Files that were cleared away can be written as before, and are nowhere: that must be looked for. */
  async #lookAfterStorage(): Promise<void> {
    if (this.#ended || (await this.storage!.exists())) return;
    this.lost(new TidemarkError("internal", "the browser cleared the site's data"));
  }

  #risk(risk: Risk): void {
    this.links.event({ type: "risk", risk });
  }

  #storageEvents(): Parameters<typeof climb>[3] {
    const pending = (): number => (this.copy ? this.copy.replica.status().pending : 0);
    return {
      slipped: (why) => {
        this.#slipped = true;
        this.#risk({ kind: "memory", message: `what is written is kept in memory only: ${why}`, pending: pending() });
        this.publish();
      },
      kept: () => {
        this.#slipped = false;
        this.#risk({ kind: "reopened", message: "everything is stored again", pending: pending() });
        this.publish();
      },
      taken: () => {
        // Its tab has lost the lead and will hear of it; what has no answer is asked of the next worker.
        this.#ended = true;
        clearInterval(this.#looking);
        this.shell?.stop();
      },
    };
  }

  setNetwork(on: boolean): void {
    this.online = on;
    if (!on) {
      this.presences.part();
      this.shell?.step({ type: "hangup" });
    }
    this.reconnect();
  }

  /** Goes on with the network now. */
  reconnect(): void {
    this.token.forget();
    if (this.online) {
      this.shell?.nudge();
      this.#first?.wake();
    } else this.#first?.pause();
    this.publish();
  }

  /** Lets go of everything; nothing is deleted. */
  async end(): Promise<void> {
    if (this.#ended) return;
    this.#ended = true;
    clearInterval(this.#looking);
    this.#first?.pause();
    this.shell?.stop();
    this.presences.stop();
    this.copy?.close();
    await this.storage?.flush();
    this.storage?.close();
  }

  /** Deletes the database. */
  async wipe(force: boolean): Promise<void> {
    const status = this.copy?.replica.status();
    if (!force && status && (status.pending > 0 || status.unsealed || status.rejected > 0)) {
      throw new TidemarkError("pending", "something is pending or rejected and would be lost", {
        hint: "sync first and dispose of what was rejected, or force it",
      });
    }
    this.#ended = true;
    clearInterval(this.#looking);
    this.#first?.pause();
    this.presences.end();
    this.shell?.stop();
    this.copy?.close();
    await this.storage?.wipe();
    (await openParts(this.boot.name)).clear();
    this.#phase = "closed";
    this.links.status(this.status());
  }

  /** Tells the tabs how things are. */
  publish(): void {
    this.#teller.soon();
  }

  /** Tells them now what they have not been told. */
  publishNow(): void {
    this.#teller.now();
  }

  status(): Shared {
    const { storage, shell, copy, boot } = this;
    const level = this.#slipped ? "memory" : storage?.level;
    return {
      phase: this.#phase,
      waiting: this.#waiting,
      storage: level
        ? { level, reason: this.#slipped ? "the storage failed" : this.#reason, persisted: this.persisted }
        : null,
      progress: this.#progress,
      online: this.online,
      sync: shell?.state ?? "offline",
      connected: shell?.live ?? false,
      error: this.#error === null ? null : errorInfo(this.#error),
      server: this.address?.base ?? boot.server,
      ...(copy && !this.#ended ? this.#counts(copy) : nothing),
    };
  }

  #counts(copy: Copy): Omit<typeof nothing, "out"> & { out: Record<string, string> } {
    const s = copy.replica.status();
    return {
      seq: s.seq,
      head: s.head,
      pending: s.pending + (s.unsealed ? 1 : 0),
      suspended: s.suspended,
      rejected: s.rejected,
      conflicts: countOpen(copy.db),
      proven: s.proven,
      contact: s.contact,
      readOnly: s.readOnly,
      replica: s.replica,
      space: s.space,
      out: Object.fromEntries(s.out),
    };
  }
}
