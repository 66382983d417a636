/** A run of equal tokens: `length` of them from x in one list and y in the other. */
interface Run {
  x: number;
  y: number;
  length: number;
}

/** What became of tokens: those from a0 to a1 of one list are those from b0 to b1 of the other. */
export type Gap = readonly [a0: number, a1: number, b0: number, b1: number];

/** How many differences are looked for from either end. Lists that differ in more have less in common than could be found. */
const limit = 50;

/**
 * Compares two lists of tokens: from both ends at once (Myers, "An O(ND)
 * Difference Algorithm and Its Variations", 1986, section 4b). Where several
 * answers are equally short, or the limit ends the search, it answers as the Go
 * side does, so that one edit has one body in both languages.
 */
export function differences(a: readonly number[], b: readonly number[]): Gap[] {
  const out: Gap[] = [];
  let x = 0;
  let y = 0;
  for (const run of [...new Search(a, b).common(), { x: a.length, y: b.length, length: 0 }]) {
    if (x < run.x || y < run.y) out.push([x, run.x, y, run.y]);
    x = run.x + run.length;
    y = run.y + run.length;
  }
  return out;
}

/**
 * Reached places by number of differences d and diagonal k = x - y, stored at
 * [d][(k + d) / 2]. Diagonals of the way back are counted from that of the far corner.
 */
type Reached = number[][];

class Search {
  readonly #a: readonly number[];
  readonly #b: readonly number[];
  readonly #delta: number;
  /** The corner to be reached. */
  #x: number;
  #y: number;
  readonly #there: Reached = [];
  readonly #back: Reached = [];

  constructor(a: readonly number[], b: readonly number[]) {
    this.#a = a;
    this.#b = b;
    this.#x = a.length;
    this.#y = b.length;
    this.#delta = a.length - b.length;
  }

