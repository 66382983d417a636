/**
 * Sums keyed hashes of cells, so that two copies can prove that they hold the
 * same rows. NULL counts nothing; the hash of a row is the sum of its cells
 * modulo 2^64. The hash of a cell is xxHash64 over these bytes:
 *
 *     digest key       16 bytes
 *     table id         unsigned varint
 *     length of keyID  unsigned varint
 *     keyID            of the row's key
 *     column place     unsigned varint
 *     value            'i' or 'r' and 8 bytes little-endian; 't' or 'b' and the bytes
 *
 * Values are hashed as they are stored: read a row back before hashing it.
 */
import { type KeyID, keyID } from "../key.ts";
import { keyOf, type Table } from "../schema.ts";
import { bytesOf, type Row, type Value } from "../value.ts";
import { type Hash64, inputAt, newHash64 } from "./xxhash.ts";

/** The size above which the memory of a large value is given back. */
const keptBytes = 1 << 20;

const encoder = new TextEncoder();

/** Computes hashes under the key of a space: 16 bytes. */
export class Hasher {
  /** The hash of the last cell: low half and high half. */
  out!: Int32Array;
  readonly #key: Uint8Array;
  #hash!: Hash64;
  #bytes!: Uint8Array;
  #view!: DataView;
  #at = 0;

  constructor(key: Uint8Array) {
    this.#key = key;
    this.#renew();
  }

  #renew(): void {
    this.#hash = newHash64();
    this.#look();
  }

  #look(): void {
    const { buffer } = this.#hash.m;
    this.out = new Int32Array(buffer, 0, 2);
    this.#bytes = new Uint8Array(buffer);
    this.#view = new DataView(buffer);
  }

  /** Sums the cells of a whole row; null gives 0. */
  row(t: Table, row: Row | null): bigint {
    let sum = 0n;
    if (row === null) return sum;
    const common = this.begin(t.id, keyID(t, keyOf(t, row)));
    for (let c = 0; c < row.length; c++) {
      if (this.cell(common, c, row[c]!)) sum += this.last();
    }
    return BigInt.asUintN(64, sum);
  }

  /** The hash of the last cell as one number. */
  last(): bigint {
    return (BigInt(this.out[1]! >>> 0) << 32n) | BigInt(this.out[0]! >>> 0);
  }

  /** Hashes that a row is in a scope: a cell behind every column. */
  member(table: number, id: KeyID, scope: string): bigint {
    this.cell(this.begin(table, id), 1 << 16, scope);
    return this.last();
  }

  /** Lays what all cells of a row have in common into the memory, and gives where it ends. */
  begin(table: number, id: KeyID): number {
    if (this.#bytes.length > keptBytes) this.#renew();
    this.#bytes.set(this.#key, inputAt);
    this.#at = inputAt + this.#key.length;
    this.#varint(table);
    this.#varint(id.length);
    this.#room(id.length);
    for (let i = 0; i < id.length; i++) this.#bytes[this.#at++] = id.charCodeAt(i);
    return this.#at;
  }

  /** Hashes one cell, laid behind what is common, into `out`; false for NULL, which counts nothing. */
  cell(common: number, column: number, v: Value): boolean {
    if (v === null) return false;
    this.#at = common;
    this.#room(14);
    this.#varint(column);
    switch (typeof v) {
      case "bigint":
        this.#bytes[this.#at++] = 105; // i
        this.#view.setBigInt64(this.#at, v, true);
        this.#at += 8;
        break;
      case "number":
        this.#bytes[this.#at++] = 114; // r
        this.#view.setFloat64(this.#at, v, true);
        this.#at += 8;
        break;
      case "string":
        this.#bytes[this.#at++] = 116; // t
        this.#text(v);
        break;
      default:
        this.#bytes[this.#at++] = v instanceof Uint8Array ? 98 : 116; // b, t
        this.#append(bytesOf(v));
    }
    this.#hash.h(this.#at - inputAt);
    return true;
  }

  #varint(n: number): void {
    for (; n >= 128; n >>>= 7) this.#bytes[this.#at++] = (n & 127) | 128;
    this.#bytes[this.#at++] = n;
  }

  #text(s: string): void {
    this.#room(3 * s.length);
    const bytes = this.#bytes;
    let i = 0;
    if (s.length <= 64) {
      for (; i < s.length; i++) {
        const c = s.charCodeAt(i);
        if (c > 127) break;
        bytes[this.#at + i] = c;
      }
    }
    if (i < s.length) i = encoder.encodeInto(s, bytes.subarray(this.#at)).written;
    this.#at += i;
  }

  #append(b: Uint8Array): void {
    this.#room(b.length);
    this.#bytes.set(b, this.#at);
    this.#at += b.length;
  }

  /** Makes room for so many bytes more. */
  #room(n: number): void {
    const missing = this.#at + n - this.#bytes.length;
    if (missing <= 0) return;
    this.#hash.m.grow((missing + 0xffff) >> 16);
    this.#look();
  }
}
