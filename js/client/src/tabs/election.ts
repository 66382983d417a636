import { lockOf } from "./messages.ts";

/**
 * One tab of all leads: the one that holds the lock. The browser gives it to
 * the next when the tab closes or crashes; one that does not answer any more
 * is robbed of it.
 */
export class Election {
  readonly #name: string;
  readonly #won: () => void;
  readonly #lost: () => void;
  #release: (() => void) | null = null;
  /** Ends a request that waits. */
  #waiting: AbortController | null = null;

  constructor(name: string, won: () => void, lost: () => void) {
    this.#name = lockOf(name);
    this.#won = won;
    this.#lost = lost;
  }

  get leads(): boolean {
    return this.#release !== null;
  }

  /** Waits for its turn. */
  stand(): void {
    if (this.#waiting !== null || this.leads) return;
    this.#waiting = new AbortController();
    this.#request({ signal: this.#waiting.signal });
  }

  /** Takes the lock from one that does not answer. */
  steal(): void {
    if (this.leads) return;
    this.#waiting?.abort();
    this.#waiting = null;
    this.#request({ steal: true });
  }

  /** Gives the lock back, or waits for it no longer. */
  leave(): void {
    this.#waiting?.abort();
    this.#waiting = null;
    this.#release?.();
    this.#release = null;
  }

  #request(options: LockOptions): void {
    const held = navigator.locks.request(this.#name, options, () => {
      this.#waiting = null;
      return new Promise<void>((resolve) => {
        this.#release = resolve;
        this.#won();
      });
    });
    held.catch(() => {
      // Given up while it waited, or stolen from this tab.
      if (this.#release === null) return;
      this.#release = null;
      this.#lost();
    });
  }
}