  /** Runs that both lists have, in order. */
  common(): Run[] {
    this.#stepThere(0);
    this.#stepBack(0);
    for (let d = 0; d < limit; d++) {
      const even = this.#meet(d, d);
      if (even !== null) return this.#join(d, d, even);
      this.#stepThere(d + 1);
      const odd = this.#meet(d + 1, d);
      if (odd !== null) return this.#join(d + 1, d, odd);
      this.#stepBack(d + 1);
    }
    return disjoint([...this.#farthest(), ...this.#nearest()]);
  }

  #stepThere(d: number, stop = false): number | null {
    const row: number[] = [];
    this.#there[d] = row;
    for (const k of outerFirst(d)) {
      let x =
        d === 0 ? 0 : Math.max(at(this.#there, d - 1, k - 1, -Infinity) + 1, at(this.#there, d - 1, k + 1, -Infinity));
      while (x < this.#x && x - k < this.#y && this.#a[x] === this.#b[x - k]) x++;
      row[(k + d) >> 1] = x;
      if (stop && x === this.#x && x - k === this.#y) return k;
    }
    return null;
  }

  #stepBack(d: number): void {
    const row: number[] = [];
    this.#back[d] = row;
    for (let k = -d; k <= d; k += 2) {
      let x =
        d === 0
          ? this.#x
          : Math.min(at(this.#back, d - 1, k - 1, Infinity), at(this.#back, d - 1, k + 1, Infinity) - 1);
      const diagonal = k + this.#delta;
      while (x > 0 && x > diagonal && this.#a[x - 1] === this.#b[x - diagonal - 1]) x--;
      row[(k + d) >> 1] = x;
    }
  }

  /** The diagonal on which df differences from here and db from there meet, or null. */
  #meet(df: number, db: number): number | null {
    if ((df + db + this.#delta) % 2 !== 0) return null;
    const last = Math.min(df, db + this.#delta);
    for (let k = Math.max(-df, -db + this.#delta); k <= last; k += 2) {
      if (this.#turn(db, k) > this.#head(df, k)) continue;
      for (let other = k; other <= last; other += 2) {
        const [x, u] = [this.#head(df, other), this.#turn(db, other)];
        if (x === u || u === 0 || u === other || x - other === this.#y || x === this.#x) return other;
      }
      return k;
    }
    return null;
  }

  #head(d: number, k: number): number {
    return at(this.#there, d, k, 0);
  }

  #turn(d: number, k: number): number {
    return at(this.#back, d, k - this.#delta, 0);
  }

  /**
   * Makes one way of the two that met on diagonal k. Each may have gone past the
   * end of the other; then one of them is taken a step earlier.
   */
  #join(df: number, db: number, k: number): Run[] {
    const [x, u] = [this.#head(df, k), this.#turn(db, k)];
    const [y, v] = [x - k, u - k];
    const kb = k - this.#delta;
    if (x === u) return inOrder(this.#wayThere(df, k), this.#wayBack(db, kb));
    if (u > 0 && at(this.#there, df - 1, k - 1, NaN) === u - 1)
      return inOrder(this.#wayThere(df - 1, k - 1), this.#wayBack(db, kb));
    if (v > 0 && at(this.#there, df - 1, k + 1, NaN) === u)
      return inOrder(this.#wayThere(df - 1, k + 1), this.#wayBack(db, kb));
    if (u === 0 || v === 0) return this.#wayBack(db, kb);
    if (x === this.#x || y === this.#y) return this.#wayThere(df, k);
    if (at(this.#back, db - 1, kb + 1, NaN) === x + 1)
      return inOrder(this.#wayBack(db - 1, kb + 1), this.#wayThere(df, k));
    if (at(this.#back, db - 1, kb - 1, NaN) === x) return inOrder(this.#wayBack(db - 1, kb - 1), this.#wayThere(df, k));
    const rest = this.#wayBack(db, kb);
    this.#x = u;
    this.#y = v;
    return inOrder(rest, this.#direct());
  }

  /** The way to the corner from here alone. */
  #direct(): Run[] {
    for (let d = 0; d <= limit; d++) {
      const k = this.#stepThere(d, true);
      if (k !== null) return this.#wayThere(d, k);
    }
    return this.#farthest();
  }

  #farthest(): Run[] {
    let best = 0;
    let sum = -1;
    for (let k = -limit; k <= limit; k += 2) {
      const x = this.#head(limit, k);
      if (x + x - k <= sum || x > this.#x || x - k > this.#y) continue;
      sum = x + x - k;
      best = k;
    }
    return this.#wayThere(limit, best);
  }

  #nearest(): Run[] {
    let best = 0;
    let sum = Infinity;
    for (let k = -limit; k <= limit; k += 2) {
      const x = at(this.#back, limit, k, 0);
      const y = x - k - this.#delta;
      if (x + y >= sum || x < 0 || y < 0) continue;
      sum = x + y;
      best = k;
    }
    return this.#wayBack(limit, best);
  }

  /** The runs on the way to where d differences got on diagonal k. */
  #wayThere(d: number, k: number): Run[] {
    const out: Run[] = [];
    for (let x = this.#head(d, k); x !== 0 || x !== k; ) {
      if (at(this.#there, d - 1, k - 1, NaN) === x - 1) {
        x--;
        d--;
        k--;
      } else if (at(this.#there, d - 1, k + 1, NaN) === x) {
        d--;
        k++;
      } else {
        x--;
        const first = out[out.length - 1];
        if (first && first.x === x + 1 && first.y === x - k + 1) {
          first.x--;
          first.y--;
          first.length++;
        } else {
          out.push({ x, y: x - k, length: 1 });
        }
      }
    }
    return out.reverse();
  }

  #wayBack(d: number, k: number): Run[] {
    const out: Run[] = [];
    for (let x = at(this.#back, d, k, 0); x !== this.#a.length || x - k - this.#delta !== this.#b.length; ) {
      if (at(this.#back, d - 1, k - 1, NaN) === x) {
        d--;
        k--;
      } else if (at(this.#back, d - 1, k + 1, NaN) === x + 1) {
        x++;
        d--;
        k++;
      } else {
        const y = x - k - this.#delta;
        const last = out[out.length - 1];
        if (last && last.x + last.length === x && last.y + last.length === y) last.length++;
        else out.push({ x, y, length: 1 });
        x++;
      }
    }
    return out;
  }
}

/** What is reached by d differences on a diagonal, or a value that says that nothing is. */
function at(reached: Reached, d: number, k: number, none: number): number {
  return d < 0 || k < -d || k > d ? none : reached[d]![(k + d) >> 1]!;
}

/** The diagonals of d differences, from the outer ones to those between them. */
function outerFirst(d: number): number[] {
  const list = d === 0 ? [0] : [-d, d];
  for (let k = 2 - d; k < d; k += 2) list.push(k);
  return list;
}

function inOrder(a: Run[], b: Run[]): Run[] {
  return [...a, ...b].sort((p, q) => p.x - q.x || q.length - p.length);
}

/** A set of runs none of which overlaps or crosses another, of those of two ways that did not meet: the longest first. */
function disjoint(runs: Run[]): Run[] {
  const kept: Run[] = [];
  for (const run of runs.sort((p, q) => q.length - p.length)) {
    const rest = { ...run };
    if (kept.every((k) => apart(k, rest))) kept.push(rest);
  }
  return inOrder(kept, []);
}

/** Cuts off a run what overlaps with another, and reports whether something is left that does not cross it. */
function apart(kept: Run, run: Run): boolean {
  for (const axis of ["x", "y"] as const) {
    if (run[axis] <= kept[axis] && kept[axis] < run[axis] + run.length) run.length = kept[axis] - run[axis];
    if (run.length > 0 && kept[axis] <= run[axis] && run[axis] < kept[axis] + kept.length) {
      const over = kept[axis] + kept.length - run[axis];
      run.length -= over;
      run.x += over;
      run.y += over;
    }
    if (run.length <= 0) return false;
  }
  const before = run.x + run.length <= kept.x && run.y + run.length <= kept.y;
  return before || (kept.x + kept.length <= run.x && kept.y + kept.length <= run.y);
}
