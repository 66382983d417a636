import { expect, test } from "vitest";
import { decodeAnswer, encodeAnswer, markOf } from "../../src/worker/answers.ts";

const VALUES = [
  null,
  0,
  -0,
  1.5,
  Number.POSITIVE_INFINITY,
  Number.NEGATIVE_INFINITY,
  5n,
  "5n",
  "05",
  "",
  new Uint8Array([5]),
  new Uint8Array(),
];

test("an answer is the same after it was kept", () => {
  const answer = { columns: ["a"], rows: VALUES.map((v) => [v]), changes: 1, lastId: 2n ** 60n };
  expect(decodeAnswer(encodeAnswer(answer))).toEqual(answer);
});

test("other answers have other marks", () => {
  const marks = VALUES.map((v) => markOf("", { done: { columns: ["a"], rows: [[v]], changes: 0, lastId: 0 } }));
  expect(new Set(marks).size).toBe(VALUES.length);
});
