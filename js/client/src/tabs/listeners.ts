/** Functions of the app that want to hear of something. */
export type Listeners<T> = Set<(news: T) => void>;

/** Adds one and returns what takes it away; the same function may listen twice. */
export function listen<T>(all: Listeners<T>, fn: (news: T) => void): () => void {
  const one = (news: T): void => fn(news);
  all.add(one);
  return () => void all.delete(one);
}

/** Calls those that listen, which must not stop each other. None is called after it was taken away. */
export function tell<T>(all: Listeners<T>, news: T): void {
  for (const fn of [...all]) {
    if (!all.has(fn)) continue;
    try {
      fn(news);
    } catch (err) {
      reportError(err);
    }
  }
}
