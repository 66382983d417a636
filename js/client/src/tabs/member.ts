import type { DatabaseEvent, Status } from "../database.ts";
import { TidemarkError } from "../error.ts";
import { id } from "../id.ts";
import { DEADLINE, type OpenOptions } from "../options.ts";
import { unknown } from "../status.ts";
import type { Patch } from "../watch/watches.ts";
import { Election } from "./election.ts";
import { Employer } from "./employer.ts";
import { closed, decodeError, type ErrorMessage, outdated } from "./errors.ts";
import { Link } from "./link.ts";
import { type Listeners, tell } from "./listeners.ts";
import {
  type Down,
  downwardOf,
  type Lobby,
  lobbyOf,
  newer,
  PROTOCOL,
  type Shared,
  tabLockOf,
  type Up,
  type Upward,
  upwardOf,
  type Version,
  type Wish,
} from "./messages.ts";
import { mergeScopes, wishOf } from "./scopes.ts";
import { Tab, type TabHost } from "./tab.ts";

/** How often a tab that waits for something looks whether the leader is alive, milliseconds. */
const LOOK = 100;

/** How long a leader may say nothing before its place is taken, at first and at most. */
const PATIENCE = 500;
const PATIENCE_MOST = 10_000;

/** The same where nobody waits for an answer. */
const PATIENCE_IDLE = 6_000;

/**
 * A tab among those that have one database open. One of them leads: it has the
 * worker with the database. All, the leader too, send calls to that worker and
 * hear from it; when it is gone another tab takes the lead and calls without an
 * answer are asked again.
 */
export class Member implements TabHost {
  readonly name: string;
  readonly bigint: boolean;
  readonly link: Link;
  readonly tab: Tab;
  readonly statusListeners: Listeners<Status> = new Set();
  readonly eventListeners: Listeners<DatabaseEvent> = new Set();
  /** Resolves when calls can be taken; fails when that will never be. */
  readonly opened: Promise<void>;
  status: Status;
  readonly #server: string;
  readonly #version: Version;
  readonly #wishes: readonly Wish[] | null;
  readonly #id = id();
  /** Without locks tabs cannot know of each other: each has a database of its own, in memory. */
  readonly #alone = navigator.locks === undefined;
  readonly #election: Election;
  readonly #lobby: BroadcastChannel;
  readonly #upward: BroadcastChannel;
  readonly #downward: BroadcastChannel;
  readonly #look: ReturnType<typeof setInterval>;
  readonly #ended = new AbortController();
  /** Has a worker while this tab leads. */
  readonly #employer: Employer;
  #heard = performance.now();
  #looked = performance.now();
  #patience = PATIENCE;
  /** Has nothing to do with the others: put away by the browser, or not begun yet. */
  #asleep = !this.#alone;
  #open!: () => void;
  #refuse!: (err: unknown) => void;

