import { createHash } from "node:crypto";
import fc from "fast-check";
import { expect, test } from "vitest";
import { type Change, DELETE, type Edit, INSERT, UPDATE } from "../../src/change.ts";
import { TidemarkError } from "../../src/error.ts";
import { quote, read } from "../../src/literal/literal.ts";
import type { Row, Value } from "../../src/value.ts";
import { fromBase64, toBase64 } from "../../src/wire/base64.ts";
import { appendChanges, decodeChanges } from "../../src/wire/changes.ts";
import { decodeDown } from "../../src/wire/down.ts";
import { sha256 } from "../../src/wire/sha256.ts";
import { decodeValue, decodeValues, encodeValue, encodeValues } from "../../src/wire/value.ts";
import { anyValue } from "../values.ts";
import { type Case, load } from "../vectors/vectors.ts";

/** Nothing but a refusal of code protocol comes out of a message that cannot be read. */
function tryDecode(text: string): void {
  try {
    expect(typeof decodeDown(text).type).toBe("string");
  } catch (err) {
    expect(err instanceof TidemarkError ? err.code : err, text).toBe("protocol");
  }
}

const messages = load<Case & { to: string }>("messages.json").flatMap((c) =>
  c.to === "replica" ? (c.wire ?? []) : [],
);
const changes = load<Case>("changes.json").flatMap((c) => (c.wire ? `["b",1,"",${c.wire}]` : []));

test("a message with parts cut, doubled and replaced is read or refused", () => {
  const piece = fc.constantFrom(
    ...'[]{},:"\\ -.0e19un\0\u2028\ud800',
    "null",
    '["e",',
    "1e999",
    '{"i":"',
    "9".repeat(20),
  );
  const change = fc.record({ at: fc.nat(200), cut: fc.nat(6), put: fc.array(piece, { maxLength: 3 }) });
  const base = fc.constantFrom(...messages, ...changes);
  fc.assert(
    fc.property(base, fc.array(change, { minLength: 1, maxLength: 4 }), (text, list) => {
      for (const { at, cut, put } of list) {
        const i = at % (text.length + 1);
        text = text.slice(0, i) + put.join("") + text.slice(i + cut);
      }
      tryDecode(text);
    }),
    { numRuns: 3000 },
  );
});

test("anything at all is read or refused", () => {
  fc.assert(fc.property(fc.string({ unit: "binary" }), tryDecode));
  fc.assert(fc.property(fc.json(), tryDecode));
  fc.assert(
    fc.property(fc.constantFrom(..."wsobgrlx"), fc.array(fc.json()), (kind, list) => tryDecode(`["${kind}",${list}]`)),
  );
});

test("what is nested without end is refused", () => {
  for (const open of ["[", '{"a":', '["b",1,"",[', '["s","",[']) tryDecode(open.repeat(100_000));
});

test("long strings and numbers are read or refused", () => {
  const long = 'a\\"'.repeat(300_000);
  expect(decodeValue(`"${long}"`)).toBe('a"'.repeat(300_000));
  for (const text of [`"${"\\".repeat(1_000_001)}`, "9".repeat(1_000_000), `0.${"1".repeat(1_000_000)}e`, '"\\']) {
    expect(() => decodeValue(text)).toThrow(TidemarkError);
  }
});

test("every value comes back", () => {
  fc.assert(
    fc.property(fc.array(anyValue), (vs) => {
      expect(decodeValues(encodeValues(vs))).toStrictEqual(vs);
      for (const v of vs) expect(decodeValue(encodeValue(v))).toStrictEqual(v);
    }),
  );
  expect(decodeValues(encodeValues(null))).toBeNull();
});

test("every text comes back from its literal, which JSON reads, too", () => {
  fc.assert(
    fc.property(fc.string({ unit: "binary" }), fc.string({ unit: "binary" }), (s, rest) => {
      const text = quote(s);
      expect(read(text + rest, 1)).toEqual([s, text.length]);
      expect(JSON.parse(text)).toBe(s);
    }),
  );
});

test("all bytes come back from base64, and it is what others write", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 100 }), (b) => {
      expect(toBase64(b)).toBe(Buffer.from(b).toString("base64url"));
      expect(fromBase64(toBase64(b))).toEqual(b);
    }),
  );
});

test("SHA-256 is what others compute", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300, size: "max" }), fc.nat(300), (b, cut) => {
      const want = new Uint8Array(createHash("sha256").update(b).digest());
      expect(sha256(b.subarray(0, cut), b.subarray(cut))).toEqual(want);
    }),
  );
});

const body = fc.constantFrom("1", '{"s":[[0,0,"x"]]}', '[["b"],[1.0]]', "-0.50");
const edit: fc.Arbitrary<Edit> = fc.record(
  { kind: fc.constantFrom("a", "m", "k", "t"), body },
  { noNullPrototype: true },
);
const place = fc.nat(5);

/** Changes as they are made: of three tables, with and without edits, times and before-images. */
const change: fc.Arbitrary<Change> = fc
  .record({
    table: fc.integer({ min: 1, max: 3 }),
    op: fc.constantFrom(INSERT, UPDATE, DELETE),
    key: fc.array(anyValue, { minLength: 1, maxLength: 2 }),
    cells: fc.array(fc.tuple(place, anyValue, anyValue, fc.option(edit, { freq: 6 })), { minLength: 1, maxLength: 3 }),
    madeAt: fc.oneof({ weight: 5, arbitrary: fc.constant(0) }, { weight: 1, arbitrary: fc.constant(1763712000000) }),
    keyed: fc.boolean(),
  })
  .map(({ table, op, key, cells, madeAt, keyed }): Change => {
    const row: Value[] = [...cells.map(([, v]) => v), ...(keyed ? key : [])];
    if (op === INSERT) return { table, op, key, columns: [], values: row, old: null, edits: null, madeAt };
    if (op === DELETE) return { table, op, key, columns: [], values: [], old: row, edits: null, madeAt: 0 };
    const edits = cells.map(([, , , e]) => e);
    const unless = (vs: Row): Value[] => vs.map((v, i) => (edits[i] ? null : v));
    return {
      ...{ table, op, key, madeAt, columns: cells.map(([c]) => c), values: unless(cells.map(([, v]) => v)) },
      ...{ old: unless(cells.map(([, , v]) => v)), edits: edits.some((e) => e) ? edits : null },
    };
  });

test("all changes come back, with and without what was before", () => {
  fc.assert(
    fc.property(fc.array(change, { maxLength: 8 }), fc.boolean(), (list, old) => {
      const want = old ? list : list.map((c) => ({ ...c, old: null }));
      expect(decodeChanges(appendChanges(list, old))).toStrictEqual(want);
    }),
    { numRuns: 500 },
  );
});

test("changes of one shape stand in one run, of at most 1024", () => {
  const list = Array.from({ length: 1500 }, (_, i): Change => {
    const row = [BigInt(i), `n${i}`];
    return { table: 1, op: INSERT, key: [BigInt(i)], columns: [], values: row, old: null, edits: null, madeAt: 0 };
  });
  const text = new TextDecoder().decode(appendChanges(list));
  expect(text.split('"i"').length - 1).toBe(2);
  expect(decodeChanges(text)).toStrictEqual(list);
});
