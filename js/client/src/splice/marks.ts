/** Text from a0 to a1 became text from b0 to b1. Offsets are between code points. */
export interface Hunk {
  a0: number;
  a1: number;
  b0: number;
  b1: number;
}

/** Bounds how far a hunk grows for the sake of combining marks. */
const maxMarks = 64;

/** Makes one picture of two. */
const joiner = 0x200d;

/**
 * Makes hunks cut no character off the marks that combine with it, and one hunk
 * of those that touch then. Between two hunks both texts are the same.
 */
export function widen(before: string, after: string, hunks: readonly Hunk[]): Hunk[] {
  const out: Hunk[] = [];
  hunks.forEach((h, i) => {
    const last = out[out.length - 1];
    const left = last?.a1 ?? 0;
    const wide = grow(before, after, { ...h }, left, hunks[i + 1]?.a0 ?? before.length);
    if (last && wide.a0 === left) {
      last.a1 = wide.a1;
      last.b1 = wide.b1;
    } else {
      out.push(wide);
    }
  });
  return out;
}

/** Widens one hunk as far as the bounds in `before` allow. */
function grow(before: string, after: string, h: Hunk, left: number, right: number): Hunk {
  for (let i = 0; i < maxMarks && h.a1 < right; i++) {
    const next = runeAt(before, h.a1);
    if (!clings(runeBefore(before, h.a1), next) && !clings(runeBefore(after, h.b1), next)) break;
    h.a1 += width(next);
    h.b1 += width(next);
  }
  for (let i = 0; i < maxMarks && h.a0 > left; i++) {
    const prev = runeBefore(before, h.a0);
    if (!clings(prev, runeAt(before, h.a0)) && !clings(prev, runeAt(after, h.b0))) break;
    h.a0 -= width(prev);
    h.b0 -= width(prev);
  }
  return h;
}

/** Whether a code point belongs to the character in front of it; 0 is none. */
export function clings(prev: number, next: number): boolean {
  if (next < 0x300) return prev === joiner && next !== 0;
  if (prev === joiner || next === joiner || (next >= 0x1f3fb && next <= 0x1f3ff)) return true;
  return /\p{M}/u.test(String.fromCodePoint(next));
}

const width = (rune: number): number => (rune > 0xffff ? 2 : 1);

function runeAt(s: string, i: number): number {
  return s.codePointAt(i) ?? 0;
}

function runeBefore(s: string, i: number): number {
  if (i === 0) return 0;
  return runeAt(s, (s.charCodeAt(i - 1) & 0xfc00) === 0xdc00 ? i - 2 : i - 1);
}
