/** What useSyncExternalStore wants; both functions are bound. */
export interface Store<S> {
  readonly subscribe: (changed: () => void) => () => void;
  readonly snapshot: () => S;
}

/** How long something that nobody shows any more is kept up to date, so that who comes back finds it. */
export const LINGER = 1000;

/** How a source is followed: it starts with the first subscriber, and gives what ends it. */
export type Start<S> = (set: (next: S) => void) => () => void;

/**
 * A store that follows its source while somebody subscribes, and a little
 * longer: strict mode and navigation unsubscribe for a moment only. `ended` is
 * called when it gave the source up.
 */
export function follow<S>(initial: S, start: Start<S>, ended: () => void): Store<S> {
  const subscribers = new Set<() => void>();
  let state = initial;
  let stop: (() => void) | null = null;
  let timer: ReturnType<typeof setTimeout> | undefined;
  const leave = (): void => {
    if (subscribers.size > 0) return;
    stop?.();
    stop = null;
    ended();
  };
  const linger = (): void => {
    clearTimeout(timer);
    timer = setTimeout(leave, LINGER);
  };
  // A render that React throws away never subscribes.
  linger();
  return {
    snapshot: () => state,
    subscribe: (changed) => {
      clearTimeout(timer);
      // One object for each subscriber, though two may give the same function.
      const subscriber = (): void => changed();
      subscribers.add(subscriber);
      stop ??= start((next) => {
        state = next;
        for (const s of [...subscribers]) s();
      });
      return () => {
        subscribers.delete(subscriber);
        if (subscribers.size === 0) linger();
      };
    },
  };
}

const stores = new WeakMap<object, Map<string, Store<unknown>>>();

/** The store of this name of a database, made when there is none. */
export function storeOf<S>(db: object, name: string, initial: S, start: Start<S>): Store<S> {
  let known = stores.get(db);
  if (!known) {
    known = new Map();
    stores.set(db, known);
  }
  const all = known;
  let store = all.get(name);
  if (!store) {
    const made = follow(initial, start, () => {
      if (all.get(name) === made) all.delete(name);
    });
    store = made;
    all.set(name, made);
  }
  // A name stands for one kind of state.
  return store as Store<S>;
}

/** A store in which nothing happens. */
export function still<S>(state: S): Store<S> {
  return { snapshot: () => state, subscribe: () => () => {} };
}

/** Writes values as text: equal text for equal values. */
export function textOf(value: unknown): string {
  return JSON.stringify(value, (_, v: unknown) =>
    typeof v === "bigint" || (typeof v === "number" && !Number.isFinite(v))
      ? { n: `${v}` }
      : v instanceof Uint8Array
        ? { x: v.join() }
        : v,
  );
}
