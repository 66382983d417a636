const DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/**
 * A rank between two others, so that a card moves without touching its
 * neighbours: texts compare like fractions, digit by digit. "" is no neighbour
 * on that side. Throws a RangeError when there is no room, which is so for two
 * equal ranks.
 */
export function between(low: string, high: string): string {
  if (high !== "" && low >= high) throw new RangeError(`no rank lies between ${low} and ${high}`);
  let out = "";
  let bounded = high !== "";
  for (let i = 0; ; i++) {
    const from = i < low.length ? digit(low, i) : 0;
    const to = bounded ? digit(high, i) : DIGITS.length;
    if (to - from > 1) return out + DIGITS[Math.floor((from + to) / 2)];
    out += DIGITS[from];
    bounded &&= to === from;
  }
}

function digit(rank: string, i: number): number {
  const d = DIGITS.indexOf(rank[i] ?? "");
  if (d < 0 || rank[i] === undefined) throw new RangeError(`no rank lies before ${rank}`);
  return d;
}

/** Ranks for n cards, evenly apart: for a column whose ranks left no room. */
export function spread(n: number): readonly string[] {
  const width = n < DIGITS.length - 1 ? 1 : n < DIGITS.length ** 2 - 1 ? 2 : 3;
  const all = DIGITS.length ** width;
  return Array.from({ length: n }, (_, i) => written(Math.floor(((i + 1) * all) / (n + 1)), width));
}

function written(n: number, width: number): string {
  let out = "";
  for (let i = 0, rest = n; i < width; i++, rest = Math.floor(rest / DIGITS.length)) {
    out = (DIGITS[rest % DIGITS.length] ?? "") + out;
  }
  return out.endsWith("0") ? `${out}V` : out; // nothing fits before a rank that ends with the smallest digit
}
