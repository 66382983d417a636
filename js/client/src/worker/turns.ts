/** Runs fn in a turn of its own, without the pause of a timer: calls that wait get theirs first. */
export function nextTurn(fn: () => void): void {
  turns.push(fn);
  channel.port2.postMessage(0);
}

const turns: (() => void)[] = [];
const channel = new MessageChannel();
channel.port1.onmessage = () => turns.shift()?.();

/** Tells once what happens close together, and the first of it at once. */
export class Teller {
  readonly #tell: () => void;
  readonly #pause: number;
  #due = false;
  #told = 0;

  /** At most one call of tell in so many milliseconds. */
  constructor(pause: number, tell: () => void) {
    this.#pause = pause;
    this.#tell = tell;
  }

  /** Something is to be told. */
  soon(): void {
    if (this.#due) return;
    this.#due = true;
    const left = this.#told + this.#pause - performance.now();
    if (left > 0) setTimeout(() => this.now(), left);
    else queueMicrotask(() => this.now());
  }

  /** Tells what was not told yet. */
  now(): void {
    if (!this.#due) return;
    this.#due = false;
    this.#told = performance.now();
    this.#tell();
  }
}
