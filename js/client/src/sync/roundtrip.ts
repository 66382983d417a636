import { TidemarkError } from "../error.ts";
import { type Down, decodeDown, isAside } from "../wire/down.ts";
import { Shorthand } from "../wire/shorthand.ts";
import { encodeUp, type Hello, type Up } from "../wire/up.ts";
import type { Address } from "./address.ts";
import { isType, unexpected, unreachable } from "./answer.ts";
import { type Emit, headersOf, type Link, type Tokens, type Ways } from "./transport.ts";

/** How long the server may hold an answer that has no news. */
const POLL_WAIT = 25_000;
/** For one round trip. */
const TRIP_LIMIT = 120_000;
const REST_FIRST = 100;
const REST_MOST = 5_000;

/** What a link of requests needs of the shell. */
export interface TripHost {
  readonly address: Address;
  readonly ways: Ways;
  readonly tokens: Tokens;
  /** A hello of the state that the file has when all that came is dealt with. */
  hello(): Promise<Hello>;
}

/**
 * A link made of HTTP requests, one at a time. Each is a session of its own: it
 * begins with a hello of the state that the file has then, so acknowledgements
 * need not be sent. While nothing is to be sent, a request waits at the server
 * for news, and is broken off when something comes up.
 */
export class RoundTrips implements Link {
  readonly #host: TripHost;
  readonly #emit: Emit;
  /** Took the place of a WebSocket that did not work. */
  readonly #instead: boolean;
  #proved = false;
  #queue: Up[] = [];
  #running: AbortController | null = null;
  /** The request that runs has nothing to say but hello, and waits for news. */
  #waits = false;
  #rest = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #closed = false;

  constructor(host: TripHost, emit: Emit, instead: boolean) {
    this.#host = host;
    this.#emit = emit;
    this.#instead = instead;
  }

  send(messages: readonly Up[]): void {
    this.#queue.push(...messages.filter((m) => m.type !== "ack" && m.type !== "token"));
    if (this.#running === null) this.#next();
    else if (this.#waits && this.#queue.length > 0) this.#running.abort();
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
    this.#running?.abort();
  }

  /** Begins the next request: one with what is queued, else one that waits. */
  #next(): void {
    if (this.#closed || this.#running !== null) return;
    clearTimeout(this.#timer);
    this.#running = new AbortController();
    this.#waits = false;
    void this.#begin(this.#running);
  }

  async #begin(ctl: AbortController): Promise<void> {
    const greets = this.#queue[0]?.type === "hello";
    const messages: Up[] = [];
    try {
      if (!greets) messages.push(await this.#host.hello());
    } catch (error) {
      if (!this.#closed) this.#emit({ type: "disconnected", error });
      this.close();
      return;
    }
    if (this.#closed) return;
    // From here on nothing comes between: who sends now finds out whether this request waits.
    messages.push(...this.#queue.splice(0, greets || this.#host.ways.small ? 1 : this.#queue.length));
    this.#waits = messages.length === 1 && !greets;
    const up = new Shorthand();
    const body = messages.map((m) => `${encodeUp(up.up(m))}\n`).join("");
    await this.#trip(body, ctl, this.#waits);
  }

  async #trip(body: string, ctl: AbortController, waited: boolean): Promise<void> {
    const began = Date.now();
    const limit = setTimeout(() => ctl.abort(), TRIP_LIMIT);
    let error: TidemarkError | null = null;
    let news = false;
    let broken = false;
    try {
      const resp = await fetch(this.#host.address.at(waited ? `sync?wait=${POLL_WAIT / 1000}s` : "sync"), {
        method: "POST",
        headers: { "Content-Type": "application/x-ndjson", ...(await headersOf(this.#host.tokens)) },
        body,
        signal: ctl.signal,
      });
      if (resp.ok && isType(resp, "ndjson")) news = await this.#read(resp);
      else {
        error = await unexpected("sync", resp);
        if (resp.status === 413) {
          this.#host.ways.small = true;
          error = new TidemarkError("offline", error.message, error.detail);
        }
      }
    } catch (err) {
      broken = waited && ctl.signal.aborted && Date.now() - began < TRIP_LIMIT;
      error = broken ? null : unreachable("sync", err);
    }
    clearTimeout(limit);
    this.#running = null;
    if (!this.#closed) this.#ended(error, broken, waited, news, Date.now() - began);
  }

  #ended(error: TidemarkError | null, broken: boolean, waited: boolean, news: boolean, took: number): void {
    if (error !== null) {
      if (this.#instead && !this.#proved) this.#host.ways.unblock();
      this.close();
      this.#emit({ type: "disconnected", error });
      return;
    }
    if (!broken && !this.#proved) {
      this.#proved = true;
      if (this.#instead) this.#host.ways.block(Date.now()); // it was the WebSocket alone that did not work
    }
    if (this.#queue.length > 0 || !waited || news || took > POLL_WAIT / 4) {
      this.#rest = 0;
      this.#next();
      return;
    }
    // The server did not wait: do not ask it as fast as the line allows.
    this.#rest = Math.min(Math.max(2 * this.#rest, REST_FIRST), REST_MOST);
    this.#timer = setTimeout(() => this.#next(), this.#rest);
  }

  /** Passes the messages on as they come; whether the server told more than it says every time. */
  async #read(resp: Response): Promise<boolean> {
    const down = new Shorthand();
    let news = false;
    const take = (line: string): void => {
      if (line.trim() === "" || this.#closed) return;
      let message: Down | null = null;
      try {
        message = down.down(decodeDown(line));
      } catch {
        message = null;
      }
      news ||= message === null || !["welcome", "schema", "leases"].includes(message.type);
      this.#emit(isAside(message) ? { type: "aside", message } : { type: "received", message });
    };
    const reader = resp.body!.pipeThrough(new TextDecoderStream()).getReader();
    let rest = "";
    for (let part = await reader.read(); !part.done; part = await reader.read()) {
      const lines = (rest + part.value).split("\n");
      rest = lines.pop()!;
      lines.forEach(take);
    }
    take(rest);
    return news;
  }
}
