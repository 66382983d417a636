import type { SyncResult, VerifyReport } from "../database.ts";
import { TidemarkError } from "../error.ts";
import type { Work } from "../lite/work.ts";
import { type Effect, type Event, Loop, type Note } from "../replica/loop.ts";
import type { Replica } from "../replica/replica.ts";
import type { Batch } from "../wire/batch.ts";
import type { Aside } from "../wire/down.ts";
import type { Hello, Up } from "../wire/up.ts";
import type { Address } from "./address.ts";
import { ComeBack, unreachable } from "./answer.ts";
import { ownTokens, subjectOf } from "./passport.ts";
import { RoundTrips } from "./roundtrip.ts";
import { dialSocket } from "./socket.ts";
import { type Emit, type Link, type Refused, type Tokens, Ways } from "./transport.ts";

/** How long an idle loop goes without a new session: a socket is watched, so this only heals what nobody thought of. */
const KEEPALIVE = 30 * 60_000;

/** How often all rows are compared with the server. */
const SCRUB = 24 * 3600_000;

/**
 * How often the shell looks at the clock; one that went on by more than SLEPT meanwhile says that the device slept. Browsers
 * slow the timers of hidden pages down to one a minute, which is no sleep. Milliseconds.
 */
const LOOK = 10_000;
const SLEPT = 75_000;

/** Failures in a row after which sync says that it is offline. */
const MOST_ATTEMPTS = 3;

/** What the shell needs of the worker. */
export interface ShellHost {
  readonly replica: Replica;
  readonly address: Address;
  readonly transport: "auto" | "websocket" | "http";
  readonly tokens: Tokens;
  /** Fetches another token, in time before the old one is over. */
  renew(): Promise<string>;
  readonly rand: (n: number) => Uint8Array;
  /** See Storage.flush. */
  flush(): Promise<void> | undefined;
  /** Before anything touches the database. */
  enter(): void;
  /** Does work on the database and then tells its result. Where it is long, others get their turn meanwhile. */
  work<T>(work: Work<T>, then: (result: T) => void, failed: (err: unknown) => void): void;
  /** News of the loop; `batch` is what was applied, where it is that alone. */
  note(note: Note, batch: Batch | null): void;
  /** An error of the local file. */
  fault(err: unknown): void;
  /** After every step. */
  stepped(): void;
  /** Who is present; the loop knows nothing of it. */
  readonly presence: {
    receive(message: Aside): void;
    /** There is a session, of the replica of this name. */
    welcome(replica: string): void;
    /** There is none that carries it. */
    gone(err: unknown): void;
  };
}

/** Somebody who waits for the loop. */
interface Waiter {
  readonly done: () => boolean;
  /** Passing failures do not end the wait. */
  readonly patient: boolean;
  readonly resolve: () => void;
  readonly reject: (err: unknown) => void;
  readonly hear: (note: Note) => void;
  failures: number;
}

/** An event that waits until those before it are dealt with. */
interface Waiting {
  readonly event: Event;
  /** It counts for nothing when this is aborted. */
  readonly of: AbortSignal | null;
  /** What is to be done behind it. */
  readonly then: () => void;
}

type Order =
  | { readonly type: "dial" }
  | { readonly type: "close" }
  | { readonly type: "send"; readonly messages: Parameters<Link["send"]>[0] };

/** Runs the sync loop: gives it the events of network, clock and file and does what it asks for. */
export class Shell {
  readonly #host: ShellHost;
  readonly #loop: Loop;
  readonly #ways = new Ways();
  readonly #waiters = new Set<Waiter>();
  #events: Waiting[] = [];
  /** An event is being dealt with: the database belongs to the loop. */
  #busy = false;
  /** Those who wait until no event is left. */
  #resting: (() => void)[] = [];
  #link: Link | null = null;
  /** Aborted when the link is given up; each attempt has its own. */
  #attempt = new AbortController();
  /** What waits for the storage; null when nothing does. */
  #held: Order[] | null = null;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #renewal: ReturnType<typeof setTimeout> | undefined;
  /** How far the server's clock is ahead, milliseconds. */
  #ahead = 0;
  readonly #scrub: ReturnType<typeof setInterval>;
  readonly #look: ReturnType<typeof setInterval>;
  #looked = Date.now();
  #ended = false;

