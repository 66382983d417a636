import { readFileSync } from "node:fs";
import { expect } from "vitest";
import { type Change, DELETE, type Edit, type EditKind, FORGET, INSERT, type Op, UPDATE } from "../../src/change.ts";
import { TidemarkError } from "../../src/error.ts";
import { textOf, unhex, type Value } from "../../src/value.ts";

/** What a case of spec/vectors may say; spec/README.md tells what each file means by it. */
export interface Case {
  readonly name: string;
  readonly wire?: string;
  readonly also?: string[];
  readonly refused?: string[];
}

/** Reads a file of vectors. */
export function load<T extends Case>(file: string): T[] {
  const cases: T[] = JSON.parse(readFileSync(new URL(`../../../../spec/vectors/${file}`, import.meta.url), "utf8"));
  if (cases.length === 0) throw new Error(`${file} has no cases`);
  return cases;
}

export function bytes(digits: string): Uint8Array {
  const b = unhex(digits);
  if (b === null) throw new Error(`${digits} is not hexadecimal`);
  return b;
}

/** A value as it is spelled in vectors. */
export function plainValue(spelled: string): Value {
  if (spelled === "null") return null;
  const at = spelled.indexOf(":");
  const [kind, rest] = [spelled.slice(0, at), spelled.slice(at + 1)];
  switch (kind) {
    case "integer":
      return BigInt(rest);
    case "real":
      return new DataView(bytes(rest).buffer).getFloat64(0);
    case "text":
      return textOf(bytes(rest));
    case "string":
      return rest;
    case "blob":
      return bytes(rest);
  }
  throw new Error(`${spelled} is no value`);
}

export interface SpelledChange {
  readonly table: number;
  readonly op: string;
  readonly key?: string[];
  readonly columns?: number[];
  readonly new?: string[];
  readonly old?: string[];
  readonly edits?: ({ readonly kind: EditKind; readonly body: string } | null)[];
  readonly made_at?: number;
}

const ops = new Map<string, Op>([
  ["insert", INSERT],
  ["update", UPDATE],
  ["delete", DELETE],
  ["forget", FORGET],
]);

export function changeOf(c: SpelledChange): Change {
  const edit = (e: Edit | null): Edit | null => (e?.kind ? { kind: e.kind, body: e.body } : null);
  return {
    table: c.table,
    op: ops.get(c.op)!,
    key: (c.key ?? []).map(plainValue),
    columns: c.columns ?? [],
    values: (c.new ?? []).map(plainValue),
    old: c.old ? c.old.map(plainValue) : null,
    edits: c.edits ? c.edits.map(edit) : null,
    madeAt: c.made_at ?? 0,
  };
}

/** Every other spelling is read, and none of the refused ones. */
export function spellings<T>(c: Case, read: (text: string) => T, want: T | undefined): void {
  if (want !== undefined) {
    for (const text of [c.wire!, ...(c.also ?? [])]) expect(read(text), text).toStrictEqual(want);
  }
  for (const text of c.refused ?? []) {
    let got: unknown;
    try {
      got = read(text);
    } catch (err) {
      got = err;
    }
    expect(got instanceof TidemarkError && got.code, text).toBe("protocol");
  }
}
