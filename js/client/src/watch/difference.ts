/** One value as the app sees it. */
export type Cell = null | number | bigint | string | Uint8Array;

export type Cells = readonly Cell[];

/** Part of a new result: `[from, count]` takes rows of the old one as they are, `[was, row]` is a row that is new (-1) or was `old[was]`. */
export type Part = readonly [number, number] | readonly [number, Cells];

/** Whether two values show the same. */
export function sameCell(a: Cell, b: Cell): boolean {
  if (Object.is(a, b)) return true;
  if (!(a instanceof Uint8Array && b instanceof Uint8Array) || a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}

/** Whether two rows show the same. */
export function sameCells(a: Cells, b: Cells): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (!sameCell(a[i]!, b[i]!)) return false;
  return true;
}

/** Text of a value: those of several, joined by commas, are equal for equal values only; -0 is 0. */
export const written = (c: Cell): string =>
  typeof c === "string"
    ? `"${c.length}:${c}`
    : c instanceof Uint8Array
      ? `x${c.join(".")}`
      : typeof c === "bigint"
        ? `${c}n`
        : `${c}`;

/** What rows are told apart by, usable in a Map: the cells at `places`, or all of them when there are none. */
export function keyOf(row: Cells, places: readonly number[]): Cell {
  if (places.length === 1) {
    const c = row[places[0]!]!;
    return c instanceof Uint8Array ? `\0${written(c)}` : c;
  }
  return (places.length > 0 ? places.map((i) => row[i]!) : row).map(written).join();
}

/**
 * Tells how `now` comes out of `old`; null when it is the same. Rows are paired
 * by key; of rows with one key the first is paired with the first, and so on.
 * Rows that stayed as they were are replaced in `now` by those of `old`, so that
 * they are kept once.
 */
export function difference(old: readonly Cells[], now: Cells[], key: readonly number[]): Part[] | null {
  let head = 0;
  const shorter = Math.min(old.length, now.length);
  while (head < shorter && sameCells(old[head]!, now[head]!)) now[head] = old[head++]!;
  let tail = 0;
  while (tail < shorter - head && sameCells(old[old.length - 1 - tail]!, now[now.length - 1 - tail]!)) {
    tail++;
    now[now.length - tail] = old[old.length - tail]!;
  }
  if (head + tail === old.length && old.length === now.length) return null;
  const parts: Part[] = head > 0 ? [[0, head]] : [];
  const first = new Map<Cell, number>();
  const next = new Map<number, number>();
  for (let i = old.length - tail - 1; i >= head; i--) {
    const k = keyOf(old[i]!, key);
    const later = first.get(k);
    if (later !== undefined) next.set(i, later);
    first.set(k, i);
  }
  let from = 0;
  let count = 0;
  const keep = (): void => {
    if (count > 0) parts.push([from, count]);
    count = 0;
  };
  for (let i = head; i < now.length - tail; i++) {
    const k = keyOf(now[i]!, key);
    const was = first.get(k) ?? -1;
    if (was >= 0) {
      const later = next.get(was);
      if (later === undefined) first.delete(k);
      else first.set(k, later);
    }
    if (was >= 0 && sameCells(old[was]!, now[i]!)) {
      now[i] = old[was]!;
      if (count > 0 && was === from + count) count++;
      else {
        keep();
        from = was;
        count = 1;
      }
      continue;
    }
    keep();
    parts.push([was, now[i]!]);
  }
  if (tail > 0 && count > 0 && from + count === old.length - tail) {
    count += tail;
    tail = 0;
  }
  keep();
  if (tail > 0) parts.push([old.length - tail, tail]);
  return parts;
}