  constructor(host: ShellHost) {
    this.#host = host;
    this.#loop = new Loop(host.replica, { rand: host.rand, keepalive: KEEPALIVE });
    this.#scrub = setInterval(() => this.step({ type: "verify" }), SCRUB);
    this.#look = setInterval(() => this.#wake(), LOOK);
  }

  get state(): Loop["state"] {
    return this.#loop.state;
  }

  /** Whether there is a session. */
  get live(): boolean {
    return ["catching up", "pushing", "idle", "verifying"].includes(this.state);
  }

  /** Ends it for good. */
  stop(): void {
    this.#ended = true;
    this.#unlink();
    clearTimeout(this.#timer);
    clearInterval(this.#scrub);
    clearInterval(this.#look);
    for (const w of this.#waiters) w.reject(over());
    this.#waiters.clear();
  }

  /** Gives the loop an event, when it is done with those before, and does what it asks for. */
  step(event: Event, of: AbortSignal | null = null, then: () => void = () => {}): void {
    this.#events.push({ event, of, then });
    this.#next();
  }

  #next(): void {
    while (!this.#busy && !this.#ended) {
      const next = this.#events.shift();
      if (!next) {
        for (const rest of this.#resting.splice(0)) rest();
        return;
      }
      if (!next.of?.aborted) this.#begin(next);
    }
  }

  #begin({ event, then }: Waiting): void {
    this.#busy = true;
    let later = false;
    const done = (): void => {
      this.#busy = false;
      then();
      this.check();
      if (later) this.#next();
    };
    this.#host.work(
      this.#loop.step(Date.now(), event),
      (effects) => {
        this.#carryOut(event, effects);
        done();
      },
      (err) => {
        this.#host.fault(err); // the loop tells those of the file itself
        done();
      },
    );
    later = true;
  }

  #carryOut(event: Event, effects: readonly Effect[]): void {
    const batch = event.type === "received" && event.message?.type === "batch" ? event.message : null;
    for (const e of effects) {
      if (e.type === "notify") this.#tell(e.note, batch);
      else if (e.type === "timer") this.#arm(e.after);
      else this.#carry(e);
    }
    if (this.#loop.fault !== null) this.#host.fault(this.#loop.fault);
    this.#host.stepped();
  }

  /** Resolves when all events are dealt with: the file can be read. */
  async rest(): Promise<void> {
    while (this.#busy || this.#events.length > 0) await new Promise<void>((resolve) => this.#resting.push(resolve));
  }

  /** Looks whether what somebody waits for is there. */
  check(): void {
    if (this.#busy) return; // it is done behind the step
    for (const w of [...this.#waiters]) {
      if (!w.done()) continue;
      this.#waiters.delete(w);
      w.resolve();
    }
  }

  /** Exchanges everything that there is. */
  async sync(signal: AbortSignal): Promise<SyncResult> {
    const counts = { accepted: 0, merged: 0, rejected: 0, rows: 0 };
    const hear = (note: Note): void => {
      for (const o of note.applied?.settled ?? []) counts[o.kind]++;
      counts.rows += note.applied?.rows ?? 0;
    };
    const waited = this.#wait(signal, false, () => this.#settled(), hear);
    this.nudge();
    await waited;
    await this.rest();
    return { seq: this.#host.replica.status().seq, ...counts };
  }

  /** Waits until nothing is pending. */
  flushed(signal: AbortSignal): Promise<void> {
    return this.#wait(signal, true, () => {
      const s = this.#host.replica.status();
      return s.pending === 0 && !s.unsealed;
    });
  }

  /** Waits until there is a session and the copy is at the head that the server told. */
  caughtUp(signal: AbortSignal): Promise<void> {
    return this.#wait(signal, true, () => {
      if (!this.live || this.state === "catching up") return false;
      const s = this.#host.replica.status();
      return s.seq >= s.head && s.staged === 0 && !s.unasked && s.filling === 0;
    });
  }

  /** Waits for something that a step may bring, in a session or not. */
  until(done: () => boolean, signal: AbortSignal): Promise<void> {
    return this.#wait(signal, true, done);
  }

  async verify(signal: AbortSignal): Promise<VerifyReport> {
    await this.sync(signal);
    let asked = false;
    const reports: VerifyReport[] = [];
    // One that breaks off is begun anew in the next session, but not for ever.
    const waited = this.#wait(
      signal,
      false,
      () => reports.length > 0 || (asked && this.state === "idle"),
      (note) => {
        if (note.verify) reports.push(note.verify);
      },
    );
    this.step({ type: "verify" }, null, () => {
      asked = true;
    });
    await waited;
    if (reports[0]) return reports[0];
    throw new TidemarkError("offline", "the comparison broke off again and again", {
      op: "verify",
      hint: "nothing is lost: verify again when the connection to the server holds",
    });
  }

  /** Makes the loop go on now: dial if it pauses, look for local writes. */
  nudge(): void {
    this.step({ type: "start" });
    this.step({ type: "local" });
  }

  /**
   * Begins anew when the device slept: the server has given the connection up, and
   * a page that has nothing to send would notice only after a while of silence.
   */
  #wake(): void {
    const slept = Date.now() - this.#looked > SLEPT;
    this.#looked = Date.now();
    if (!slept || !this.live) return;
    this.step({ type: "hangup" });
    this.nudge();
  }

