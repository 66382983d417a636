import type { DatabaseEvent, Progress, Risk } from "../database.ts";
import { TidemarkError } from "../error.ts";
import { loadSqlite, type Sqlite } from "../lite/load.ts";
import type { MergeFunctions } from "../options.ts";
import type { Applied } from "../replica/apply.ts";
import type { Note } from "../replica/loop.ts";
import { tableNamed } from "../schema.ts";
import { openParts } from "../storage/parts.ts";
import type { Storage } from "../storage/storage.ts";
import { Address } from "../sync/address.ts";
import { Shell } from "../sync/shell.ts";
import type { Boot, Shared } from "../tabs/messages.ts";
import type { PresenceNews } from "../tabs/presence.ts";
import { readsOf } from "../watch/reads.ts";
import { type Touched, Watches } from "../watch/watches.ts";
import type { Batch } from "../wire/batch.ts";
import { Commits } from "./commits.ts";
import { type Copy, type Reader, random } from "./copy.ts";
import { FirstSync } from "./first-sync.ts";
import { inheritCopy, inheritPending, inheritRescued } from "./inherit.ts";
import { Keeper } from "./keeper.ts";
import { eventsOf, leftOf, touchedTables } from "./news.ts";
import { Presences } from "./presences.ts";
import { notGranted, Scopes } from "./scopes.ts";
import { Slices } from "./slices.ts";
import { type Rescued, Spare } from "./spare.ts";
import { HostStatus } from "./status.ts";
import { Token } from "./tokens.ts";
import { errorInfo } from "./views.ts";

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

