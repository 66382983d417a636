import type { CallOptions } from "../options.ts";
import { SLOTS } from "../worker/slots.ts";
import { closed, decodeError, late } from "./errors.ts";
import type { Down, Method, Methods, Up } from "./messages.ts";

/** Calls that take as long as it takes. */
const PATIENT: readonly Method[] = [
  "watch",
  "unwatch",
  "ready",
  "sync",
  "flushed",
  "caughtUp",
  "verify",
  "exportFile",
  "wipe",
  "subscribe",
  "unsubscribe",
  "whole",
];

/** Calls whose answers the worker remembers, so that they are never done twice. */
const WRITES: readonly Method[] = ["exec", "transaction", "resolve"];

/** Calls that change nothing. */
const READS: readonly Method[] = ["query", "pending", "rejected", "conflicts", "export", "scopes", "inspect"];

/** Calls that are to find what writes before them did. */
const BEHIND: readonly Method[] = [...WRITES, ...READS, "flushed", "exportFile"];

/** Writes that are under way at most: the worker remembers twice as many answers. */
const MOST = SLOTS / 2;

/** A call that has no answer yet. */
interface Asked {
  readonly id: number;
  readonly method: Method;
  readonly args: unknown;
  /** When it is over, by performance.now. */
  readonly until: number;
  readonly done: (result: unknown) => void;
  readonly fail: (err: unknown) => void;
  /** The worker that it was sent to, "" for none. */
  sent: string;
}

/** The calls of one tab: each gets its answer, from whichever worker leads, or ends in time. */
export class Link {
  readonly tab: string;
  /** The worker that leads, "" while none is known. */
  leader = "";
  /** What calls wait for, in words; "" where that is not known. */
  why = (): string => "";
  readonly #deadline: number;
  readonly #post: (leader: string, up: Up) => void;
  readonly #asked = new Map<number, Asked>();
  #reads = 0;
  #writes = 0;
  #writing = 0;
  /** Some calls wait in order until writes before them have their answers. */
  #holding = false;
  /** Why no call is taken any more. */
  #ended: unknown = null;

  constructor(tab: string, deadline: number, post: (leader: string, up: Up) => void) {
    this.tab = tab;
    this.#deadline = deadline;
    this.#post = post;
  }

  /** Whether somebody waits for an answer. */
  get busy(): boolean {
    return this.#asked.size > 0;
  }

  call<M extends Method>(method: M, args: Methods[M][0], options: CallOptions = {}): Promise<Methods[M][1]> {
    return new Promise((resolve, reject) => {
      const { signal } = options;
      if (this.#ended) throw this.#ended;
      signal?.throwIfAborted();
      const writes = WRITES.includes(method);
      const left = PATIENT.includes(method)
        ? (options.deadline ?? Number.POSITIVE_INFINITY)
        : (options.deadline ?? this.#deadline);
      const id = writes ? ++this.#writes : -++this.#reads;
      const timeout = (): void => {
        const why = this.why();
        this.#give(id, late(`no answer came within ${left} ms${why && `: ${why}`}`, READS.includes(method)));
      };
      const timer = left < 2 ** 31 ? setTimeout(timeout, left) : undefined;
      const abort = (): void => this.#give(id, signal?.reason);
      const end = (): void => {
        clearTimeout(timer);
        signal?.removeEventListener("abort", abort);
        this.#asked.delete(id);
        if (writes) this.#writing--;
        if (this.#holding) this.#sendOn(false);
      };
      const asked: Asked = {
        id,
        method,
        args,
        until: performance.now() + left,
        sent: "",
        // The worker answers each method with its own result.
        done: (result) => {
          end();
          resolve(result as Methods[M][1]);
        },
        fail: (err) => {
          end();
          reject(err);
        },
      };
      signal?.addEventListener("abort", abort);
      this.#asked.set(id, asked);
      if (writes && ++this.#writing > MOST) this.#holding = true;
      if (!this.#holding || !BEHIND.includes(method)) this.#send(asked);
    });
  }

  /** Another worker leads: what has no answer is asked again, under the same numbers. */
  follow(leader: string): void {
    this.leader = "";
    for (const a of [...this.#asked.values()]) {
      if (a.method === "watch" || a.method === "unwatch") a.fail(closed()); // live queries are asked for anew
    }
    this.leader = leader;
    this.#sendOn(true);
  }

  take(down: Extract<Down, { type: "answer" }>): void {
    const a = this.#asked.get(down.id);
    if (!a) return;
    if ("error" in down) a.fail(decodeError(down.error));
    else a.done(down.result);
  }

  /** Every call fails from here on. */
  end(err: unknown): void {
    this.#ended = err;
    this.leader = "";
    for (const a of [...this.#asked.values()]) a.fail(err);
  }

  #send(a: Asked): void {
    if (this.leader === "") return;
    const again = a.sent !== "";
    a.sent = this.leader;
    const left = a.until - performance.now();
    this.#post(this.leader, { type: "call", tab: this.tab, id: a.id, method: a.method, args: a.args, left, again });
  }

  /** Sends what was not sent yet, or everything again, as far as it need not wait. */
  #sendOn(again: boolean): void {
    let writing = 0;
    this.#holding = false;
    for (const a of this.#asked.values()) {
      if (a.id > 0 && ++writing > MOST) this.#holding = true;
      if (this.#holding && !again) return; // the rest waits or is sent
      if ((again || a.sent === "") && !(this.#holding && BEHIND.includes(a.method))) this.#send(a);
    }
  }

  #give(id: number, err: unknown): void {
    const a = this.#asked.get(id);
    if (!a) return;
    if (a.sent !== "") this.#post(a.sent, { type: "cancel", tab: this.tab, id });
    a.fail(err);
  }
}
