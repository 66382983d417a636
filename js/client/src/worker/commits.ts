import type { Touched } from "../watch/watches.ts";
import type { Host } from "./host.ts";
import { SLICE } from "./slices.ts";
import { nextTurn } from "./turns.ts";

/** How long commits are gathered before they are sealed, milliseconds. */
const GATHER = 10;

/** What follows commits: what was written is sealed and sent, and live queries run again. */
export class Commits {
  readonly #host: Host;
  #watching = false;
  #sealing: ReturnType<typeof setTimeout> | undefined;
  readonly #gathering: (() => void)[] = [];

  constructor(host: Host) {
    this.#host = host;
  }

  /** One happened: null where anything may have changed. */
  follow(touched: Touched | null): void {
    const { watches, status } = this.#host;
    watches.commit(touched);
    if (watches.due) this.watch();
    status.publish();
    this.#seal();
  }

  /** Those that come close together are sealed and sent together. */
  #seal(): void {
    this.#sealing ??= setTimeout(() => {
      this.#sealing = undefined;
      if (!this.#host.ended) this.#host.shell?.step({ type: "local" });
      for (const go of this.#gathering.splice(0)) go();
    }, GATHER);
  }

  /** Resolves when what was just committed is sealed, with what came close behind it. */
  async gathered(): Promise<void> {
    if (this.#sealing !== undefined) await new Promise<void>((resolve) => this.#gathering.push(resolve));
  }

  /** Runs the live queries that are due in slices, behind calls that wait. */
  watch(): void {
    if (this.#watching) return;
    this.#watching = true;
    nextTurn(() => {
      this.#watching = false;
      if (this.#host.ended) return;
      this.#run();
      if (this.#host.watches.due && this.#host.reader !== null) this.watch();
    });
  }

  #run(): void {
    const { reader, watches, copy, links } = this.#host;
    if (reader === null || !watches.due) return;
    copy?.transactions.yield();
    const until = performance.now() + SLICE;
    const patches = watches.run(() => performance.now() > until);
    if (patches.length > 0) links.patches(patches);
  }

  stop(): void {
    clearTimeout(this.#sealing);
  }
}
