import fc from "fast-check";
import { expect, test } from "vitest";
import { between, spread } from "../src/tracker/rank.ts";

test("a rank lies between its neighbours", () => {
  expect(between("", "")).toBe("V");
  for (const [low, high] of [
    ["", "1"],
    ["V", ""],
    ["V", "W"],
    ["V", "V1"],
    ["z", ""],
    ["zz", ""],
    ["A", "Az"],
  ] as const) {
    const mid = between(low, high);
    expect(mid > low && (high === "" || mid < high), `${low} < ${mid} < ${high}`).toBe(true);
  }
});

test("there is always room, wherever cards are put", () => {
  fc.assert(
    fc.property(fc.array(fc.nat(), { maxLength: 60 }), (places) => {
      const ranks: string[] = [];
      for (const p of places) {
        const at = p % (ranks.length + 1);
        ranks.splice(at, 0, between(ranks[at - 1] ?? "", ranks[at] ?? ""));
      }
      expect(ranks).toEqual([...new Set(ranks)].sort());
    }),
    { numRuns: 200 },
  );
});

test("between equal ranks, or texts that are none, there is no room", () => {
  expect(() => between("V", "V")).toThrow(RangeError);
  expect(() => between("W", "V")).toThrow(RangeError);
  expect(() => between("", "é")).toThrow(RangeError);
});

test("spread ranks ascend and leave room on all sides", () => {
  for (const n of [1, 2, 60, 61, 62, 500]) {
    const ranks = spread(n);
    expect(ranks).toHaveLength(n);
    for (let i = 0; i <= n; i++) expect(between(ranks[i - 1] ?? "", ranks[i] ?? "")).not.toBe("");
  }
});
