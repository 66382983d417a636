import fc from "fast-check";
import { expect, test } from "vitest";
import { type Cells, difference, keyOf, type Part, sameCells } from "../../src/watch/difference.ts";

const cell = fc.oneof(
  fc.constantFrom(null, 0, -0, 1, 2, 1n, "1", "a", "", new Uint8Array([1]), new Uint8Array([])),
  fc.integer({ min: 0, max: 5 }),
);
const rows = fc.array(fc.array(cell, { minLength: 3, maxLength: 3 }), { maxLength: 12 });
const key = fc.constantFrom([], [0], [0, 1]);

function put(old: readonly Cells[], parts: readonly Part[]): Cells[] {
  return parts.flatMap(([at, what]) => (typeof what === "number" ? old.slice(at, at + what) : [what]));
}

test("a result put together from its parts is the result", () => {
  fc.assert(
    fc.property(rows, rows, key, (old, now, key) => {
      const want = now.map((r) => [...r]);
      const parts = difference(old, now, key);
      if (parts === null) {
        expect(old).toEqual(want);
        return;
      }
      const got = put(old, parts);
      expect(got).toEqual(want);
      expect(now).toEqual(want);
      expect(got.every((r, i) => r === now[i])).toBe(true);
    }),
    { numRuns: 500 },
  );
});

test("no row of before is used twice, and a pair has one key", () => {
  fc.assert(
    fc.property(rows, rows, key, (old, now, key) => {
      const used: number[] = [];
      for (const [at, what] of difference(old, now, key) ?? []) {
        if (typeof what === "number") for (let i = at; i < at + what; i++) used.push(i);
        else if (at >= 0) {
          used.push(at);
          expect(new Set([keyOf(what, key), keyOf(old[at]!, key)]).size).toBe(1);
          expect(sameCells(what, old[at]!)).toBe(false);
        }
      }
      expect(new Set(used).size).toBe(used.length);
    }),
    { numRuns: 500 },
  );
});

test("the difference is small where little changed", () => {
  const old = Array.from({ length: 1000 }, (_, i): Cells => [i, `title ${i}`]);
  const same = (): Cells[] => old.map((r) => [...r]);
  expect(difference(old, same(), [0])).toBe(null);
  expect(difference(old, same().with(500, [500, "new"]), [0])).toEqual([
    [0, 500],
    [500, [500, "new"]],
    [501, 499],
  ]);
  expect(difference(old, same().toSpliced(10, 1), [0])).toEqual([
    [0, 10],
    [11, 989],
  ]);
  expect(
    difference(
      old,
      same()
        .toSpliced(10, 1)
        .toSpliced(900, 0, [...old[10]!]),
      [0],
    ),
  ).toEqual([
    [0, 10],
    [11, 890],
    [10, 1],
    [901, 99],
  ]);
  expect(difference([], [[1, "a"]], [0])).toEqual([[-1, [1, "a"]]]);
  expect(difference([[1, "a"]], [], [0])).toEqual([]);
});

test("rows without a key are told apart by all that they show", () => {
  const old: Cells[] = [["a"], ["b"], ["a"], ["c"]];
  expect(difference(old, [["b"], ["a"], ["a"], ["d"]], [])).toEqual([
    [1, 1],
    [0, 1],
    [2, 1],
    [-1, ["d"]],
  ]);
});

test("keys of different values differ", () => {
  const values = [null, 1, "1", "n1", 1n, 2n ** 60n, "", new Uint8Array([49]), new Uint8Array([1, 2]), "x1,2", "null"];
  for (const places of [[0], [0, 1], []]) {
    const keys = values.map((v) => keyOf([v, "x"], places));
    expect(new Set(keys).size).toBe(values.length);
  }
  expect(keyOf(["a,", "b"], [])).not.toBe(keyOf(["a", ",b"], []));
});
