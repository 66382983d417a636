import fc from "fast-check";
import { expect, test } from "vitest";
import { compose, composeAll, transform } from "../../src/splice/algebra.ts";
import { apply, bare, fill, invert } from "../../src/splice/apply.ts";
import { count } from "../../src/splice/count.ts";
import { diff } from "../../src/splice/diff.ts";
import { clings } from "../../src/splice/marks.ts";
import { check, maxPlace, type Patch, Unfit } from "../../src/splice/splice.ts";
import { alphabet, drafts, patchOf, texts } from "./texts.ts";

/** Puts a patch on a text that it must fit. */
function put(p: Patch, text: string): string {
  check(p, count);
  return apply(p, text);
}

test("two patches, carried over each other, make one text", () => {
  fc.assert(
    fc.property(texts, drafts, drafts, fc.boolean(), (text, x, y, first) => {
      const [a, b] = [patchOf(text, x), patchOf(text, y)];
      const [a1, b1] = transform(a, b, first);
      expect(put(b1, put(a, text))).toBe(put(a1, put(b, text)));
      expect(transform(b, a, !first)).toEqual([b1, a1]);
    }),
    { numRuns: 1000 },
  );
});

test("what either inserts is there, what nobody deletes is there, and nothing else", () => {
  const numbers = (text: string, sign = 1): [string, number][] => [...text].map((c) => [c, sign]);
  fc.assert(
    fc.property(texts, drafts, drafts, fc.boolean(), (text, x, y, first) => {
      const [a, b] = [patchOf(text, x), patchOf(text, y)];
      const got = put(transform(a, b, first)[1], put(a, text));
      const gone = new Set([...a, ...b].flatMap((s) => Array.from({ length: s.delete }, (_, i) => s.at + i)));
      const kept = [...text].filter((_, i) => !gone.has(i)).join("");
      const want = kept + [...a, ...b].map((s) => s.insert).join("");
      const sums = new Map<string, number>();
      for (const [c, n] of [...numbers(got), ...numbers(want, -1)]) sums.set(c, (sums.get(c) ?? 0) + n);
      for (const c of alphabet) expect(sums.get(c) ?? 0).toBe(0);
    }),
  );
});

test("of two insertions at one place the first stands first", () => {
  const [a, b] = [patchOf("xy", []), patchOf("xy", [])].map((_, i) => [
    { at: 1, delete: 0, insert: "AB"[i]!, deleted: "" },
  ]);
  for (const [first, want] of [
    [true, "xABy"],
    [false, "xBAy"],
  ] as const) {
    expect(put(transform(a!, b!, first)[1], put(a!, "xy"))).toBe(want);
  }
});

test("composing does both, and does not depend on the brackets", () => {
  fc.assert(
    fc.property(texts, drafts, drafts, drafts, (text, x, y, z) => {
      const a = patchOf(text, x);
      const middle = put(a, text);
      const b = patchOf(middle, y);
      const end = put(b, middle);
      const c = patchOf(end, z);
      const ab = compose(a, b);
      expect(put(ab, text)).toBe(end);
      expect(put(compose(bare(a), bare(b)), text)).toBe(end);
      expect(compose(ab, c)).toEqual(compose(a, compose(b, c)));
      expect(composeAll([a, b, c])).toEqual(compose(ab, c));
    }),
    { numRuns: 1000 },
  );
});

test("a patch that is inverted takes back", () => {
  fc.assert(
    fc.property(texts, drafts, (text, x) => {
      const p = patchOf(text, x);
      expect(put(invert(p), put(p, text))).toBe(text);
      expect(put(compose(p, invert(p)), text)).toBe(text);
      if (p[0] && p[0].delete > 0) expect(() => invert(bare(p))).toThrow(Unfit);
    }),
  );
});

test("pending patches follow what comes from below", () => {
  fc.assert(
    fc.property(texts, drafts, fc.array(drafts, { maxLength: 4 }), (text, x, pending) => {
      let rest = patchOf(text, x);
      let [mine, got] = [text, put(rest, text)];
      for (const y of pending) {
        const p = patchOf(mine, y);
        mine = put(p, mine);
        const [over, next] = transform(p, rest, true);
        got = put(over, got);
        rest = next;
      }
      expect(got).toBe(put(rest, mine));
    }),
  );
});

test("a difference makes the new text", () => {
  const pieces = fc.tuple(texts, texts, fc.boolean(), fc.nat(), fc.nat()).map(([before, after, alike, i, j]) => {
    const chars = [...before];
    const head = chars.slice(0, i % (chars.length + 1)).join("");
    return [before, alike ? head + after + chars.slice(j % (chars.length + 1)).join("") : after] as const;
  });
  fc.assert(
    fc.property(pieces, ([before, after]) => {
      const p = diff(before, after);
      expect(put(p, before)).toBe(after);
      expect(p.length === 0).toBe(before === after);
      expect(fill(bare(p), before)).toEqual(p);
      for (const s of p) expect(s.deleted).not.toBe(s.insert);
    }),
    { numRuns: 1000 },
  );
});

test("no splice of a difference begins or ends between a character and its mark", () => {
  const letters = fc.constantFrom(..."aex\u0301\u0308\u200d👍🏽");
  const marked = fc.array(letters, { maxLength: 20 }).map((list) => list.join(""));
  fc.assert(
    fc.property(marked, marked, (before, after) => {
      const p = diff(before, after);
      for (const [text, patch] of [
        [before, p],
        [after, invert(p)],
      ] as const) {
        const chars = [...text];
        for (const at of patch.flatMap((s) => [s.at, s.at + s.delete])) {
          if (at === 0 || at >= chars.length) continue;
          expect(clings(chars[at - 1]!.codePointAt(0)!, chars[at]!.codePointAt(0)!)).toBe(false);
        }
      }
    }),
    { numRuns: 1000 },
  );
});

test("long texts that differ in much are compared within bounds", () => {
  const words = fc.array(fc.constantFrom("one", "two", "three", "four\n", "😀", "é"), { maxLength: 900 });
  fc.assert(
    fc.property(words, words, (x, y) => {
      const [before, after] = [x.join(" "), y.join(" ")];
      expect(put(diff(before, after), before)).toBe(after);
    }),
    { numRuns: 40 },
  );
});

test.each<[string, Patch]>([
  ["beyond the end", [{ at: 4, delete: 0, insert: "x", deleted: "" }]],
  ["deletes too much", [{ at: 2, delete: 2, insert: "", deleted: "" }]],
  ["another text", [{ at: 0, delete: 1, insert: "", deleted: "x" }]],
  ["negative", [{ at: -1, delete: 0, insert: "x", deleted: "" }]],
  ["negative length", [{ at: 0, delete: -1, insert: "x", deleted: "" }]],
  [
    "touching",
    [
      { at: 0, delete: 1, insert: "", deleted: "" },
      { at: 1, delete: 1, insert: "", deleted: "" },
    ],
  ],
  [
    "out of order",
    [
      { at: 2, delete: 1, insert: "", deleted: "" },
      { at: 0, delete: 1, insert: "", deleted: "" },
    ],
  ],
  ["changes nothing", [{ at: 1, delete: 0, insert: "", deleted: "" }]],
  ["overflows", [{ at: maxPlace, delete: maxPlace, insert: "", deleted: "" }]],
  ["counts otherwise", [{ at: 0, delete: 2, insert: "", deleted: "a" }]],
])("what does not fit is refused: %s", (name, p) => {
  expect(() => apply(p, "abc")).toThrow(Unfit);
  if (name !== "another text") expect(() => fill(p, "abc")).toThrow(Unfit);
});
