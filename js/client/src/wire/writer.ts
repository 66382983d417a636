import { quote } from "../literal/literal.ts";
import { toBase64 } from "./base64.ts";

/** The zero values of an element, which are left out at the end of an array. */
const zeros = new Set(["0", '""', "false", "null", "[]"]);

/** Writes an array of elements that are encoded already, at least `least` of them. */
export function array(elements: readonly string[], least = 0): string {
  let n = elements.length;
  while (n > least && zeros.has(elements[n - 1]!)) n--;
  return `[${elements.slice(0, n).join(",")}]`;
}

/** Writes a list of strings. */
export function strings(list: readonly string[]): string {
  return `[${list.map(quote).join(",")}]`;
}

/** Writes bytes of a fixed length; all zero is "". */
export function bytes(b: Uint8Array): string {
  return b.every((c) => c === 0) ? '""' : `"${toBase64(b)}"`;
}

/** Writes a sum of hashes as 8 bytes, most significant first. */
export function sum(n: bigint): string {
  const b = new Uint8Array(8);
  new DataView(b.buffer).setBigUint64(0, n);
  return bytes(b);
}
