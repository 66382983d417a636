import type { MergeFunctions } from "../options.ts";
import { encodeError, late } from "../tabs/errors.ts";
import {
  type Boot,
  type Down,
  downwardOf,
  type Home,
  type Lobby,
  lobbyOf,
  type Method,
  newer,
  type Own,
  type Shared,
  tabLockOf,
  type Up,
  type Upward,
  upwardOf,
} from "../tabs/messages.ts";
import type { Patch } from "../watch/watches.ts";
import { answer } from "./calls.ts";
import { Host, type HostLinks } from "./host.ts";

/** What an app's own worker file may bring. */
export interface ServeOptions {
  /** Functions of policy `custom`, by name: what the server has too, for predictions. */
  readonly merge?: MergeFunctions;
}

/** The globals of a dedicated worker that are used here. */
interface Scope {
  postMessage(message: unknown): void;
  onmessage: ((e: MessageEvent) => void) | null;
  ononline: (() => void) | null;
  close(): void;
}

/** Serves databases to tabs; to be called once, in a dedicated worker, as its first act. */
export function serve(options: ServeOptions = {}): void {
  // The types of a page stand in for those of a worker.
  const scope = globalThis as unknown as Scope;
  let server: Server | null = null;
  scope.onmessage = (e) => {
    // The tab that made the worker is the only one who posts here.
    const m = e.data as Own;
    if (m.type === "boot") server = new Server(m, scope, options.merge ?? {});
    else server?.own(m);
  };
  scope.ononline = () => server?.online();
}

/** Calls that come so often that their answers do not wait for the status that they made. */
const FREQUENT: readonly Method[] = ["exec", "query", "transaction", "watch", "unwatch", "rollback"];

/** Takes calls of the tab that made it and, over channels, of all others. */
class Server {
  readonly #boot: Boot;
  readonly #scope: Scope;
  readonly #host: Host;
  readonly #lobby: BroadcastChannel;
  readonly #upward: BroadcastChannel;
  readonly #downward = new Map<string, BroadcastChannel>();
  /** Calls under way, by tab and id, with what ends them. */
  readonly #running = new Map<string, AbortController>();
  readonly #tokens: ((token: string) => void)[] = [];
  /** The scopes that all tabs know. */
  #scopes: Shared["scopes"] = null;
  #announced = false;
  #ending = false;

  constructor(boot: Boot, scope: Scope, merge: MergeFunctions) {
    this.#boot = boot;
    this.#scope = scope;
    this.#lobby = new BroadcastChannel(lobbyOf(boot.name));
    this.#upward = new BroadcastChannel(upwardOf(boot.name));
    this.#lobby.onmessage = (e) => this.#hear(e.data as Lobby);
    this.#upward.onmessage = (e) => this.#hearCall(e.data as Upward);
    this.#host = new Host(boot, this.#links(), merge);
    this.#announce();
    void this.#host.start();
  }

  own(m: Exclude<Own, Boot>): void {
    switch (m.type) {
      case "ping":
        this.#home({ type: "pong" });
        return;
      case "token":
        for (const resolve of this.#tokens.splice(0)) resolve(m.token ?? "");
        return;
      case "persisted":
        this.#host.persisted = m.persisted;
        return;
      case "end":
        void this.#end();
        return;
      default:
        this.#take(m);
    }
  }

  online(): void {
    if (this.#host.online) this.#host.reconnect();
  }

  async #end(): Promise<void> {
    this.#ending = true;
    for (const ctl of this.#running.values()) ctl.abort(late("the tab that runs the database leaves"));
    await this.#host.end();
    this.#home({ type: "ended" });
    this.#scope.close();
  }

  #links(): HostLinks {
    return {
      status: (status) => this.#status(status),
      event: (event) => this.#all({ type: "event", event }),
      patches: (patches) => this.#patches(patches),
      presence: (news) => this.#all({ type: "presence", news }),
      token: (refused) => {
        this.#home({ type: "token", refused });
        return new Promise((resolve) => this.#tokens.push(resolve));
      },
      restart: (rescued) => this.#home({ type: "restart", rescued }),
    };
  }

  #home(m: Home): void {
    this.#scope.postMessage(m);
  }

  #shout(down: Down): void {
    const { version, leader } = this.#boot;
    this.#lobby.postMessage({ v: version, type: "down", leader, down } satisfies Lobby);
  }

