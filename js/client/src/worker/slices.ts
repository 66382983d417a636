import { ANEW, type Work } from "../lite/work.ts";
import type { Copy } from "./copy.ts";
import { nextTurn } from "./turns.ts";

/** How long a slice of work may take before others get their turn, milliseconds. */
export const SLICE = 8;

/**
 * Does the work of the sync on the database. As soon as it proves to be long, its
 * transaction is begun anew beside a connection on which others go on reading, and
 * from then on others have their turn after each slice of it.
 */
export class Slices {
  #work: Work<unknown> | null = null;
  #copy: Copy | null = null;
  #waiting: (() => void)[] = [];
  /** Long work has just ended: those who waited come first. */
  #pause = false;
  #over = false;

  /** Whether work is under way: nothing else may use the database's own connection. */
  get busy(): boolean {
    return this.#work !== null;
  }

  /** Resolves when the database is free. */
  async free(): Promise<void> {
    while (this.busy) await new Promise<void>((resolve) => this.#waiting.push(resolve));
  }

  /** Does work and then tells its result, or what it failed by. */
  do<T>(copy: Copy, work: Work<T>, then: (result: T) => void, failed: (err: unknown) => void): void {
    if (this.#over) return;
    if (this.#pause) {
      nextTurn(() => this.do(copy, work, then, failed));
      return;
    }
    copy.transactions.yield();
    this.#work = work;
    this.#copy = copy;
    const on = (): void => {
      if (this.#work !== work) return;
      let step: IteratorResult<void, T>;
      try {
        step = slice(copy, work);
      } catch (err) {
        this.#end();
        failed(err);
        return;
      }
      if (step.done) {
        this.#end();
        then(step.value);
      } else nextTurn(on);
    };
    on();
  }

  #end(): void {
    const copy = this.#copy;
    this.#work = null;
    const long = copy?.closeReader();
    for (const go of this.#waiting.splice(0)) go();
    if (!long) return;
    this.#pause = true;
    nextTurn(() => {
      this.#pause = false;
      if (!this.#over) copy?.checkpoint();
    });
  }

  /** Gives up what is under way, which undoes it, and what comes. */
  stop(): void {
    this.#over = true;
    const work = this.#work;
    try {
      work?.return(undefined);
    } catch {
      // The storage fails: what was not committed is not there anyway.
    }
    this.#end();
  }
}

/** Does work until its time is over and others may have their turn. */
function slice<T>(copy: Copy, work: Work<T>): IteratorResult<void, T> {
  const until = performance.now() + SLICE;
  for (let step = work.next(); ; step = work.next()) {
    if (step.done) return step;
    // Outside of a transaction it is between two, and what others would read may change.
    if (performance.now() < until || !copy.db.inTransaction) continue;
    if (copy.beside !== undefined) return step;
    work.throw(ANEW);
    copy.openReader();
  }
}

/** Does work on a file that nobody else uses in slices; `undo` is called where it fails or is given up. */
export async function aside<T>(work: Work<T>, signal: AbortSignal, undo: () => void): Promise<T> {
  const give = (): void => {
    work.return(undefined as T);
    undo();
  };
  signal.addEventListener("abort", give);
  try {
    for (;;) {
      signal.throwIfAborted();
      const until = performance.now() + SLICE;
      do {
        const { done, value } = work.next();
        if (done) return value;
      } while (performance.now() < until);
      await new Promise<void>(nextTurn);
    }
  } catch (err) {
    if (!signal.aborted) undo();
    throw err;
  } finally {
    signal.removeEventListener("abort", give);
  }
}
