import type { Progress } from "../database.ts";
import { TidemarkError } from "../error.ts";
import { headerBytes, headerRows, headerState, parseState, type SpaceState } from "../wire/state.ts";
import type { Address } from "./address.ts";
import { isType, unexpected, unreachable } from "./answer.ts";
import { headersOf, type Tokens } from "./transport.ts";

/** How long a download may stand still. */
const STALL = 60_000;
/** For one small answer. */
const SHORTLY = 30_000;
const PAUSE_FIRST = 500;
const PAUSE_MOST = 10_000;

/** What is known of a download, so that it can go on later. */
export interface Notes {
  readonly address: string;
  readonly etag: string;
  readonly state: string;
  readonly rows: number;
  /** Bytes to download; 0: not known. */
  readonly size: number;
  /** Bytes of the file. */
  readonly unpacked: number;
}

/** Where the parts of a download are kept while it is under way. */
export interface Parts {
  notes: Notes | null;
  /** What is there, in order. */
  read(): AsyncIterable<Uint8Array>;
  begin(notes: Notes): void;
  add(part: Uint8Array): void;
  clear(): void;
}

/** A snapshot that comes in. */
export interface Snapshot {
  readonly state: SpaceState;
  readonly notes: Notes;
  /** The next piece of the unpacked file; undefined behind the last. */
  next(): Promise<Uint8Array | undefined>;
}

/** The snapshot on the server is another by now: begin again. */
export class Replaced extends Error {}

/** Asks for a small answer in JSON. */
export async function ask(url: string, tokens: Tokens, signal: AbortSignal): Promise<string> {
  let resp: Response;
  try {
    const late = AbortSignal.any([signal, AbortSignal.timeout(SHORTLY)]);
    resp = await fetch(url, { headers: await headersOf(tokens), signal: late, cache: "no-cache" });
    if (resp.ok && isType(resp, "json")) return await resp.text();
  } catch (err) {
    throw unreachable("connect", err, url);
  }
  throw await unexpected("connect", resp);
}

/** The schema that the space has now, as the server sends it. */
export async function currentSchema(
  address: Address,
  tokens: Tokens,
  signal: AbortSignal,
): Promise<{ schema: string; incarnation: string }> {
  const { schema, incarnation } = infoOf(await ask(address.base, tokens, signal), address.base);
  return { schema: await schemaOf(address, schema, tokens, signal), incarnation };
}

/** What a server says of a space; others answer in JSON, too. */
function infoOf(text: string, at: string): { schema: string; incarnation: string } {
  try {
    const { schema, incarnation } = JSON.parse(text);
    if (typeof schema === "string" && typeof incarnation === "string") return { schema, incarnation };
  } catch {
    // It is not even JSON.
  }
  throw new TidemarkError("offline", `what answers at ${at} is no Tidemark server`, {
    op: "connect",
    hint: "check the address; a proxy or a sign-in page may stand in between",
  });
}

export function schemaOf(address: Address, hash: string, tokens: Tokens, signal: AbortSignal): Promise<string> {
  return ask(address.at(`schema/${hash}`), tokens, signal);
}

/** Downloads one snapshot; where the connection breaks it goes on from there. */
export class Download {
  readonly #address: Address;
  readonly #tokens: Tokens;
  readonly #signal: AbortSignal;
  readonly #progress: (p: Progress) => void;
  readonly #parts: Parts;
  #notes: Notes | null;
  #have = 0;
  #told = 0;

  constructor(address: Address, tokens: Tokens, signal: AbortSignal, parts: Parts, progress: (p: Progress) => void) {
    this.#address = address;
    this.#tokens = tokens;
    this.#signal = signal;
    this.#parts = parts;
    this.#progress = progress;
    this.#notes = parts.notes?.address === address.base ? parts.notes : null;
  }