  #all(down: Down): void {
    this.#home(down);
    this.#shout(down);
  }

  /** Scopes may be many, and seldom change. */
  #status(status: Shared): void {
    const scopes = status.scopes === this.#scopes ? null : status.scopes;
    this.#scopes = status.scopes;
    this.#all({ type: "status", status: { ...status, scopes } });
  }

  /** The status goes with the announcement, and is told to those who come later. */
  #announce(): void {
    this.#announced = true;
    const status: Shared = this.#host.status.now();
    this.#scopes = status.scopes;
    this.#all({ type: "lead", status });
  }

  /** Live queries: the own tab has its own way, the others hear one message together. */
  #patches(patches: readonly Patch[]): void {
    const coded = patches.map((p) => (p.error === undefined ? p : { ...p, error: encodeError(p.error) }));
    const own = coded.filter((p) => p.to.includes(this.#boot.tab));
    const others = coded.filter((p) => p.to.some((t) => t !== this.#boot.tab));
    if (own.length > 0) this.#home({ type: "patches", patches: own });
    if (others.length > 0) this.#shout({ type: "patches", patches: others });
  }

  #hear(m: Lobby): void {
    if (newer(m.v, this.#boot.version)) return; // the tab hears it too, and ends this worker
    if (newer(this.#boot.version, m.v)) {
      if (m.type === "join") this.#lobby.postMessage({ v: this.#boot.version, type: "version" } satisfies Lobby);
      return;
    }
    if (m.type === "join" && this.#announced) this.#announce();
    if (m.type === "ping") this.#shout({ type: "pong" });
  }

  #hearCall(m: Upward): void {
    const { version, leader } = this.#boot;
    if (m.leader === leader && !newer(m.v, version) && !newer(version, m.v)) this.#take(m.up);
  }

  #take(m: Up): void {
    const name = m.type === "leave" ? "" : `${m.tab}:${m.id}`;
    if (m.type === "cancel") this.#running.get(name)?.abort(late("the call was given up"));
    else if (m.type === "leave") this.#leave(m.tab);
    else if (!this.#running.has(name)) void this.#call(name, m);
  }

  async #call(name: string, m: Extract<Up, { type: "call" }>): Promise<void> {
    this.#meet(m.tab);
    const ctl = new AbortController();
    this.#running.set(name, ctl);
    try {
      const result = await answer(this.#host, m, ctl.signal);
      if (!FREQUENT.includes(m.method)) this.#host.status.publishNow();
      this.#answer(m.tab, { type: "answer", tab: m.tab, id: m.id, result });
    } catch (err) {
      if (this.#ending && m.tab !== this.#boot.tab) return; // its tab asks the next worker
      this.#answer(m.tab, { type: "answer", tab: m.tab, id: m.id, error: encodeError(this.#host.judged(err)) });
    } finally {
      this.#running.delete(name);
    }
  }

  #answer(tab: string, down: Down): void {
    if (tab === this.#boot.tab) {
      this.#home(down);
      return;
    }
    let channel = this.#downward.get(tab);
    if (!channel) {
      channel = new BroadcastChannel(downwardOf(this.#boot.name, tab));
      this.#downward.set(tab, channel);
    }
    channel.postMessage({ v: this.#boot.version, type: "down", leader: this.#boot.leader, down } satisfies Lobby);
  }

  /** A tab holds a lock of its own as long as it lives: who gets it knows that the tab is gone. */
  #meet(tab: string): void {
    if (this.#host.heard.has(tab)) return;
    this.#host.heard.add(tab);
    if (tab !== this.#boot.tab) navigator.locks.request(tabLockOf(tab), () => this.#leave(tab)).catch(() => {});
  }

  #leave(tab: string): void {
    this.#host.heard.delete(tab);
    this.#host.watches.leave(tab);
    this.#host.presences.leave(tab);
    this.#downward.get(tab)?.close();
    this.#downward.delete(tab);
    for (const [name, ctl] of this.#running) if (name.startsWith(`${tab}:`)) ctl.abort(late("the tab left"));
  }
}
