/** So many tokens from x in one list are those from y in the other. */
type Run = readonly [x: number, y: number, length: number];

/** What became of tokens: those from a0 to a1 of one list are those from b0 to b1 of the other. */
export type Gap = readonly [a0: number, a1: number, b0: number, b1: number];

/** Bounds the search from either end. It counts tokens, so that it ends at the same place in every language. */
const mostDifferences = 100;

/**
 * Compares two lists of tokens, as spec/protocol.md says: from the front, and
 * where the bound ends that search, what is left from the back.
 */
export function differences(a: readonly number[], b: readonly number[]): Gap[] {
  const [x, y, runs] = search(a, b);
  if (x < a.length && y < b.length)
    for (const [u, v, n] of search(a.slice(x).reverse(), b.slice(y).reverse())[2].reverse())
      runs.push([a.length - u - n, b.length - v - n, n]);
  const out: Gap[] = [];
  let [a0, b0] = [0, 0];
  for (const [a1, b1, n] of [...runs, [a.length, b.length, 0] as const]) {
    if (a0 < a1 || b0 < b1) out.push([a0, a1, b0, b1]);
    [a0, b0] = [a1 + n, b1 + n];
  }
  return out;
}

const nowhere = -1;

/**
 * Follows two lists from their front with ever more differences (Myers, "An O(ND)
 * Difference Algorithm and Its Variations", 1986), and returns where that ends, at
 * the end of both or as far as the bound allows, with the runs on the way.
 */
function search(a: readonly number[], b: readonly number[]): [x: number, y: number, runs: Run[]] {
  /** The farthest place in a that d differences lead to on the diagonal x - y = 2i - d, at [d][i], or nowhere. */
  const far: number[][] = [];

  /** Where the last of d differences leads to: one token of b more or, rather, one of a less. */
  const step = (d: number, i: number): [x: number, less: boolean] => {
    if (d === 0) return [0, false];
    const more = far[d - 1]![i] ?? nowhere;
    const less = far[d - 1]![i - 1] ?? nowhere;
    const x = more - (2 * i - d) > b.length ? nowhere : more;
    return less !== nowhere && less < a.length && less >= x - 1 ? [less + 1, true] : [x, false];
  };

  /** The runs on the way to where d differences got. */
  const runs = (d: number, end: number, place: number): Run[] => {
    const out: Run[] = [];
    for (let [x, i] = [end, place]; d >= 0; d--) {
      const [from, less] = step(d, i);
      if (from < x) out.unshift([from, from - 2 * i + d, x - from]);
      x = less ? from - 1 : from;
      if (less) i--;
    }
    return out;
  };

  for (let d = 0; ; d++) {
    const row: number[] = [];
    far.push(row);
    let [best, sum] = [0, nowhere];
    for (let i = 0; i <= d; i++) {
      let [x] = step(d, i);
      const k = 2 * i - d;
      if (x !== nowhere) while (x < a.length && x - k < b.length && a[x] === b[x - k]) x++;
      row.push(x);
      if (x === nowhere || x + x - k <= sum) continue;
      [best, sum] = [i, x + x - k];
    }
    const x = row[best]!;
    if (sum === a.length + b.length || d === mostDifferences) return [x, sum - x, runs(d, x, best)];
  }
}
