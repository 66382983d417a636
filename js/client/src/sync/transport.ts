import type { TidemarkError } from "../error.ts";
import type { Event } from "../replica/loop.ts";
import type { Aside } from "../wire/down.ts";
import type { Up } from "../wire/up.ts";

/** A connection to the server, as the sync loop thinks of one. */
export interface Link {
  send(messages: readonly Up[]): void;
  /** Nothing is emitted afterwards. */
  close(): void;
}

/** Takes what happens on a link: what the loop is to hear, and what is the shell's alone. */
export type Emit = (event: Event | { readonly type: "aside"; readonly message: Aside }) => void;

/** Gives the token that says who is there, "" for none. */
export type Tokens = () => Promise<string>;

/** The headers of a request that carry it. */
export async function headersOf(tokens: Tokens): Promise<Record<string, string>> {
  const token = await tokens();
  const headers: Record<string, string> = {};
  if (token !== "") headers.Authorization = `Bearer ${token}`;
  return headers;
}

/** What became of an attempt to connect by WebSocket. */
export interface Refused {
  readonly error: TidemarkError;
  /** Whether plain HTTP may do where this did not. */
  readonly mayFallBack: boolean;
}

/** How long a WebSocket that does not work is not tried again, milliseconds. */
const BLOCKED_FOR = 5 * 60_000;

/** Sockets in a row that died before the server said a word. */
const DEATHS_UNTIL = 2;

/** Remembers which way to the server works. */
export class Ways {
  /** Something in between takes small bodies only. */
  small = false;
  #blocked = 0;
  #deaths = 0;

  /** Whether a WebSocket is worth a try. */
  socket(now: number): boolean {
    return now >= this.#blocked;
  }

  /** Keeps to HTTP for a while. */
  block(now: number): void {
    this.#blocked = now + BLOCKED_FOR;
    this.#deaths = 0;
  }

  /** Plain HTTP does not work either, so the WebSocket was not to blame. */
  unblock(): void {
    this.#blocked = 0;
  }

  /** Notes the end of a socket: one on which the server never spoke was perhaps cut by something in between. */
  died(spoke: boolean, now: number): void {
    if (spoke) this.#deaths = 0;
    else if (++this.#deaths >= DEATHS_UNTIL) this.block(now);
  }
}
