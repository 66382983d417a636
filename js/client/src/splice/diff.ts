import { sizeOf } from "../value.ts";
import { count } from "./count.ts";
import { differences } from "./lcs.ts";
import { type Hunk, widen } from "./marks.ts";
import type { Patch } from "./splice.ts";

/** The size in UTF-8 from which changed text is compared by lines before it is compared by words. */
const longMiddle = 4 << 10;

/**
 * A patch that makes `after` of `before`, with what it deletes. What both begin
 * and end with is found first; what is left is compared by lines and words, which
 * keeps words that were not touched and does not tear apart those that were. The
 * cost is bounded: of very different texts it finds less in common. A patch never
 * separates a character from the marks that combine with it.
 */
export function diff(before: string, after: string): Patch {
  const h = trim(before, after, { a0: 0, a1: before.length, b0: 0, b1: after.length });
  return changes(h) ? patchOf(before, after, widen(before, after, refine(before, after, h))) : [];
}

/** Cuts a hunk into smaller ones. */
function refine(before: string, after: string, h: Hunk): Hunk[] {
  if (short(before.slice(h.a0, h.a1)) && short(after.slice(h.b0, h.b1))) return byTokens(before, after, h, wordEnd);
  return byTokens(before, after, h, lineEnd).flatMap((l) => byTokens(before, after, l, wordEnd));
}

function short(s: string): boolean {
  return s.length < longMiddle && sizeOf(s) - sizeOf("") < longMiddle;
}

function lineEnd(text: string, i: number): number {
  return text.indexOf("\n", i) + 1 || text.length;
}

/**
 * Ends a run of letters and digits, or any other single code point. Scripts that
 * put no spaces between words are compared character by character.
 */
function wordEnd(text: string, i: number): number {
  let end = i;
  for (let rune = text.codePointAt(end); rune !== undefined; rune = text.codePointAt(end)) {
    const word = isWord(rune);
    if (word || end === i) end += rune > 0xffff ? 2 : 1;
    if (!word) break;
  }
  return end;
}

const letter = /^(?![\p{sc=Han}\p{sc=Hira}\p{sc=Kana}\p{sc=Thai}\p{sc=Laoo}\p{sc=Khmr}\p{sc=Mymr}])[\p{L}\p{Nd}]/u;

function isWord(rune: number): boolean {
  if (rune > 0x7f) return letter.test(String.fromCodePoint(rune));
  const lower = rune | 0x20;
  return (lower >= 0x61 && lower <= 0x7a) || (rune >= 0x30 && rune <= 0x39) || rune === 0x5f;
}

type End = (text: string, i: number) => number;

/** Compares the tokens of a hunk. */
function byTokens(before: string, after: string, h: Hunk, end: End): Hunk[] {
  if (h.a0 === h.a1 || h.b0 === h.b1) return [h];
  const known = new Map<string, number>();
  const a = tokens(before.slice(h.a0, h.a1), h.a0, end, known);
  const b = tokens(after.slice(h.b0, h.b1), h.b0, end, known);
  return differences(a.ids, b.ids)
    .map(([a0, a1, b0, b1]) => trim(before, after, { a0: a.at[a0]!, a1: a.at[a1]!, b0: b.at[b0]!, b1: b.at[b1]! }))
    .filter(changes);
}

/** Numbers the tokens of a text, equal ones alike; `at` has the offset of each and of the end. */
function tokens(text: string, from: number, end: End, known: Map<string, number>): { ids: number[]; at: number[] } {
  const ids: number[] = [];
  const at = [from];
  for (let i = 0; i < text.length; ) {
    const next = end(text, i);
    const token = text.slice(i, next);
    const id = known.get(token) ?? known.size;
    known.set(token, id);
    ids.push(id);
    at.push(from + next);
    i = next;
  }
  return { ids, at };
}

const changes = (h: Hunk): boolean => h.a0 < h.a1 || h.b0 < h.b1;

/** Takes from a hunk what both of its texts begin and end with. */
function trim(before: string, after: string, h: Hunk): Hunk {
  const most = Math.min(h.a1 - h.a0, h.b1 - h.b0);
  let n = alike(most, (from, to) => before.slice(h.a0 + from, h.a0 + to) === after.slice(h.b0 + from, h.b0 + to));
  if (halved(before, h.a0 + n) || halved(after, h.b0 + n)) n--;
  const a0 = h.a0 + n;
  const b0 = h.b0 + n;
  n = alike(most - n, (from, to) => before.slice(h.a1 - to, h.a1 - from) === after.slice(h.b1 - to, h.b1 - from));
  if (halved(before, h.a1 - n) || halved(after, h.b1 - n)) n--;
  return { a0, a1: h.a1 - n, b0, b1: h.b1 - n };
}

/** Up to where two texts are alike: large pieces are compared at once, then smaller ones. */
function alike(most: number, same: (from: number, to: number) => boolean): number {
  let n = 0;
  for (let stride = 1 << 16; stride > 0; stride >>= 2) while (n + stride <= most && same(n, n + stride)) n += stride;
  return n;
}

/** Whether an offset stands between the two units of one code point. */
function halved(s: string, i: number): boolean {
  return (s.charCodeAt(i) & 0xfc00) === 0xdc00 && (s.charCodeAt(i - 1) & 0xfc00) === 0xd800;
}

function patchOf(before: string, after: string, hunks: readonly Hunk[]): Patch {
  let at = 0;
  let done = 0;
  return hunks.map((h) => {
    const deleted = before.slice(h.a0, h.a1);
    const s = {
      at: at + count(before.slice(done, h.a0)),
      delete: count(deleted),
      insert: after.slice(h.b0, h.b1),
      deleted,
    };
    at = s.at + s.delete;
    done = h.a1;
    return s;
  });
}
