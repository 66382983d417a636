import fc from "fast-check";
import { expect, test } from "vitest";
import { rebaseDraft, shift, spliceOf } from "../src/ui/draft.ts";

test("what was typed stays in what came meanwhile", () => {
  expect(rebaseDraft("Call Ada.", "Call Ada and Bob.", "Please call Ada.")).toBe("Please call Ada and Bob.");
  expect(rebaseDraft("abc", "abc", "xyz")).toBe("xyz");
  expect(rebaseDraft("abc", "abcd", "abc")).toBe("abcd");
  expect(rebaseDraft("one two", "one", "one two three")).toBe("one three");
});

test("where both replaced one piece both insertions stay", () => {
  const merged = rebaseDraft("the red car", "the blue car", "the green car");
  expect(merged).toContain("green");
  expect(merged).toContain("blue");
});

test("a replacement makes the one text of the other", () => {
  const text = fc.string({ unit: fc.constantFrom("a", "b", "🌊", "🌲"), maxLength: 12 });
  fc.assert(
    fc.property(text, text, (a, b) => {
      const s = spliceOf(a, b);
      expect(s ? a.slice(0, s.at) + s.inserted + a.slice(s.at + s.deleted) : a).toBe(b);
      expect(s?.inserted ?? "").not.toMatch(/\p{Surrogate}/u);
    }),
    { numRuns: 300 },
  );
});

test("nothing that came is lost when only text was added", () => {
  const text = fc.string({ unit: fc.constantFrom("a", "b", "c"), maxLength: 8 });
  fc.assert(
    fc.property(text, fc.nat(), text, text, (base, place, added, incoming) => {
      const at = place % (base.length + 1);
      const merged = rebaseDraft(base, base.slice(0, at) + added + base.slice(at), incoming);
      expect(merged.length).toBe(incoming.length + added.length);
    }),
    { numRuns: 300 },
  );
});

test("the caret stays at its text", () => {
  expect(shift(3, { at: 0, deleted: 0, inserted: "ab" })).toBe(5);
  expect(shift(3, { at: 5, deleted: 0, inserted: "ab" })).toBe(3);
  expect(shift(3, { at: 2, deleted: 4, inserted: "x" })).toBe(3);
  expect(shift(3, null)).toBe(3);
});