  constructor(options: OpenOptions, server: string) {
    this.name = options.name;
    this.bigint = options.bigint ?? false;
    this.#server = server;
    this.#version = [PROTOCOL, options.version ?? 0];
    this.status = { ...unknown, waiting: "the tab that leads is being looked for", server };
    this.opened = new Promise((resolve, reject) => {
      this.#open = resolve;
      this.#refuse = reject;
    });
    this.#lobby = new BroadcastChannel(lobbyOf(this.name));
    this.#upward = new BroadcastChannel(upwardOf(this.name));
    this.#downward = new BroadcastChannel(downwardOf(this.name, this.#id));
    this.link = new Link(this.#id, options.deadline ?? DEADLINE, (leader, up) => this.#post(leader, up));
    this.#employer = this.#hire(options);
    this.#wishes = options.scopes?.map((s) => wishOf(typeof s === "string" ? { scope: s } : s)) ?? null;
    this.tab = new Tab(this);
    // Where a copy is there already, it wants those too from here on.
    if (this.#wishes) this.link.call("subscribe", this.#wishes).catch((err) => this.#refused(err));
    this.#election = new Election(
      this.name,
      () => this.#lead(),
      () => this.#dethroned(),
    );
    this.#lobby.onmessage = (e) => this.#hear(e.data as Lobby);
    this.#downward.onmessage = (e) => this.#hear(e.data as Lobby);
    this.#look = setInterval(() => this.#watchdog(), LOOK);
    this.#begin();
  }

  /** The scopes that were asked for at open cannot be had: the space has none. */
  #refused(err: unknown): void {
    if (!this.#ended.signal.aborted) reportError(err);
  }

  #begin(): void {
    if (this.#alone) {
      this.#lead();
      return;
    }
    this.#listen();
    const { signal } = this.#ended;
    const held = (): Promise<void> | undefined => {
      if (signal.aborted) return;
      this.#wake();
      return ended(signal);
    };
    // Held until the tab is gone, so that the worker that leads learns of it: a worker that
    // knew of the tab before would get the lock, and take the tab for gone.
    navigator.locks.request(tabLockOf(this.#id), held).catch(() => {});
  }

  #listen(): void {
    const { signal } = this.#ended;
    const sleep = (): void => this.#sleep();
    const wake = (): void => this.#wake();
    document.addEventListener("freeze", sleep, { signal });
    document.addEventListener("resume", wake, { signal });
    addEventListener("pagehide", sleep, { signal });
    addEventListener("pageshow", (e) => e.persisted && wake(), { signal });
  }

  /** The page is put away: another tab shall lead. What the worker has committed is stored. */
  #sleep(): void {
    this.#asleep = true;
    this.tab.presences.rest();
    this.#employer.dismiss();
    this.#election.leave();
  }

  #wake(): void {
    if (!this.#asleep) return;
    this.#asleep = false;
    this.#heard = performance.now();
    this.link.leader = "";
    this.#election.stand();
    this.#say({ type: "join", tab: this.#id });
  }

  // What tabs say to each other.

