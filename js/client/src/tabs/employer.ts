import type { Progress } from "../database.ts";
import { id } from "../id.ts";
import type { OpenOptions } from "../options.ts";
import { spawn } from "../spawn.ts";
import type { Rescued } from "../worker/spare.ts";
import type { Boot, Down, Home, Own } from "./messages.ts";

/** How long the own worker may be busy with one thing before it is given up. */
const STUCK = 30_000;
const STUCK_INSTALLING = 600_000;

/** How long a worker gets to finish what it was asked and to close in order. */
const FAREWELL = 5_000;

/** Workers in a row that may die young, and what is young. */
const MOST_DEATHS = 5;
const LONG_LIFE = 10_000;

/** Whom a tab that leads has its worker for. */
export interface Household {
  /** What a new worker is told, but who it is and what it shall put back. */
  boot(): Omit<Boot, "type" | "leader" | "rescued">;
  /** Whether the tab still leads. */
  leads(): boolean;
  /** The worker lives. */
  heard(): void;
  /** The worker says something to all tabs, this one too. */
  down(leader: string, down: Down): void;
  /** One worker after the other died. */
  failed(message: string): void;
}

/** The worker of a tab that leads: made, made anew when it dies or is stuck, and let go. */
export class Employer {
  readonly #options: OpenOptions;
  readonly #host: Household;
  #worker: Worker | null = null;
  /** Name of the worker, under which it leads. */
  #name = "";
  #rescued: Rescued | null = null;
  #deaths = 0;
  #since = 0;

  constructor(options: OpenOptions, host: Household) {
    this.#options = options;
    this.#host = host;
  }

  /** Whether there is a worker. */
  get employs(): boolean {
    return this.#worker !== null;
  }

  employ(): void {
    const leader = id();
    this.#name = leader;
    this.#since = performance.now();
    try {
      this.#worker = (this.#options.worker ?? spawn)();
    } catch (err) {
      this.#died(leader, err instanceof Error ? err.message : String(err));
      return;
    }
    this.#worker.onmessage = (e) => this.#hear(leader, e.data as Home);
    this.#worker.onerror = (e) => this.#died(leader, e.message);
    this.#host.heard();
    this.post({ type: "boot", leader, rescued: this.#rescued, ...this.#host.boot() });
    this.#rescued = null;
    navigator.storage?.persist?.().then(
      (persisted) => this.post({ type: "persisted", persisted }),
      () => {}, // it has not promised anything
    );
  }

  post(m: Own): void {
    this.#worker?.postMessage(m);
  }

  dismiss(): void {
    this.#worker?.terminate();
    this.#worker = null;
    this.#name = "";
  }

  /** Replaces a worker that has said nothing for too long. */
  watch(silent: number, stage: Progress["stage"] | undefined): void {
    // What it says before it installs a snapshot is the last for a while.
    if (silent < (stage === "install" ? STUCK_INSTALLING : STUCK)) return;
    this.dismiss();
    this.employ();
  }

  /** Lets the worker finish what it does; its last answers go to `take`. */
  async farewell(take: (answer: Extract<Down, { type: "answer" }>) => void): Promise<void> {
    const worker = this.#worker;
    if (worker !== null) {
      await new Promise<void>((resolve) => {
        const late = setTimeout(resolve, FAREWELL);
        worker.onmessage = (e) => {
          const m = e.data as Home;
          if (m.type === "answer") take(m);
          if (m.type !== "ended") return;
          clearTimeout(late);
          resolve();
        };
        this.post({ type: "end" });
      });
    }
    this.dismiss();
  }

  #hear(name: string, m: Home): void {
    if (name !== this.#name) return;
    this.#host.heard();
    switch (m.type) {
      case "token":
        void this.#fetchToken();
        break;
      case "restart":
        this.#rescued = m.rescued;
        this.dismiss();
        this.employ();
        break;
      case "ended":
        break;
      default:
        this.#host.down(name, m);
    }
  }

  async #fetchToken(): Promise<void> {
    const { token } = this.#options;
    let got: string | null = null;
    try {
      got = typeof token === "function" ? await token() : (token ?? null);
    } catch (err) {
      reportError(err); // without a token the server says what it thinks of that
    }
    this.post({ type: "token", token: got });
  }

  /** The worker failed with an error that nobody caught, or could not be loaded. */
  #died(name: string, message: string): void {
    if (name !== this.#name) return;
    this.dismiss();
    if (performance.now() - this.#since > LONG_LIFE) this.#deaths = 0;
    if (++this.#deaths < MOST_DEATHS) {
      setTimeout(() => this.#host.leads() && this.#worker === null && this.employ(), 100 * 2 ** this.#deaths);
      return;
    }
    this.#host.failed(`the worker cannot run: ${message || "it cannot be loaded"}`);
  }
}