/** The one place that has the database: storage, copy, sync and live queries. */
export class Host {
  readonly boot: Boot;
  readonly links: HostLinks;
  readonly merge: MergeFunctions;
  readonly watches: Watches;
  readonly presences: Presences;
  readonly scopes = new Scopes();
  readonly slices = new Slices();
  readonly commits = new Commits(this);
  readonly status: HostStatus;
  readonly token: Token;
  readonly address: Address | null;
  sqlite!: Sqlite;
  copy: Copy | null = null;
  shell: Shell | null = null;
  online: boolean;
  /** Nothing may be done any more. */
  ended = false;
  /** The next worker is asked whatever has no answer yet. */
  passed = false;
  /** Tabs that called and did not leave. */
  readonly heard = new Set<string>();
  /** Writes that wait for the end of a long step. */
  readonly waiting = new Set<{ readonly tab: string }>();
  /** Calls that wait until the tables are there. */
  readonly opened: Promise<void>;
  /** The sync loop's shell, when the rows are there. */
  readonly shellNow: Promise<Shell>;
  #open!: () => void;
  #begun!: (shell: Shell) => void;
  #refuse!: (err: unknown) => void;
  #first: FirstSync | null = null;
  readonly #impatient = new Set<(err: unknown) => void>();
  readonly #spare = new Spare();
  readonly #keeper: Keeper;
  /** Up to here apps were told of conflicts. */
  #told = 0;

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
    this.#keeper = new Keeper(boot, {
      waiting: (why) => this.status.note({ waiting: why }),
      risk: (risk) => this.risk(risk),
      pending: () => this.status.now().pending,
      lost: (err) => this.lost(err),
      taken: () => {
        this.passed = true; // its tab has lost the lead and will hear of it
        this.#halt();
      },
    });
    this.status = new HostStatus(this, () => this.#keeper.place);
    this.token = new Token(boot.hasToken ? (refused) => links.token(refused) : null);
    this.presences = new Presences(
      (messages) => this.shell?.say(messages) ?? false,
      (news) => links.presence(news),
    );
    this.watches = new Watches({
      query: (sql, params, bigint) => this.#reader().statements.cells(sql, params, bigint),
      reads: (sql) => readsOf(this.#reader().statements.db, this.#reader().schema, sql),
      table: (name) => this.#tableNames(name),
      now: () => performance.now(),
    });
  }

  async start(): Promise<void> {
    try {
      this.sqlite = await loadSqlite(this.boot.wasm === undefined ? {} : { wasmUrl: this.boot.wasm });
      await this.#keeper.open(this.sqlite);
      const copy = inheritCopy(this);
      if (copy !== null) this.use(copy);
      if (copy === null || copy.provisional) this.#beginFirstSync();
      else this.ready();
    } catch (err) {
      this.fail(err);
    }
    this.status.publish();
  }

  get storage(): Storage | null {
    return this.#keeper.storage;
  }

  /** The browser promised not to evict what is stored, or did not. */
  set persisted(on: boolean) {
    this.#keeper.persisted = on;
    this.status.publish();
  }

  #beginFirstSync(): void {
    if (this.copy === null && this.address === null)
      throw new TidemarkError("usage", "this device has no copy yet", {
        hint: "give the address of the server to open",
      });
    this.status.note({ phase: this.copy === null ? "schema" : "snapshot" });
    this.#first = new FirstSync(this);
    this.#first.run();
  }

  /** Another file is the database from here on. */
  use(copy: Copy): void {
    this.copy = copy;
    this.scopes.changed();
    this.watches.moved();
    if (copy.provisional) this.status.note({ phase: "snapshot" });
    this.#open();
    this.commits.watch();
    this.status.publish();
  }

  /** The space's rows are there. */
  ready(): void {
    this.#first = null;
    this.status.note({ phase: "ready", progress: null, error: null });
    const copy = this.#copyNow();
    copy.transactions.yield();
    if (this.#keeper.older) inheritPending(this, this.#keeper.older, copy);
    this.#keeper.older = null;
    if (this.boot.rescued) inheritRescued(this, this.boot.rescued, this.#keeper.found, copy);
    this.#keeper.watch();
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
      work: (work, then, failed) => this.slices.do(copy, work, then, failed),
      note: (note, batch) => this.#note(note, batch),
      fault: (err) => this.fault(err),
      stepped: () => {
        if (this.watches.due) this.commits.watch();
        void this.storage?.flush();
        this.#spare.note(copy.replica);
        this.status.publish();
      },
      presence: this.presences,
    });
    this.#begun(this.shell);
    if (this.online) this.shell.nudge();
    else this.shell.step({ type: "local" });
    this.status.publish();
  }

  #copyNow(): Copy {
    if (this.copy === null)
      throw new TidemarkError("offline", "the space's tables are not known yet", {
        hint: "the first open of a database needs the server",
      });
    return this.copy;
  }

  /** What reads are made on now; null where they have to wait. */
  get reader(): Reader | null {
    const { copy } = this;
    return (this.slices.busy ? copy?.beside : copy?.reader) ?? null;
  }

  #reader(): Reader {
    this.#copyNow();
    // Whoever comes here has seen that there is one.
    return this.reader!;
  }

  #tableNames(name: string): { columns: string[]; key: string[] } {
    const t = tableNamed(this.#reader().schema, name);
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
    this.status.note({ phase: "failed", error: err });
    this.#refuse(err);
  }

  /** Notes a passing error of the first sync. */
  trouble(err: unknown): void {
    this.status.note({ error: err });
    if (err === null) return;
    for (const fail of this.#impatient) fail(err);
    this.links.event({ type: "error", error: errorInfo(err) });
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

  progress(progress: Progress | null): void {
    this.status.note({ progress });
  }

  /** A commit happened: null where anything may have changed. */
  readonly committed = (touched: Touched | null): void => this.commits.follow(touched);

  #note(note: Note, batch: Batch | null): void {
    const { applied, error } = note;
    if (note.verify) this.committed(null);
    if (applied?.staged && batch) this.scopes.staged(batch);
    if (applied && !applied.staged) this.#applied(applied, batch);
    if (error) {
      this.status.note({ error });
      this.links.event({ type: "error", error: errorInfo(error) });
      if (note.state === "auth needed") void this.token.replace().then((ok) => ok && this.shell?.nudge());
    } else if (this.shell?.live) this.status.note({ error: null });
  }

  #applied(a: Applied, batch: Batch | null): void {
    const { replica } = this.#copyNow();
    if (a.schema) this.watches.moved();
    this.scopes.changed();
    this.watches.commit(touchedTables(replica, a, batch), leftOf(replica.schema, a));
    this.commits.watch();
    for (const { scope, state } of a.scopes) if (state === "gained") this.presences.gained(scope);
    for (const event of eventsOf(replica, a, this.#told)) this.links.event(event);
    this.#told = Math.max(this.#told, a.seq);
  }

  /** Changes what the device wants, and tells the server. */
  want(change: () => void): void {
    change();
    this.scopes.changed();
    this.shell?.step({ type: "rewant" });
    this.status.publish();
  }

  /** Waits until a scope is whole, or the server said that it does not grant it. */
  async whole(scope: string, signal: AbortSignal): Promise<void> {
    const shell = await this.shellNow;
    const { replica } = this.#copyNow();
    const known = () => this.scopes.list(replica).find((s) => s.scope === scope);
    const denied = () => shell.live && !replica.status().unasked && !known()?.granted;
    await shell.until(() => known()?.ready === true || denied(), signal);
    await this.slices.free();
    if (!known()?.ready) throw notGranted(scope);
  }

  /** Waits until there are rows to be seen. */
  async filled(signal: AbortSignal): Promise<void> {
    const shell = await this.shellNow;
    await shell.until(() => this.status.filled, signal);
  }

  /** The error to tell of one that came up. */
  judged(err: unknown): unknown {
    return this.#keeper.judged(err);
  }

  /** An error of the local file. */
  fault(err: unknown): void {
    this.trouble(this.judged(err));
  }

  /** The storage does not work any more: a new worker begins with what is left. */
  lost(err: unknown): void {
    if (this.ended) return;
    this.passed = true;
    this.#halt();
    let file: Uint8Array | null = null;
    try {
      file = this.copy?.db.serialize() ?? null;
    } catch {
      file = null; // then the new worker has what was pending, and what the storage gives back
    }
    const cargo = this.#spare.cargo();
    const message = `the storage fails and is opened again: ${errorInfo(err).message}`;
    this.risk({ kind: "memory", message, pending: cargo.pending.length });
    this.links.restart({ file, cargo, beyond: this.#spare.beyond });
  }

  /** Tells of what may be lost, or was. */
  risk(risk: Risk): void {
    this.links.event({ type: "risk", risk });
    this.status.publish();
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
    this.status.publish();
  }

  /** Undoes what is under way, and begins nothing any more. */
  #halt(): void {
    this.ended = true;
    this.#keeper.stop();
    this.commits.stop();
    this.shell?.stop();
    this.slices.stop();
  }

  /** Lets go of everything; nothing is deleted. */
  async end(): Promise<void> {
    if (this.ended) return;
    this.#halt();
    this.#first?.pause();
    this.presences.stop();
    this.copy?.close();
    await this.storage?.flush();
    this.storage?.close();
  }

  /** Deletes the database. */
  async wipe(force: boolean): Promise<void> {
    await this.slices.free();
    const status = this.copy?.replica.status();
    if (!force && status && (status.pending > 0 || status.unsealed || status.rejected > 0)) {
      throw new TidemarkError("pending", "something is pending or rejected and would be lost", {
        hint: "sync first and dispose of what was rejected, or force it",
      });
    }
    this.presences.end();
    this.#halt();
    this.#first?.pause();
    this.copy?.close();
    await this.storage?.wipe();
    (await openParts(this.boot.name)).clear();
    this.status.note({ phase: "closed" });
    this.links.status(this.status.now());
  }
}
