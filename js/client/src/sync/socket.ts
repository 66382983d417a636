import { TidemarkError } from "../error.ts";
import { decodeDown, isAside } from "../wire/down.ts";
import { Shorthand } from "../wire/shorthand.ts";
import { encodeUp, type Up } from "../wire/up.ts";
import { subprotocol } from "../wire/wire.ts";
import type { Address } from "./address.ts";
import { isType, unexpected, unreachable } from "./answer.ts";
import { type Emit, headersOf, type Link, type Refused, type Tokens, type Ways } from "./transport.ts";

const HANDSHAKE = 10_000;

/**
 * How often a line is looked at, milliseconds, and after how many looks without a word it is given up. A server beats at
 * least every 40 s; the browser keeps its pings to itself. Looks are counted and not time: where timers are slowed down, or
 * stood still, what came meanwhile is heard before the next look.
 */
const LOOK = 10_000;
const QUIET = 8;

/** A link over a WebSocket, one message per text frame. */
class Socket implements Link {
  readonly #ws: WebSocket;
  readonly #emit: Emit;
  readonly #ways: Ways;
  readonly #up = new Shorthand();
  readonly #down = new Shorthand();
  readonly #token: string;
  #spoke = false;
  #closed = false;
  #quiet = 0; // looks in a row
  readonly #look = setInterval(() => ++this.#quiet > QUIET && this.#silent(), LOOK);

  constructor(ws: WebSocket, token: string, emit: Emit, ways: Ways) {
    this.#token = token;
    this.#ws = ws;
    this.#emit = emit;
    this.#ways = ways;
    ws.onmessage = (e) => this.#read(e.data);
    ws.onclose = () => this.#ended();
  }

  send(messages: readonly Up[]): void {
    for (const m of messages) {
      // A browser's socket has no headers: the first message says who is there.
      const full = m.type === "hello" ? { ...m, token: this.#token } : m;
      this.#ws.send(encodeUp(this.#up.up(full)));
    }
  }

  close(): void {
    this.#over();
    this.#ws.close();
  }

  #read(data: unknown): void {
    if (this.#closed) return;
    this.#quiet = 0;
    let message = null;
    try {
      if (typeof data === "string") {
        message = this.#down.down(decodeDown(data));
        this.#spoke = true;
      }
    } catch {
      message = null;
    }
    if (message?.type === "outcomes" && message.list.length === 0) return; // a beat
    this.#emit(isAside(message) ? { type: "aside", message } : { type: "received", message });
  }

  #over(): void {
    this.#closed = true;
    clearInterval(this.#look);
  }

  #silent(): void {
    this.#ended("nothing is heard any more");
    this.#ws.close();
  }

  #ended(why = "the connection ended"): void {
    if (this.#closed) return;
    this.#over();
    this.#ways.died(this.#spoke, Date.now());
    this.#emit({ type: "disconnected", error: unreachable("connect", new Error(why)) });
  }
}

/** Opens a socket; what goes wrong is explained by asking once without one, since a browser does not tell. */
export async function dialSocket(
  address: Address,
  emit: Emit,
  ways: Ways,
  tokens: Tokens,
  signal: AbortSignal,
): Promise<Link | Refused> {
  const token = await tokens();
  let ws: WebSocket;
  try {
    ws = new WebSocket(address.socket, subprotocol);
  } catch {
    return explain(address, tokens, signal); // the page may open none
  }
  return new Promise((resolve) => {
    const late = setTimeout(() => ws.close(), HANDSHAKE);
    signal.addEventListener("abort", () => ws.close());
    ws.onopen = () => {
      clearTimeout(late);
      if (ws.protocol === subprotocol) {
        resolve(new Socket(ws, token, emit, ways));
        return;
      }
      ws.close();
      const error = new TidemarkError("protocol", `the server does not speak ${subprotocol}`, { op: "connect" });
      resolve({ error, mayFallBack: true });
    };
    ws.onclose = async () => {
      clearTimeout(late);
      resolve(await explain(address, tokens, signal));
    };
  });
}

async function explain(address: Address, tokens: Tokens, signal: AbortSignal): Promise<Refused> {
  try {
    const resp = await fetch(address.base, { headers: await headersOf(tokens), signal, cache: "no-store" });
    if (!resp.ok || !isType(resp, "json")) {
      const error = await unexpected("connect", resp);
      return { error, mayFallBack: error.code === "offline" };
    }
  } catch (err) {
    return { error: unreachable("connect", err, address.base), mayFallBack: false };
  }
  // The server is there: it is the WebSocket that does not pass.
  return { error: unreachable("connect", null), mayFallBack: true };
}
