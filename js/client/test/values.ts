import fc from "fast-check";
import { textOf, type Value } from "../src/value.ts";

/** Any value that SQLite can hold. */
export const anyValue: fc.Arbitrary<Value> = fc.oneof(
  fc.constant(null),
  fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
  fc.bigInt({ min: -300n, max: 300n }),
  fc.double({ noNaN: true }),
  fc.integer(),
  fc.string({ unit: "binary" }),
  fc.string(),
  fc.uint8Array({ maxLength: 20 }),
  fc.uint8Array({ maxLength: 20 }).map(textOf),
);
