/**
 * Work that is done step by step. At every yield whoever drives it may do something
 * else, come back, or end it for good, which undoes what its transaction did. It
 * yields inside of a transaction, so that nobody else may use the connection before
 * it is done.
 */
export type Work<T> = Generator<void, T, void>;

/** Thrown into work at a yield: its transaction is undone, and begun anew after one more yield outside of it. */
export const ANEW = new Error("the transaction is begun anew");

/** So many rows are dealt with from one yield to the next. */
export const STRIDE = 16;

/** Does work in one go. */
export function atOnce<T>(work: Work<T>): T {
  for (;;) {
    const { done, value } = work.next();
    if (done) return value;
  }
}

/** Work of one step. */
// biome-ignore lint/correctness/useYield: it is one step
export function* step<T>(fn: () => T): Work<T> {
  return fn();
}

/** Calls fn with one after the other. */
export function* each<T>(list: Iterable<T>, fn: (item: T) => void): Work<void> {
  let n = 0;
  for (const item of list) {
    fn(item);
    if (++n % STRIDE === 0) yield;
  }
}
