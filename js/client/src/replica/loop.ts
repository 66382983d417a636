import type { Outcome, Seq } from "../change.ts";
import type { Code } from "../codes.ts";
import type { TidemarkError } from "../error.ts";
import type { Work } from "../lite/work.ts";
import type { Schema } from "../schema.ts";
import { sameBytes } from "../value.ts";
import type { Batch, Leases, Said, Schema as SchemaMessage, Scopes, Welcome } from "../wire/down.ts";
import type { Hello, Push, Up } from "../wire/up.ts";
import type { Applied } from "./apply.ts";
import { fileError } from "./loop-end.ts";
import { actionFor } from "./loop-table.ts";
import type { Wants } from "./scopes.ts";
import type { Status } from "./status.ts";
import type { Check, Comparer, VerifyReport } from "./verify.ts";

/**
 * Where the sync loop is. Every state but offline, auth needed and stopped has
 * a timer; that of idle only looks now and then whether the server is still there.
 */
export type State = (typeof STATES)[number];

/** The states in the order of the table's columns. */
export const STATES = [
  "offline", // not started, or hung up on purpose
  "dialing", // waiting for a connection
  "greeting", // hello sent
  "catching up", // chunks are coming
  "pushing", // pending sent, waiting for outcomes
  "idle", // connected, live, nothing pending
  "verifying", // comparing ranges with the server
  "backoff", // waiting to dial again
  "auth needed", // the app must bring a new token
  "stopped", // a refusal that coming back will not cure; pending stays
] as const;

/** What happened outside. */
export type Event =
  /** Begin, or begin again after stopped or auth needed; in backoff: dial now. */
  | { readonly type: "start" }
  /** The transport is up. */
  | { readonly type: "connected" }
  /** A message came; null stands for one that cannot be read. */
  | { readonly type: "received"; readonly message: Said | null }
  /** The transport is gone; retryAfter: milliseconds that it was told to stay away. */
  | { readonly type: "disconnected"; readonly error?: unknown; readonly retryAfter?: number }
  /** Somebody may have written into the file. */
  | { readonly type: "local" }
  /** The timer that an effect asked for. */
  | { readonly type: "tick" }
  /** The scopes that are wanted may be others. */
  | { readonly type: "rewant" }
  /** Compare every row with the server. */
  | { readonly type: "verify" }
  /** Stop now; pending stays. */
  | { readonly type: "hangup" };

/** What the shell must do. */
export type Effect =
  /** Connect; answer with connected or disconnected. */
  | { readonly type: "dial" }
  /** In order. */
  | { readonly type: "send"; readonly messages: readonly Up[] }
  /** Close the transport; nothing more of it is wanted, not even disconnected. */
  | { readonly type: "close" }
  /** One timer, in milliseconds; a new one replaces it, 0 or less stops it. */
  | { readonly type: "timer"; readonly after: number }
  /** Tell the app. */
  | { readonly type: "notify"; readonly note: Note };

/** News for the app and for logs. */
export interface Note {
  readonly state: State;
  /** Rows changed, outcomes settled. */
  readonly applied?: Applied;
  /** Why the loop backs off or stopped. */
  readonly error?: TidemarkError;
  /** A verification ended. */
  readonly verify?: VerifyReport;
  /** How many changesets were sealed. */
  readonly sealed?: number;
}

/** Options of Loop; times are in milliseconds. */
export interface LoopOptions {
  /** Jitter. */
  readonly rand: (n: number) => Uint8Array;
  /** First backoff. */
  readonly minDelay?: number;
  /** Cap of the backoff. */
  readonly maxDelay?: number;
  /** How long any answer may take. */
  readonly patience?: number;
  /** How long idle goes without asking the server for its head. */
  readonly keepalive?: number;
  /** Bytes of pushes in flight. */
  readonly pushBytes?: number;
}

const defaults = { minDelay: 200, maxDelay: 30_000, patience: 30_000, keepalive: 300_000, pushBytes: 1 << 20 };

/** What the loop asks of a replica. */
export interface Engine extends Comparer {
  readonly schema: Schema;
  seal(now: number): number;
  unsent(after: number, bytes: number): Push[];
  hello(): Hello;
  welcome(m: Welcome, now: number): Work<Applied | null>;
  takeScopes(m: Scopes, now: number): Work<Applied | null>;
  reidentify(): void;
  saveSchema(m: SchemaMessage, now: number): Work<Applied | null>;
  lease(m: Leases, now: number): void;
  apply(m: Batch, outcomes: Outcome[], now: number): Work<Applied>;
  settle(outcomes: Outcome[], now: number): Work<Applied>;
  status(): Status;
  /** What the replica subscribes to. */
  wants(): Wants;
  /** How often that changed. */
  wanted(): number;
  /** Notes that the server knows it as of then. */
  answered(n: number): void;
  /** Whether scopes that the server listed are not whole. */
  filling(): boolean;
}

