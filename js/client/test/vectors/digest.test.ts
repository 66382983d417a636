import fc from "fast-check";
import { expect, test } from "vitest";
import { Hasher } from "../../src/digest/digest.ts";
import { Sums } from "../../src/digest/sums.ts";
import { inputAt, newHash64 } from "../../src/digest/xxhash.ts";
import { keyID } from "../../src/key.ts";
import { keyOf, type Table } from "../../src/schema.ts";
import type { Row } from "../../src/value.ts";
import { columnOf, tableOf } from "../tables.ts";
import { anyValue } from "../values.ts";
import { bytes, type Case, load, plainValue } from "./vectors.ts";

interface DigestCase extends Case {
  readonly secret: string;
  readonly table: number;
  readonly collations: string[];
  readonly values: string[];
  readonly cells: string[];
  readonly row: string;
  readonly members?: Readonly<Record<string, string>>;
}

const digits = (n: bigint): string => n.toString(16).padStart(16, "0");

/** A table of so many columns, of which those with a collation are the key. */
function table(id: number, key: string[], width: number): Table {
  const columns = Array.from({ length: width - key.length }, (_, i) => columnOf(`c${i}`));
  return tableOf({ id, key, columns });
}

test.each(load<DigestCase>("digest.json"))("digest: $name", (c) => {
  const row = c.values.map(plainValue);
  const t = table(c.table, c.collations, row.length);
  const h = new Hasher(bytes(c.secret));
  const id = keyID(t, keyOf(t, row));
  const common = h.begin(t.id, id);
  expect(row.map((v, i) => digits(h.cell(common, i, v) ? h.last() : 0n))).toEqual(c.cells);
  expect(digits(h.row(t, row))).toBe(c.row);
  for (const [scope, want] of Object.entries(c.members ?? {})) expect(digits(h.member(t.id, id, scope))).toBe(want);
});

/** xxHash64 as its specification has it, on bigints. */
function slowHash(b: Uint8Array): bigint {
  const cut = (n: bigint): bigint => BigInt.asUintN(64, n);
  const turn = (n: bigint, by: bigint): bigint => cut(n << by) | (cut(n) >> (64n - by));
  const [p1, p2, p3] = [0x9e3779b185ebca87n, 0xc2b2ae3d27d4eb4fn, 0x165667b19e3779f9n];
  const [p4, p5] = [0x85ebca77c2b2ae63n, 0x27d4eb2f165667c5n];
  const view = new DataView(b.buffer, b.byteOffset, b.length);
  const lane = (i: number): bigint => view.getBigUint64(i, true);
  const round = (acc: bigint, x: bigint): bigint => cut(turn(cut(acc + x * p2), 31n) * p1);
  let i = 0;
  let h = p5;
  if (b.length >= 32) {
    const acc = [p1 + p2, p2, 0n, -p1].map(cut);
    for (; i + 32 <= b.length; i += 32) for (let k = 0; k < 4; k++) acc[k] = round(acc[k]!, lane(i + 8 * k));
    h = cut(turn(acc[0]!, 1n) + turn(acc[1]!, 7n) + turn(acc[2]!, 12n) + turn(acc[3]!, 18n));
    for (const a of acc) h = cut((h ^ round(0n, a)) * p1 + p4);
  }
  h = cut(h + BigInt(b.length));
  for (; i + 8 <= b.length; i += 8) h = cut(turn(h ^ round(0n, lane(i)), 27n) * p1 + p4);
  for (; i + 4 <= b.length; i += 4) h = cut(turn(h ^ cut(BigInt(view.getUint32(i, true)) * p1), 23n) * p2 + p3);
  for (; i < b.length; i++) h = cut(turn(h ^ cut(BigInt(b[i]!) * p5), 11n) * p1);
  h = cut((h ^ (h >> 33n)) * p2);
  h = cut((h ^ (h >> 29n)) * p3);
  return h ^ (h >> 32n);
}

test("the hash is xxHash64", () => {
  const { m, h } = newHash64();
  const memory = new Uint8Array(m.buffer).fill(0xa5);
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200, size: "max" }), (b) => {
      memory.set(b, inputAt);
      h(b.length);
      expect(digits(new DataView(m.buffer).getBigUint64(0, true))).toBe(digits(slowHash(b)));
    }),
    { numRuns: 500 },
  );
});

test("sums add rows up and take them away, whatever the order", () => {
  const t = table(3, ["BINARY"], 3);
  const h = new Hasher(new Uint8Array(16).fill(7));
  const anyRow: fc.Arbitrary<Row> = fc.tuple(anyValue, anyValue, anyValue);
  const schema = { hash: "", tables: [t], objects: [], scopes: [], public: [], declared: "", guards: [] };
  fc.assert(
    fc.property(fc.array(anyRow, { maxLength: 6 }), fc.array(anyRow, { maxLength: 4 }), (stay, go) => {
      const sums = new Sums();
      for (const row of go) sums.add(h, t, row, 1);
      for (const row of stay) sums.add(h, t, row, 1);
      for (const row of go) sums.add(h, t, row, -1);
      const want = stay.reduce((n, row) => n + h.row(t, row), 0n);
      expect(sums.total(schema)).toBe(BigInt.asUintN(64, want));
      const copy = new Sums();
      copy.read(3, sums.bytes(3));
      expect(copy.total(schema)).toBe(sums.total(schema));
      expect(copy.bytes(3)).toEqual(sums.bytes(3));
    }),
  );
});

test("values of any length are hashed, and short ones after them", () => {
  const t = table(1, ["BINARY"], 2);
  const h = new Hasher(new Uint8Array(16));
  const small = h.row(t, [1n, "a"]);
  const long = ["ä".repeat(300), "b".repeat(70_000), new Uint8Array(200_000)];
  const sums = long.map((v) => h.row(t, [1n, v]));
  expect(new Set(sums).size).toBe(3);
  expect(long.map((v) => h.row(t, [1n, v]))).toEqual(sums);
  expect(h.row(t, [1n, "a"])).toBe(small);
});
