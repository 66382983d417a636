import { NO_SESSION, type PresenceNews, partOf, type Session } from "../tabs/presence.ts";
import type { Aside } from "../wire/down.ts";
import type { Peer } from "../wire/presence.ts";
import type { Up } from "../wire/up.ts";
import { errorInfo } from "./views.ts";

/** Between two messages with states. */
const PAUSE = 34;

/** How long peers are known without a session. */
const FORGET = 30_000;

/** A tab's state in a scope. */
interface Part {
  readonly tab: string;
  readonly scope: string;
  state: string | null;
  /** The server is to be told. */
  dirty: boolean;
}

const message = (scope: string, state: string | null, tab: string): Up => ({
  type: "presence",
  scope,
  state,
  part: partOf(tab),
});

/** The presence of all tabs: they are parts of one replica, in its one session. */
export class Presences {
  readonly #say: (messages: readonly Up[]) => boolean;
  readonly #tell: (news: PresenceNews) => void;
  readonly #parts = new Map<string, Part>();
  readonly #peers = new Map<string, Map<string, Peer>>();
  #session = NO_SESSION;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #forget: ReturnType<typeof setTimeout> | undefined;
  #last = 0;

  constructor(say: (messages: readonly Up[]) => boolean, tell: (news: PresenceNews) => void) {
    this.#say = say;
    this.#tell = tell;
  }

  /** A tab has another state in a scope; null: it leaves. */
  set(tab: string, scope: string, state: string | null): void {
    const name = `${tab} ${scope}`;
    const part = this.#parts.get(name);
    if (!part && state === null) return;
    if (part) {
      part.state = state;
      part.dirty = true;
    } else {
      this.#parts.set(name, { tab, scope, state, dirty: true });
      // It may be the second one: the server does not tell us again what we know.
      this.#tell(this.#session);
      const list = [...(this.#peers.get(scope)?.values() ?? [])];
      if (list.length > 0) this.#tell({ type: "peers", scope, all: true, list });
    }
    // A page that goes has no time.
    if (state === null) this.#flush();
    else this.#soon();
  }

  /** Says something now; what was set before it goes first. */
  cast(tab: string, scope: string, body: string): boolean {
    this.#flush();
    return this.#say([{ type: "cast", scope, body, part: partOf(tab) }]);
  }

  /** A tab is gone. */
  leave(tab: string): void {
    for (const p of this.#parts.values()) if (p.tab === tab) this.set(tab, p.scope, null);
  }

  /** The database is wiped: everyone leaves. */
  end(): void {
    for (const p of [...this.#parts.values()]) this.leave(p.tab);
    this.stop();
  }

  /** The connection is cut on purpose: everyone leaves and comes back with the next. */
  part(): void {
    this.#say([...this.#parts.values()].map(({ scope, tab }) => message(scope, null, tab)));
  }

  /** A scope is granted: what was declined as long as it was not is said again. */
  gained(scope: string): void {
    for (const p of this.#parts.values()) if (p.scope === scope) p.dirty = true;
    this.#soon();
  }

  stop(): void {
    clearTimeout(this.#timer);
    clearTimeout(this.#forget);
  }

  /** There is a session: everything is said again. */
  welcome(replica: string): void {
    clearTimeout(this.#forget);
    this.#meet({ type: "session", replica, error: null });
    for (const p of this.#parts.values()) p.dirty = true;
    this.#flush();
  }

  /** There is no session in which anybody can be present. */
  gone(err: unknown): void {
    if (this.#session.replica !== "") this.#forget = setTimeout(() => this.#forgetAll(), FORGET);
    this.#meet({ type: "session", replica: "", error: errorInfo(err) });
  }

  #meet(session: Session): void {
    const { replica, error } = this.#session;
    const same = replica === session.replica && error?.message === session.error?.message;
    this.#session = session;
    if (!same && this.#parts.size > 0) this.#tell(session);
  }

  #forgetAll(): void {
    for (const scope of this.#peers.keys()) this.#tell({ type: "peers", scope, all: true, list: [] });
    this.#peers.clear();
  }

  receive(m: Aside): void {
    if (m.type === "renewed") return;
    if (m.type === "peers") {
      const peers = m.all ? new Map<string, Peer>() : (this.#peers.get(m.scope) ?? new Map<string, Peer>());
      this.#peers.set(m.scope, peers);
      for (const p of m.list) {
        if (p.state === null) peers.delete(p.id);
        else peers.set(p.id, p);
      }
    }
    if (m.type === "declined" && m.code === "forbidden") this.#peers.delete(m.scope);
    this.#tell(m);
  }

  #soon(): void {
    this.#timer ??= setTimeout(() => this.#flush(), Math.max(0, this.#last + PAUSE - performance.now()));
  }

  /** Tells the server what is new, if there is a session; if not, it is told when there is. */
  #flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const news: Up[] = [];
    for (const [name, p] of this.#parts) {
      if (p.dirty) news.push(message(p.scope, p.state, p.tab));
      p.dirty = false;
      if (p.state === null) this.#parts.delete(name);
    }
    if (this.#parts.size === 0) this.#peers.clear();
    if (news.length === 0) return;
    this.#last = performance.now();
    if (this.#session.replica !== "") this.#say(news);
  }
}
