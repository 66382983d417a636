import fc from "fast-check";
import { expect, test } from "vitest";
import { keyID, parseKeyID } from "../../src/key.ts";
import { binaryOf, hex, type Value } from "../../src/value.ts";
import { tableOf } from "../tables.ts";
import { anyValue } from "../values.ts";
import { bytes, type Case, load, plainValue } from "./vectors.ts";

type KeyCase = Case & { collations: string[]; keys: string[][]; id: string };
const cases = load<KeyCase>("keys.json");

const identity = (collations: string[], key: Value[]): string => keyID(tableOf({ key: collations }), key);

test.each(cases)("key: $name", (c) => {
  for (const key of c.keys) {
    const id = identity(c.collations, key.map(plainValue));
    expect(id).toBe(binaryOf(bytes(c.id)));
    expect(identity(c.collations, parseKeyID(id))).toBe(id);
  }
});

test("no two cases have one identity", () => {
  const ids = cases.map((c) => `${c.collations} ${c.id}`);
  expect(new Set(ids).size).toBe(ids.length);
});

test("what an identity names has that identity", () => {
  const collation = fc.constantFrom("BINARY", "NOCASE", "RTRIM");
  fc.assert(
    fc.property(fc.array(fc.tuple(collation, anyValue), { minLength: 1, maxLength: 4 }), (parts) => {
      const collations = parts.map(([c]) => c);
      const id = identity(
        collations,
        parts.map(([, v]) => v),
      );
      expect(identity(collations, parseKeyID(id))).toBe(id);
    }),
  );
});

test("a damaged identity throws or is read, and never hangs", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 40 }), (b) => {
      try {
        const key = parseKeyID(binaryOf(b));
        expect(key.length, hex(b)).toBeLessThanOrEqual(b.length);
      } catch (err) {
        expect(String(err)).toBe("Error: damaged key");
      }
    }),
  );
});
