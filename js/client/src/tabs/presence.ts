import type { ErrorInfo } from "../database.ts";
import { TidemarkError } from "../error.ts";
import type { Cast, Peer, Presence } from "../presence.ts";
import type { Declined, Heard, Peers } from "../wire/down.ts";
import { MAX_CAST, MAX_STATE } from "../wire/presence.ts";
import { type Listeners, listen, tell } from "./listeners.ts";

/** What the worker that leads tells of presence. */
export type PresenceNews = Peers | Heard | Declined | Session;

/** Whether there is a session in which one can be present. */
export interface Session {
  readonly type: "session";
  /** Name of the replica in it, "" for none. */
  readonly replica: string;
  /** Why there is none. */
  readonly error: ErrorInfo | null;
}

export const NO_SESSION: Session = {
  type: "session",
  replica: "",
  error: { code: "offline", message: "not connected", hint: "" },
};

/** What the presence of a tab needs of the tab. */
export interface PresenceDoor {
  readonly tab: string;
  /** Has the worker know the tab's state in a scope, null for none. Resolves when it knows. */
  present(scope: string, state: string | null): Promise<unknown>;
  cast(scope: string, body: string): Promise<unknown>;
}

/** The name of a tab among the states of one replica: the end of its id, which is random; the beginning is the time. */
export const partOf = (tab: string): string => tab.slice(-12);

const NOT_JOINED: ErrorInfo = { code: "usage", message: "this tab has not joined", hint: "call join first" };

/** The presence of one tab, by scope. */
export class TabPresences {
  readonly #door: PresenceDoor;
  readonly #scopes = new Map<string, TabPresence>();
  #session = NO_SESSION;

  constructor(door: PresenceDoor) {
    this.#door = door;
  }

