import { keyID } from "../key.ts";
import { keyOf, type Schema, type Table } from "../schema.ts";
import type { Row } from "../value.ts";
import type { Hasher } from "./digest.ts";

/** The sums per table and column. A table or column that is missing has the sum 0. */
export class Sums {
  /** By table: low half and high half of each column's sum. */
  readonly #tables = new Map<number, Int32Array>();

  /** Adds (or, with sign -1, takes away) the cells of a row; null changes nothing. */
  add(h: Hasher, t: Table, row: Row | null, sign: 1 | -1): void {
    if (row === null) return;
    const sums = this.#of(t.id, row.length);
    const common = h.begin(t.id, keyID(t, keyOf(t, row)));
    for (let c = 0; c < row.length; c++) {
      if (!h.cell(common, c, row[c]!)) continue;
      const { out } = h;
      const low = (sums[2 * c]! >>> 0) + sign * (out[0]! >>> 0);
      sums[2 * c] = low;
      sums[2 * c + 1] = sums[2 * c + 1]! + sign * out[1]! + (low < 0 ? -1 : low > 0xffffffff ? 1 : 0);
    }
  }

  #of(id: number, columns: number): Int32Array {
    const sums = this.#tables.get(id);
    if (sums && sums.length >= 2 * columns) return sums;
    const more = new Int32Array(2 * columns);
    if (sums) more.set(sums);
    this.#tables.set(id, more);
    return more;
  }

  has(id: number): boolean {
    return this.#tables.has(id);
  }

  /** Sets the sums of a table of so many columns to zero. */
  clear(id: number, columns: number): void {
    this.#tables.set(id, new Int32Array(2 * columns));
  }

  /** The sums of a table: 8 bytes per column, most significant first. */
  bytes(id: number): Uint8Array {
    const sums = this.#tables.get(id) ?? new Int32Array();
    const view = new DataView(new ArrayBuffer(4 * sums.length));
    for (let i = 0; i < sums.length; i++) view.setInt32(4 * (i ^ 1), sums[i]!);
    return new Uint8Array(view.buffer);
  }

  /** Takes what `bytes` gave; throws on damage. */
  read(id: number, bytes: Uint8Array): void {
    if (bytes.length % 8 !== 0) throw new Error(`damaged sums of table ${id}`);
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    this.#tables.set(
      id,
      Int32Array.from({ length: bytes.length / 4 }, (_, i) => view.getInt32(4 * (i ^ 1))),
    );
  }

  /** Sums all cells of the schema's tables that sync. */
  total(s: Schema): bigint {
    let sum = 0n;
    for (const t of s.tables) if (t.out === "") sum += this.table(t.id);
    return BigInt.asUintN(64, sum);
  }

  /** Sums all cells of a table. */
  table(id: number): bigint {
    let sum = 0n;
    const view = new DataView(this.bytes(id).buffer);
    for (let i = 0; i < view.byteLength; i += 8) sum += view.getBigUint64(i);
    return BigInt.asUintN(64, sum);
  }
}