  /** Begins, or goes on with what is there. */
  async start(): Promise<Snapshot> {
    const packed = this.#packed();
    const first = await packed.next();
    const notes = this.#notes!;
    const state = parseState(notes.state);
    const source = new ReadableStream<BufferSource>({
      start: (c) => {
        if (!first.done) c.enqueue(first.value);
      },
      pull: async (c) => {
        const { done, value } = await packed.next();
        if (done) c.close();
        else c.enqueue(value);
      },
    });
    const reader = source.pipeThrough(new DecompressionStream("gzip")).getReader();
    const next = async (): Promise<Uint8Array | undefined> => {
      const { value } = await reader.read();
      return value;
    };
    return { state, notes, next };
  }

  /** The packed bytes, over as many requests as it takes. */
  async *#packed(): AsyncGenerator<Uint8Array<ArrayBuffer>, void> {
    if (this.#notes !== null) {
      for await (const part of this.#parts.read()) {
        this.#count(part);
        yield part as Uint8Array<ArrayBuffer>;
      }
    }
    for (let pause = PAUSE_FIRST; !this.#complete(); pause = Math.min(2 * pause, PAUSE_MOST)) {
      const before = this.#have;
      try {
        for await (const part of this.#request()) {
          this.#parts.add(part);
          this.#count(part);
          yield part;
        }
        continue;
      } catch (err) {
        if (this.#notes === null || this.#signal.aborted || !(err instanceof TidemarkError) || err.code !== "offline")
          throw err;
      }
      if (this.#have > before) pause = PAUSE_FIRST;
      await new Promise((resolve) => setTimeout(resolve, pause));
    }
  }

  #complete(): boolean {
    return this.#notes !== null && this.#have === this.#notes.size;
  }

  async *#request(): AsyncGenerator<Uint8Array<ArrayBuffer>, void> {
    const ctl = new AbortController();
    const stop = (): void => ctl.abort();
    this.#signal.addEventListener("abort", stop);
    let stalled = setTimeout(stop, STALL);
    try {
      const headers: Record<string, string> = { Accept: "application/gzip", ...(await headersOf(this.#tokens)) };
      if (this.#have > 0) Object.assign(headers, { Range: `bytes=${this.#have}-`, "If-Range": this.#notes!.etag });
      const resp = await fetch(this.#address.at("snapshot"), { headers, signal: ctl.signal, cache: "no-store" });
      await this.#accept(resp);
      const reader = resp.body!.getReader();
      for (let part = await reader.read(); !part.done; part = await reader.read()) {
        clearTimeout(stalled);
        stalled = setTimeout(stop, STALL);
        yield part.value;
      }
      const notes = this.#notes!;
      if (notes.size === 0) this.#notes = { ...notes, size: this.#have }; // nobody said how much would come
      if (!this.#complete()) throw new Error("the download broke off");
    } catch (err) {
      if (err instanceof Replaced) throw err;
      throw unreachable("clone", err, this.#address.base);
    } finally {
      clearTimeout(stalled);
      this.#signal.removeEventListener("abort", stop);
    }
  }

  /** Takes down which snapshot begins to come, or makes sure that it is the rest of the one that began. */
  async #accept(resp: Response): Promise<void> {
    if (resp.status === 206 && resp.headers.get("Content-Range")?.startsWith(`bytes ${this.#have}-`)) return;
    const state = resp.headers.get(headerState);
    if (resp.status === 416 || (resp.status === 200 && this.#have > 0)) {
      this.#parts.clear();
      throw new Replaced();
    }
    if (resp.status !== 200 || !state) throw await unexpected("clone", resp);
    this.#notes = {
      address: this.#address.base,
      etag: resp.headers.get("ETag") ?? "",
      state,
      rows: Number(resp.headers.get(headerRows)),
      size: Number(resp.headers.get("Content-Length")),
      unpacked: Number(resp.headers.get(headerBytes)),
    };
    this.#parts.begin(this.#notes);
  }

  #count(part: Uint8Array): void {
    this.#have += part.length;
    const now = Date.now();
    if (now - this.#told < 100 && !this.#complete()) return;
    this.#told = now;
    const { size, rows } = this.#notes!;
    this.#progress({
      stage: "download",
      bytes: this.#have,
      total: size,
      rows: size > 0 ? Math.floor((rows * this.#have) / size) : 0,
    });
  }
}
