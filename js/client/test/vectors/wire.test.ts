import { expect, test } from "vitest";
import { hex } from "../../src/value.ts";
import { appendChanges, decodeChanges } from "../../src/wire/changes.ts";
import { decodeValue, encodeValue } from "../../src/wire/value.ts";
import { hashOf } from "../../src/wire/wire.ts";
import { bytes, type Case, changeOf, load, plainValue, type SpelledChange, spellings } from "./vectors.ts";

test.each(load<Case & { value?: string }>("values.json"))("value: $name", (c) => {
  const want = c.value === undefined ? undefined : plainValue(c.value);
  if (want !== undefined) expect(encodeValue(want)).toBe(c.wire);
  spellings(c, decodeValue, want);
});

test.each(load<Case & { changes?: SpelledChange[]; old?: boolean }>("changes.json"))("changes: $name", (c) => {
  const want = c.changes?.map(changeOf);
  if (want) expect(new TextDecoder().decode(appendChanges(want, c.old))).toBe(c.wire);
  spellings(c, decodeChanges, want);
  spellings(c, (text) => decodeChanges(new TextEncoder().encode(text)), want);
});

test.each(load<Case & { salt: string; body: string; hash: string }>("hashes.json"))("hash: $name", (c) => {
  expect(hex(hashOf(bytes(c.salt), new TextEncoder().encode(c.body)))).toBe(c.hash);
});