/**
 * The sync state machine: one event in, effects out. loop-table.ts says what
 * happens in which state, loop-session.ts how a session goes, and loop-end.ts
 * how it ends. The fields are theirs.
 */
export class Loop {
  readonly e: Engine;
  readonly opts: Required<LoopOptions>;
  state: State = "offline";
  /** The error of the local file (locked, full, damaged) that the last step met; the loop hung up and tries again after a pause. */
  fault: unknown = null;
  /** How often the loop had to begin anew since it was made. */
  retries = 0;
  out: Effect[] = [];

  now = 0; // of the running step
  welcomed = 0; // when the last session began to work
  attempts = 0; // failures in a row since the last progress

  // The session.
  seq: Seq = 0; // checkpoint of the file
  head: Seq = 0; // newest seq that the server told
  limits = { message: 0, changeset: 0, row: 0 }; // what the server takes
  again = 0; // hellos said again without progress between them
  staging = false; // chunks were staged, the last one has not come
  fresh = false; // hello must deny its checkpoint: the server went back

  told = 0; // what wanted gave when the server was told last what is wanted
  heard = 0; // of the last list that it answered with
  filling = false; // scopes are not whole yet

  sent = 0; // highest n pushed in this session
  flying = new Map<number, number>(); // bytes of each push without an outcome
  flight = 0; // their sum
  unsent = false; // pending changesets may be there that were not pushed
  held: Outcome[] = [];
  check: Check | null = null; // the running verification
  wanted = false; // a verification is to be made
  wantCode: Code = "uncaptured"; // what its differences are saved under

  askID = 0; // of the last question, never used twice
  checkFailures = 0; // verifications in a row that did not come to their end
  fruitless = 0; // verifications in a row that found nothing although sums differ

  constructor(engine: Engine, options: LoopOptions) {
    this.e = engine;
    this.opts = { ...defaults, ...options };
  }

  /**
   * Whether everything captured is sealed, has its outcome, the replica is at the
   * head that the server last told, and has the scopes that it was granted of those
   * that it wants. It reads the file.
   */
  settled(): boolean {
    const s = this.e.status();
    const still = s.pending === 0 && !s.unsealed && s.staged === 0 && s.filling === 0 && !s.unasked;
    return still && !s.stopped && s.seq >= s.head;
  }

  /**
   * Takes one event at a time now, in Unix milliseconds; the next one when it is done
   * with this. The effects are to be carried out in order, also when there is a fault.
   */
  *step(now: number, event: Event): Work<Effect[]> {
    const before = this.state;
    this.out = [];
    this.now = now;
    this.fault = null;
    try {
      yield* actionFor(event, before)(this, now, event) ?? [];
    } catch (err) {
      this.fault = err;
      fileError(this, err);
    }
    if (this.state !== before) this.notify();
    return this.out;
  }

  do(e: Effect): void {
    this.out.push(e);
  }

  send(...messages: Up[]): void {
    if (messages.length > 0) this.do({ type: "send", messages });
  }

  notify(news: Omit<Note, "state"> = {}): void {
    this.do({ type: "notify", note: { state: this.state, ...news } });
  }

  /** Changes the state and arms its timer. */
  enter(s: State, after: number): void {
    this.state = s;
    this.do({ type: "timer", after });
  }

  /** Forgets the failures behind us. */
  progressed(): void {
    this.attempts = 0;
    this.again = 0;
  }

  /**
   * Forgets them too when the session that ends now held for a while. A server
   * that welcomes and hangs up at once must not be dialed without a pause.
   */
  lasted(): void {
    if (this.welcomed !== 0 && this.now - this.welcomed >= this.opts.maxDelay) this.progressed();
    this.welcomed = 0;
  }

  /** Takes the held outcomes that hold at seq, in order of n. */
  due(seq: Seq): Outcome[] {
    const ready = this.held.filter((o) => o.seq <= seq);
    this.held = this.held.filter((o) => o.seq > seq);
    return ready.sort((a, b) => a.n - b.n);
  }

  /** Keeps an outcome; one that was told twice is kept once. */
  hold(o: Outcome): void {
    const i = this.held.findIndex((h) => h.n === o.n && h.replica === o.replica && sameBytes(h.hash, o.hash));
    if (i < 0) this.held.push(o);
    else this.held[i] = o;
  }
}

/** The message of a received event. The table hands an event only to the actions of its kind. */
export function messageOf<K extends Said["type"]>(event: Event): Extract<Said, { type: K }> {
  if (event.type !== "received") throw new Error("not a message");
  // kindOf looked at its kind.
  return event.message as Extract<Said, { type: K }>;
}
