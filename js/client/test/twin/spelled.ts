import { bytesOf, hex, RawText, textOf, unhex, type Value } from "../../src/value.ts";

/** Writes a value as the vectors do. */
export function spell(v: Value): string {
  if (v === null) return "null";
  if (typeof v === "bigint") return `integer:${v}`;
  if (typeof v === "number") {
    const bits = new DataView(new ArrayBuffer(8));
    bits.setFloat64(0, v);
    return `real:${bits.getBigUint64(0).toString(16).padStart(16, "0")}`;
  }
  return `${typeof v === "string" || v instanceof RawText ? "text" : "blob"}:${hex(bytesOf(v))}`;
}

/** Reads what spell wrote. */
export function unspell(s: string): Value {
  const [kind = "", rest = ""] = s.split(":", 2);
  if (kind === "null") return null;
  if (kind === "integer") return BigInt(rest);
  if (kind === "real") {
    const bits = new DataView(new ArrayBuffer(8));
    bits.setBigUint64(0, BigInt(`0x${rest}`));
    return bits.getFloat64(0);
  }
  const bytes = unhex(rest);
  if (!bytes || (kind !== "text" && kind !== "blob")) throw new Error(`${s} is no value`);
  return kind === "text" ? textOf(bytes) : bytes;
}