  of<S extends object>(scope: string): Presence<S> {
    let p = this.#scopes.get(scope);
    if (!p) {
      p = new TabPresence(scope, this.#door);
      p.meet(this.#session);
      this.#scopes.set(scope, p);
    }
    // What states look like is the app's to say.
    return p as unknown as Presence<S>;
  }

  receive(news: PresenceNews): void {
    if (news.type === "session") {
      this.#session = news;
      for (const p of this.#scopes.values()) p.meet(news);
    } else this.#scopes.get(news.scope)?.take(news);
  }

  /** The page goes, or is put away: the others see it leave. When it is back it says everything again. */
  rest(): void {
    for (const p of this.#scopes.values()) p.rest();
  }

  /** Another worker leads: it is told everything. */
  reconnect(): void {
    for (const p of this.#scopes.values()) p.again();
  }

  close(): void {
    for (const p of this.#scopes.values()) p.leave();
  }
}

type State = Record<string, unknown>;

class TabPresence implements Presence<State> {
  readonly scope: string;
  peers: readonly Peer<State>[] = [];
  readonly #door: PresenceDoor;
  readonly #listeners: Listeners<readonly Peer<State>[]> = new Set();
  readonly #hearers: Listeners<Cast> = new Set();
  /** By id, with the text of each state. */
  #known = new Map<string, { readonly text: string; readonly peer: Peer<State> }>();
  #state: string | null = null;
  #session: Session | null = null;
  #declined: ErrorInfo | null = null;
  /** A state is on its way to the worker. */
  #busy = false;
  #dirty = false;

  constructor(scope: string, door: PresenceDoor) {
    this.scope = scope;
    this.#door = door;
  }

  get error(): ErrorInfo | null {
    return this.#state === null ? NOT_JOINED : (this.#declined ?? this.#session?.error ?? null);
  }

  join(state: State = {}): void {
    this.#set(stateText(state));
  }

  update(state: State): void {
    const text = stateText(state);
    if (this.#state === null) throw failure(NOT_JOINED);
    this.#set(text);
  }

  leave(): void {
    if (this.#state === null) return;
    this.#known.clear();
    this.#set(null);
    this.#changed();
  }

  cast(body: unknown): void {
    const text = jsonOf(body, MAX_CAST);
    if (this.#state === null) throw failure(NOT_JOINED);
    this.#declined = null;
    this.#door.cast(this.scope, text).catch((err) => this.#refused(err));
  }

  onChange(fn: (peers: readonly Peer<State>[]) => void): () => void {
    return listen(this.#listeners, fn);
  }

  onCast(fn: (cast: Cast) => void): () => void {
    return listen(this.#hearers, fn);
  }

  again(): void {
    if (this.#state === null) return;
    this.#dirty = true;
    void this.#send();
  }

  rest(): void {
    if (this.#state === null) return;
    this.#dirty = false;
    this.#door.present(this.scope, null).catch(() => {}); // nobody is left to hear of it
  }

  meet(session: Session): void {
    const old = this.#session;
    this.#session = session;
    if (old?.replica !== session.replica || old.error?.message !== session.error?.message) this.#changed();
  }

  take(m: Peers | Heard | Declined): void {
    if (this.#state === null) return;
    const mine = m.type === "declined" ? m.part === partOf(this.#door.tab) : m.type === "heard" && m.id === this.#me();
    if (m.type === "heard") {
      if (mine) return;
      tell(this.#hearers, { from: m.id, principal: m.principal, body: JSON.parse(m.body ?? "null") as unknown });
    } else if (m.type === "peers") this.#takePeers(m);
    else if (mine) {
      if (m.code === "forbidden") this.#known.clear(); // the grant went, and with it who is there
      // The server's codes are ours.
      this.#refused(new TidemarkError(m.code as ErrorInfo["code"], m.message, { hint: m.hint }));
    }
  }

  #takePeers(m: Peers): void {
    const old = this.#known;
    if (m.all) {
      this.#known = new Map();
      this.#declined = null;
    }
    for (const { id, principal, state } of m.list) {
      const before = old.get(id);
      if (state === null) this.#known.delete(id);
      else if (before?.text === state && before.peer.principal === principal) this.#known.set(id, before);
      // The reader has seen that it is JSON; that it is an object the server sees to.
      else this.#known.set(id, { text: state, peer: { id, principal, state: JSON.parse(state) as State, me: false } });
    }
    this.#changed();
  }

  #set(state: string | null): void {
    this.#state = state;
    this.#declined = null;
    this.#dirty = true;
    void this.#send();
  }

  /** One state at a time is on its way; of those set meanwhile the newest goes next. */
  async #send(): Promise<void> {
    if (this.#busy) return;
    this.#busy = true;
    while (this.#dirty) {
      this.#dirty = false;
      await this.#door.present(this.scope, this.#state).catch((err) => this.#refused(err));
    }
    this.#busy = false;
  }

  #refused(err: unknown): void {
    if (!(err instanceof TidemarkError)) throw err;
    this.#declined = { code: err.code, message: err.message, hint: err.detail.hint ?? "" };
    this.#changed();
  }

  #me(): string {
    return `${this.#session?.replica}:${partOf(this.#door.tab)}`;
  }

  #changed(): void {
    const me = this.#me();
    for (const [id, k] of this.#known) {
      if (k.peer.me !== (id === me)) this.#known.set(id, { ...k, peer: { ...k.peer, me: id === me } });
    }
    const list = [...this.#known.values()].map((k) => k.peer).sort((a, b) => (a.id < b.id ? -1 : 1));
    if (list.length !== this.peers.length || list.some((p, i) => p !== this.peers[i])) this.peers = list;
    tell(this.#listeners, this.peers);
  }
}

function stateText(state: unknown): string {
  const text = jsonOf(state, MAX_STATE);
  if (!text.startsWith("{")) throw new TidemarkError("usage", "a state must be an object");
  return text;
}

function jsonOf(value: unknown, most: number): string {
  // undefined and functions make no JSON, whatever the types say.
  const text = JSON.stringify(value) as string | undefined;
  if (text === undefined) throw new TidemarkError("usage", "it cannot be written as JSON");
  const size = new TextEncoder().encode(text).length;
  if (size <= most) return text;
  throw new TidemarkError("too_large", `${size} bytes of JSON are too many, ${most} are the most`, {
    hint: "put what is large into a table",
  });
}

const failure = (e: ErrorInfo): TidemarkError => new TidemarkError(e.code, e.message, { hint: e.hint });