  #say(
    m: { type: "version" } | { type: "ping" } | { type: "join"; tab: string } | { type: "alive"; waiting: string },
  ): void {
    this.#lobby.postMessage({ v: this.#version, ...m } satisfies Lobby);
  }

  #hear(m: Lobby): void {
    if (this.#ended.signal.aborted) return;
    if (newer(m.v, this.#version)) {
      this.#outdated();
      return;
    }
    if (newer(this.#version, m.v)) {
      if (m.type !== "version") this.#say({ type: "version" });
      return;
    }
    if (m.type === "ping" && this.#employer.employs) this.#say({ type: "alive", waiting: this.status.waiting });
    if (m.type === "alive") this.#heard = performance.now();
    if (m.type === "down" && !this.#asleep && !this.#employer.employs) this.#down(m.leader, m.down);
  }

  #post(leader: string, up: Up): void {
    if (this.#employer.employs) this.#employer.post(up);
    else this.#upward.postMessage({ v: this.#version, leader, up } satisfies Upward);
  }

  #down(leader: string, down: Down): void {
    if (down.type === "lead") {
      this.#heard = performance.now();
      if (leader !== this.link.leader) this.#follow(leader);
      this.#setStatus(down.status);
      return;
    }
    if (leader !== this.link.leader) return;
    this.#heard = performance.now();
    switch (down.type) {
      case "answer":
        this.#patience = PATIENCE;
        this.link.take(down);
        break;
      case "status":
        this.#setStatus(down.status);
        break;
      case "event":
        tell(this.eventListeners, down.event);
        break;
      case "presence":
        this.tab.presences.receive(down.news);
        break;
      case "patches":
        this.#patches(down.patches);
    }
  }

  #follow(leader: string): void {
    this.link.follow(leader);
    this.tab.live.reconnect();
    this.tab.presences.reconnect();
  }

  #patches(patches: readonly Patch[]): void {
    // A failure of a query travels as errors of calls do.
    const mine = patches.filter((p) => p.to.includes(this.#id));
    this.tab.live.receive(
      mine.map((p) => (p.error === undefined ? p : { ...p, error: decodeError(p.error as ErrorMessage) })),
    );
  }

  #setStatus(shared: Shared): void {
    const { scopes } = this.status;
    const now = shared.scopes === null ? scopes : mergeScopes(scopes, shared.scopes);
    this.status = { ...shared, scopes: now, leader: this.#employer.employs };
    const { phase, error } = shared;
    if (phase === "failed") {
      const err = decodeError(error ?? { code: "internal", message: "the database cannot be opened" });
      this.#refuse(err);
    } else if (phase !== "opening") this.#open();
    tell(this.statusListeners, this.status);
    if (phase === "closed") void this.close();
  }

  // Leading.

  #lead(): void {
    if (this.#ended.signal.aborted) return;
    this.#say({ type: "alive", waiting: "" });
    this.#employer.employ();
  }

  #hire(options: OpenOptions): Employer {
    const { transport = "auto", storage = "opfs", online = true, wasm, token } = options;
    const alone = this.#alone;
    return new Employer(options, {
      boot: () => ({
        name: this.name,
        tab: this.#id,
        version: this.#version,
        server: this.#server,
        transport,
        storage: alone ? "memory" : storage,
        why: alone ? "this page is not served in a secure way (https), so the browser gives it no lasting storage" : "",
        online: this.status.phase === "opening" ? online : this.status.online,
        hasToken: token !== undefined,
        wasm,
        scopes: this.#wishes,
      }),
      leads: () => this.#election.leads || (alone && !this.#ended.signal.aborted),
      heard: () => {
        this.#heard = performance.now();
      },
      down: (leader, down) => this.#down(leader, down),
      failed: (message) => {
        this.#setStatus({ ...this.status, phase: "failed", error: { code: "internal", message, hint: "" } });
        this.link.end(new TidemarkError("internal", message));
      },
    });
  }

  /** Another tab took the lead, since this one did not answer. */
  #dethroned(): void {
    this.#employer.dismiss();
    this.#heard = performance.now();
    if (!this.#ended.signal.aborted) this.#election.stand();
    this.#say({ type: "join", tab: this.#id });
  }

  /** Somebody newer is there: this page has nothing to say any more. */
  #outdated(): void {
    const err = outdated();
    void this.#end(err, "outdated");
    this.#refuse(err);
  }

  #watchdog(): void {
    const now = performance.now();
    if (now - this.#looked > 10 * LOOK || this.#asleep) this.#heard = now; // it was this tab that slept
    this.#looked = now;
    const silent = now - this.#heard;
    if (this.#employer.employs) {
      if (silent > LOOK) this.#employer.post({ type: "ping" });
      this.#employer.watch(silent, this.status.progress?.stage);
      return;
    }
    if (this.#alone || this.#election.leads) return;
    const patience = this.link.busy ? this.#patience : Math.max(this.#patience, PATIENCE_IDLE);
    if (silent > (this.link.busy ? LOOK : PATIENCE_IDLE / 3)) this.#say({ type: "ping" });
    if (silent < patience * (1 + Math.random() / 4)) return;
    this.#patience = Math.min(2 * this.#patience, PATIENCE_MOST);
    this.#heard = now;
    this.#election.steal();
  }

  close(): Promise<void> {
    return this.#end(closed(), "closed");
  }

  async #end(err: unknown, phase: "closed" | "outdated"): Promise<void> {
    if (this.#ended.signal.aborted) return;
    clearInterval(this.#look);
    this.#post(this.link.leader, { type: "leave", tab: this.#id });
    this.tab.live.close();
    this.#ended.abort();
    this.status = { ...this.status, phase, leader: false };
    tell(this.statusListeners, this.status);
    await this.#employer.farewell((answer) => this.link.take(answer));
    this.#election.leave();
    this.link.end(err);
    for (const c of [this.#lobby, this.#upward, this.#downward]) c.close();
  }
}

const ended = (signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => signal.addEventListener("abort", () => resolve()));