  #settled(): boolean {
    return this.state === "idle" && this.#loop.settled();
  }

  #wait(
    signal: AbortSignal,
    patient: boolean,
    done: () => boolean,
    hear: (note: Note) => void = () => {},
  ): Promise<void> {
    return new Promise((resolve, reject) => {
      if (signal.aborted) return reject(signal.reason);
      if (this.#ended) return reject(over());
      const w: Waiter = { done, patient, resolve, reject, hear, failures: 0 };
      signal.addEventListener("abort", () => {
        this.#waiters.delete(w);
        reject(signal.reason);
      });
      this.#waiters.add(w);
      if (patient) this.check();
    });
  }

  #tell(note: Note, batch: Batch | null): void {
    const a = note.applied;
    if (note.error) this.#host.presence.gone(note.error);
    this.#host.note(
      note,
      a && a.settled.length + a.suspended.length + a.resumed.length === 0 && !a.schema ? batch : null,
    );
    for (const w of [...this.#waiters]) {
      w.hear(note);
      if (a && !a.staged) w.failures = 0;
      if (!note.error) continue;
      w.failures++;
      const err = this.#hopeless(w, note.error);
      if (!err) continue;
      this.#waiters.delete(w);
      w.reject(err);
    }
  }

  /** The error to give up with, if it is time to. */
  #hopeless(w: Waiter, err: TidemarkError): TidemarkError | null {
    if (this.state === "stopped" || this.state === "auth needed") return err;
    if (w.patient) return null;
    if (err.code === "no_space" || err.code === "usage" || err.code === "too_large") return err;
    if (w.failures < MOST_ATTEMPTS) return null;
    if (err.code === "offline") return err;
    // Whatever it is, from here the server cannot be synced with now.
    return new TidemarkError("offline", err.message, { op: "sync", hint: err.hint, cause: err });
  }

  #arm(after: number): void {
    clearTimeout(this.#timer);
    this.#events = this.#events.filter((w) => w.event.type !== "tick"); // of the timer before
    if (after > 0) this.#timer = setTimeout(() => this.step({ type: "tick" }), after);
  }

  /** What leaves this device is stored first. */
  #carry(work: Order): void {
    if (this.#held !== null) {
      this.#held.push(work);
      return;
    }
    const stored = work.type === "send" ? this.#host.flush() : undefined;
    if (stored === undefined) {
      this.#do(work);
      return;
    }
    this.#held = [];
    void stored.then(() => {
      const held = this.#held ?? [];
      this.#held = null;
      this.#do(work);
      for (const w of held) this.#carry(w);
    });
  }

  #do(work: Order): void {
    if (this.#ended) return;
    if (work.type === "send") this.#link?.send(work.messages);
    else {
      this.#unlink();
      if (work.type === "dial") void this.#dial();
    }
  }

  #unlink(): void {
    clearTimeout(this.#renewal);
    if (this.#link !== null) this.#host.presence.gone(unreachable("presence", null));
    this.#attempt.abort();
    this.#link?.close();
    this.#link = null;
  }

  async #dial(): Promise<void> {
    const attempt = new AbortController();
    this.#attempt = attempt;
    const emit: Emit = (event) => {
      if (attempt.signal.aborted) return;
      this.#mind(event);
      if (event.type === "aside") this.#host.presence.receive(event.message);
      else this.step(away(event), attempt.signal, () => this.#greet(event));
    };
    const failed = (err: unknown): Refused => ({ error: unreachable("connect", err), mayFallBack: false });
    const made = await this.#connect(emit, attempt.signal).catch(failed);
    if (attempt.signal.aborted) {
      if ("send" in made) made.close();
    } else if ("send" in made) {
      this.#link = made;
      this.step({ type: "connected" }, attempt.signal);
    } else {
      this.step(away({ type: "disconnected", error: made.error }), attempt.signal);
    }
  }

  /** Presence begins with a session, where a WebSocket carries it. */
  #greet(event: Parameters<Emit>[0]): void {
    const welcome = event.type === "received" && event.message?.type === "welcome" ? event.message : null;
    if (welcome === null || !this.live) return;
    if (this.#link instanceof RoundTrips) this.#host.presence.gone(noTrips());
    else this.#host.presence.welcome(welcome.replica);
  }

  /** Sends what is the shell's alone; reports whether there was a session that carries it. */
  say(messages: readonly Up[]): boolean {
    if (this.#link === null || this.#link instanceof RoundTrips || !this.live) return false;
    this.#link.send(messages);
    return true;
  }

  /** Looks for how long the token of the session lasts. */
  #mind(event: Parameters<Emit>[0]): void {
    const message = event.type === "aside" || event.type === "received" ? event.message : null;
    if (message?.type === "welcome") this.#ahead = message.time - Date.now();
    else if (message?.type !== "renewed") return;
    if (message.expires > 0) this.#renewIn(message.expires - Date.now() - this.#ahead);
  }

  /** Has another token before the old one is over, and tells the server on the open connection. */
  #renewIn(ms: number): void {
    clearTimeout(this.#renewal);
    const attempt = this.#attempt.signal;
    this.#renewal = setTimeout(
      async () => {
        const token = await this.#host.renew();
        if (attempt.aborted || token === "") return;
        const [mine, theirs] = [await this.#owner(), subjectOf(token)];
        if (mine === "" || theirs === "" || theirs === mine) this.#link?.send([{ type: "token", token }]);
      },
      Math.min(Math.max(0.8 * ms, 1000), 2 ** 31 - 1),
    );
  }

  /** Whose copy it is, "" while it is nobody's. */
  async #owner(): Promise<string> {
    await this.rest();
    this.#host.enter();
    return this.#host.replica.status().principal;
  }

  /** Opens a link by the way that is likely to work. */
  async #connect(emit: Emit, signal: AbortSignal): Promise<Link | Refused> {
    const { address, transport, replica } = this.#host;
    const tokens = ownTokens(this.#host.tokens, () => this.#owner());
    const hello = async (): Promise<Hello> => {
      await this.rest();
      this.#host.enter();
      return replica.hello();
    };
    const trips = (instead: boolean): Link =>
      new RoundTrips({ address, tokens, ways: this.#ways, hello }, emit, instead);
    if (transport === "http" || (transport === "auto" && !this.#ways.socket(Date.now()))) return trips(false);
    const made = await dialSocket(address, emit, this.#ways, tokens, signal);
    if ("send" in made || transport === "websocket" || !made.mayFallBack || signal.aborted) return made;
    this.#ways.block(Date.now());
    return trips(true);
  }
}

const over = (): TidemarkError => new TidemarkError("usage", "the database is closed");

const noTrips = (): TidemarkError =>
  new TidemarkError("usage", "nobody can be present over plain HTTP", {
    hint: "presence needs a WebSocket: look what stands between this page and the server",
  });

/** Passes on how long the server wants to be left alone. */
function away(event: Event): Event {
  if (event.type !== "disconnected" || !(event.error instanceof ComeBack)) return event;
  return { ...event, retryAfter: event.error.after };
}
