import { type Collation, foldName, type Table } from "./schema.ts";
import { binaryOf, bytesOf, bytesOfBinary, type RawText, type Row, textOf, type Value } from "./value.ts";

/**
 * Identity of a row in its table: a string of one character (0 to 255) per
 * byte, equal for two keys exactly when SQLite takes them for the same row.
 * In files it is a blob: `bytesOfBinary` and `binaryOf` of value.ts convert.
 */
export type KeyID = string;

/** The identity of the row with this key, by each column's collation and by numeric value. */
export function keyID(t: Table, key: Row): KeyID {
  let id = "";
  for (let i = 0; i < key.length; i++) id += part(key[i]!, t.columns[t.key[i]!]!.collation);
  return id;
}

/** The identity of a row among those of all tables. */
export function rowID(table: number, id: KeyID): string {
  return `${table}:${id}`;
}

function part(v: Value, collation: Collation): string {
  if (typeof v === "bigint") return `i${varint(v)}`;
  if (typeof v === "number") {
    if (Number.isInteger(v) && v >= -(2 ** 63) && v < 2 ** 63) return `i${varint(BigInt(v))}`;
    const b = new DataView(new ArrayBuffer(8));
    b.setFloat64(0, v);
    return `r${binaryOf(new Uint8Array(b.buffer))}`;
  }
  if (v === null) return "n";
  if (v instanceof Uint8Array) return `b${uvarint(v.length)}${binaryOf(v)}`;
  const s = collated(v, collation);
  return `t${uvarint(s.length)}${s}`;
}

/** The bytes of a text, one character each, in one form for all texts that a collation takes for equal. */
export function collated(v: string | RawText, collation: Collation): string {
  const s = utf8(v);
  if (collation === "NOCASE") return foldNoCase(s);
  return collation === "RTRIM" ? s.replace(/ +$/, "") : s;
}

/** The bytes of a text, one character each. */
function utf8(v: string | RawText): string {
  if (typeof v === "string") {
    let i = 0;
    while (i < v.length && v.charCodeAt(i) < 0x80) i++;
    if (i === v.length) return v;
  }
  return binaryOf(bytesOf(v));
}

/**
 * Gives all texts that NOCASE takes for equal the same form: A to Z are
 * lowered, and behind a zero byte only the length counts, because there the
 * comparison of bytes ends.
 */
function foldNoCase(s: string): string {
  const end = s.indexOf("\0");
  const head = end < 0 ? s : s.slice(0, end);
  return foldName(head) + (end < 0 ? "" : "\0".repeat(s.length - end));
}

/** Zigzag and base 128, as encoding/binary of Go writes it. */
function varint(v: bigint): string {
  if (v >= -0x20000000n && v < 0x20000000n) {
    const n = Number(v);
    return uvarint(n < 0 ? -2 * n - 1 : 2 * n);
  }
  let u = BigInt.asUintN(64, v < 0n ? -2n * v - 1n : 2n * v);
  let s = "";
  for (; u >= 128n; u >>= 7n) s += String.fromCharCode(Number(u & 127n) | 128);
  return s + String.fromCharCode(Number(u));
}

/** Base 128 of a number below 2^31. */
function uvarint(n: number): string {
  let s = "";
  for (; n >= 128; n >>>= 7) s += String.fromCharCode((n & 127) | 128);
  return s + String.fromCharCode(n);
}

/** The key that an identity names; its text comes back folded by its collation. Throws on damage. */
export function parseKeyID(id: KeyID): Value[] {
  const key: Value[] = [];
  let i = 0;
  const unsigned = (): bigint => {
    let u = 0n;
    for (let shift = 0n; shift < 70n; shift += 7n) {
      const c = i < id.length ? id.charCodeAt(i++) : 256;
      if (c > 255 || (shift === 63n && c > 1)) break;
      u |= BigInt(c & 127) << shift;
      if (c < 128) return u;
    }
    throw damaged();
  };
  const take = (n: number): Uint8Array => {
    if (n > id.length - i) throw damaged();
    i += n;
    return bytesOfBinary(id.slice(i - n, i));
  };
  while (i < id.length) {
    switch (id[i++]) {
      case "n":
        key.push(null);
        break;
      case "i": {
        const u = unsigned();
        key.push(BigInt.asIntN(64, u & 1n ? -(u >> 1n) - 1n : u >> 1n));
        break;
      }
      case "r":
        key.push(new DataView(take(8).buffer).getFloat64(0));
        break;
      case "t":
        key.push(textOf(take(Number(unsigned()))));
        break;
      case "b":
        key.push(take(Number(unsigned())));
        break;
      default:
        throw damaged();
    }
  }
  return key;
}

function damaged(): Error {
  return new Error("damaged key");
}
