import { isDeepStrictEqual } from "node:util";
import fc from "fast-check";
import { expect, test } from "vitest";
import { number, sameValue } from "../../src/merge/canon.ts";
import { maxIntent, parse } from "../../src/merge/tree.ts";
import { compact, write } from "../../src/merge/write.ts";
import { document } from "./documents.ts";

/** The text without the space between its tokens. */
function squeezed(text: string): string {
  return text.replace(/"(?:[^"\\]|\\.)*"|\s+/g, (found) => (found.startsWith('"') ? found : ""));
}

/** What JSON.parse makes of it, with numbers by their exact value and keys in order. */
function meaning(text: string): unknown {
  const exact = text.replace(/"(?:[^"\\]|\\.)*"|-?\d[\d.eE+-]*/g, (found) =>
    found.startsWith('"') ? found : `{"number":"${fraction(found)}"}`,
  );
  return JSON.parse(exact);
}

/** A number as a whole number times a power of ten that all share. */
function fraction(raw: string): string {
  const [mantissa = "", exponent = "0"] = raw.toLowerCase().split("e");
  const [whole = "", decimals = ""] = mantissa.split(".");
  return String(
    BigInt(whole.replace("-", "") + decimals) *
      10n ** BigInt(Number(exponent) - decimals.length + 500) *
      (whole.startsWith("-") ? -1n : 1n),
  );
}

test("trees are written as they were read, and equal where they mean the same", () => {
  fc.assert(
    fc.property(document, document, (a, b) => {
      const [x, y] = [parse(a, maxIntent), parse(b, maxIntent)];
      expect(write(x)).toBe(a);
      expect(compact(x)).toBe(squeezed(a));
      expect(sameValue(x, y)).toBe(isDeepStrictEqual(meaning(a), meaning(b)));
    }),
    { numRuns: 1000 },
  );
});

const refused = [
  ...["", " ", "nul", "nulll", "tru", "[", "]", "[1", "[1,]", "[,1]", "[1 2]", "{", '{"a"}', '{"a":}', '{"a":1,}'],
  ...["{a:1}", "{'a':1}", '{"a":1 "b":2}', "01", "-", "+1", "1.", ".5", "1e", "1e+", "0x10", "NaN", "Infinity"],
  ...['"', '"\\', '"\\x"', '"\\u12"', '"\\u12g4"', '"\\ud800"', '"\\udc00"', '"\\ud800\\u0041"', '"\n"', "[1]\0"],
  ...["\ufeff[1]", '{"a":1,"a":2}', '{"a":1,"\\u0061":2}', '[{"a":1,"a":2}]', "[1]//", "/**/[1]", "[1]]", "[1]{}"],
  ...["[".repeat(33) + "]".repeat(33), "[".repeat(1 << 20), '{"a":'.repeat(1 << 17), `"${"a".repeat(maxIntent)}"`],
  `"${"é".repeat(maxIntent / 2)}"`,
];

test.each(refused.map((text) => [JSON.stringify(text.slice(0, 40)), text]))("is refused: %s", (_, text) => {
  expect(() => parse(text, maxIntent)).toThrow();
});

test("what is beyond the bounds says so", () => {
  expect(() => parse("[".repeat(40), maxIntent)).toThrow("nested too deeply");
  expect(() => parse(" ".repeat(maxIntent + 1), maxIntent)).toThrow("too large");
});

test.each(["\t\r\n []", '"\\b\\f\\n\\r\\t\\/\\\\\\"\\u00fC\\ud834\\udd1E"', "-0.0e-0", "1E+5", '{"":{"":0}}'])(
  "is read: %s",
  (text) => {
    expect(write(parse(text, maxIntent))).toBe(text.trim());
  },
);

test("arrays within each other are read up to the bound", () => {
  const text = "[".repeat(32) + "]".repeat(32);
  expect(write(parse(text, maxIntent))).toBe(text);
});

test("numbers are compared by value, whatever their spelling", () => {
  const alike = [
    ["0", "-0", "0.000", "0e99", "-0.0E-7"],
    ["1", "1.0", "10e-1", "0.1e1", "100E-2", "1e0", "1e-0", "1e+0"],
    ["100", "1e2", "1E+2", "0.001e5", "100.00"],
    ["9007199254740993", "9007199254740993.0", "9007199254740.993e3"],
    ["9007199254740992"],
    ["-1", "-1.0"],
    ["0.1", "1e-1"],
    ["1e400", "10e399"],
    ["1e99999999999999999999"],
    ["-1e99999999999999999999"],
  ];
  for (const list of alike) expect(new Set(list.map(number)).size).toBe(1);
  expect(new Set(alike.flat().map(number)).size).toBe(alike.length);
});
