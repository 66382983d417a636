import fc from "fast-check";
import { expect, test } from "vitest";
import { anchored, place } from "../../src/replica/anchor.ts";
import { apply } from "../../src/splice/apply.ts";
import { diff } from "../../src/splice/diff.ts";
import { drafts, patchOf, texts } from "../splice/texts.ts";

test("an anchored edit is made where it was", () => {
  fc.assert(
    fc.property(texts, drafts, (text, x) => {
      const p = patchOf(text, x);
      expect(place(anchored(p, text), text)).toBe(apply(p, text));
    }),
  );
});

test("an anchored edit is found again in a text that went on", () => {
  const before = "It was the best of times, 😀 it was the worst of times.";
  const p = anchored(diff(before, before.replace("worst", "very worst")), before);
  expect(place(p, `Once more: ${before} So they say.`)).toBe(
    "Once more: It was the best of times, 😀 it was the very worst of times. So they say.",
  );
  expect(place(p, "It was the best of times.")).toBeNull();
});

test("of several places the nearest is taken", () => {
  const line = "all work and no play makes a dull boy, ";
  const before = line.repeat(5);
  const p = anchored([{ at: line.length * 2 + 4, delete: 4, insert: "WORK", deleted: "work" }], before);
  const now = line.repeat(9);
  expect(place(p, now)?.indexOf("WORK")).toBe(line.length * 2 + 4);
});
