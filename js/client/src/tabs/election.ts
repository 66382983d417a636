import { lockOf } from "./messages.ts";

/** A request for the lock. */
interface Candidacy {
  /** Gives it up while it waits. */
  readonly waits: AbortController;
  /** Gives the lock back; null while it waits. */
  release: (() => void) | null;
}

/**
 * One tab of all leads: the one that holds the lock. The browser gives it to
 * the next when the tab closes or crashes; one that does not answer any more
 * is robbed of it.
 */
export class Election {
  readonly #name: string;
  readonly #won: () => void;
  readonly #lost: () => void;
  /** The newest request, the only one that counts: what becomes of one before may come late. */
  #newest: Candidacy | null = null;

  constructor(name: string, won: () => void, lost: () => void) {
    this.#name = lockOf(name);
    this.#won = won;
    this.#lost = lost;
  }

  get leads(): boolean {
    return this.#newest !== null && this.#newest.release !== null;
  }

  /** Waits for its turn. */
  stand(): void {
    if (this.#newest === null) this.#request(false);
  }

  /** Takes the lock from one that does not answer. */
  steal(): void {
    if (this.leads) return;
    this.leave();
    this.#request(true);
  }

  /** Gives the lock back, or waits for it no longer. */
  leave(): void {
    const c = this.#newest;
    this.#newest = null;
    c?.waits.abort();
    c?.release?.();
  }

  #request(steal: boolean): void {
    const c: Candidacy = { waits: new AbortController(), release: null };
    this.#newest = c;
    const held = navigator.locks.request(this.#name, steal ? { steal } : { signal: c.waits.signal }, () => {
      if (this.#newest !== c) return; // given up while the lock was on its way
      return new Promise<void>((resolve) => {
        c.release = resolve;
        this.#won();
      });
    });
    held.catch(() => {
      // Given up while it waited, or stolen from this tab.
      if (this.#newest !== c) return;
      this.#newest = null;
      if (c.release) this.#lost();
    });
  }
}
