import fc from "fast-check";
import type { Value } from "../../src/value.ts";

/** Spellings of few JSON values, so that equal ones meet. */
const scalars = fc.constantFrom(
  ...["1", "1.0", "10e-1", "0.1E+1", "2", "-0", "0", "0.0", "1e400", "10e399"],
  ...["12345678901234567890123", "12345678901234567890124", '"a"', '"\\u0061"', '"b"', '""'],
  ...['"\\ud834\\udd1e"', '"𝄞"', '"\\n\\"\\\\"', "null", "true", "false"],
);

/** The ways in which people and libraries lay JSON out: what opens, separates, follows a key, closes. */
const spaces = fc.constantFrom(
  ["", ",", ":", ""] as const,
  ["", ", ", ": ", ""] as const,
  ["\n  ", ",\n  ", ": ", "\n"] as const,
  [" ", " ,\t", " : ", " "] as const,
);

const keys = fc.constantFrom('"a"', '"b"', '"c"', '"\\u0064"', '"é"', '"𝄞"', '"x\\n"', '""', '"1"', '"2"', '"3"');

export const { document, array, object } = fc.letrec<{ document: string; array: string; object: string }>((tie) => ({
  document: fc.oneof({ maxDepth: 3, depthIdentifier: "json" }, scalars, tie("array"), tie("object")),
  array: fc
    .tuple(spaces, fc.array(tie("document"), { maxLength: 4, depthIdentifier: "json" }))
    .map(([[open, comma, , close], list]) => (list.length > 0 ? `[${open}${list.join(comma)}${close}]` : "[]")),
  object: fc
    .tuple(
      spaces,
      fc.uniqueArray(fc.tuple(keys, tie("document")), { maxLength: 11, selector: ([k]) => k, depthIdentifier: "json" }),
    )
    .map(([[open, comma, colon, close], list]) => {
      const members = list.map(([k, v]) => k + colon + v);
      return list.length > 0 ? `{${open}${members.join(comma)}${close}}` : "{}";
    }),
}));

/** Integers and reals, with those at the edges more often than chance would have it. */
export const numbers: fc.Arbitrary<bigint | number> = fc.oneof(
  fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
  fc.bigInt({ min: -9n, max: 9n }),
  fc.constantFrom<bigint | number>(
    2n ** 63n - 1n,
    -(2n ** 63n),
    2n ** 53n,
    2n ** 53n + 1n,
    2 ** 53,
    2 ** 63,
    -(2 ** 63),
  ),
  fc.constantFrom(0, -0, Infinity, -Infinity, Number.MAX_VALUE, Number.MIN_VALUE),
  fc.integer({ min: -40, max: 40 }).map((n) => n / 4),
  fc.integer({ min: -40, max: 40 }).map((n) => n / 10),
  fc.double({ noNaN: true }),
);

/** Values of every storage class; texts are often JSON. */
export const values: fc.Arbitrary<Value> = fc.oneof(
  fc.constant(null),
  numbers,
  fc.uint8Array({ maxLength: 4 }),
  fc.constantFrom("", "a", "A", "a ", "a\0b", "a\0C", "ü", "\uffff", "😀", "{", "[1"),
  array,
  object,
  fc.string(),
);
