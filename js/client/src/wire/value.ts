/**
 * A value is null, a string, a number or an object with one member:
 *
 *     NULL                     null
 *     integer                  12, {"i":"9223372036854775807"} beyond 2^53
 *     real, not whole          1.5, 1e-7 (always with a point or an exponent)
 *     real, whole or infinite  {"f":1}, {"f":-0}, {"f":"inf"}, {"f":"-inf"}
 *     text                     "abc", {"t":"_w"} when it is not UTF-8
 *     blob                     {"b":"_w"}, base64url without padding
 */
import { quote } from "../literal/literal.ts";
import { RawText, type Row, type Value } from "../value.ts";
import { toBase64 } from "./base64.ts";
import { decode, maxInt } from "./reader.ts";

/** Encodes one value. */
export function encodeValue(v: Value): string {
  switch (typeof v) {
    case "string":
      return quote(v);
    case "bigint":
      return v <= maxInt && v >= -maxInt ? String(v) : `{"i":"${v}"}`;
    case "number":
      return encodeReal(v);
  }
  if (v === null) return "null";
  return v instanceof RawText ? `{"t":"${toBase64(v.bytes)}"}` : `{"b":"${toBase64(v)}"}`;
}

function encodeReal(f: number): string {
  if (Number.isNaN(f)) return "null";
  if (!Number.isFinite(f)) return f > 0 ? '{"f":"inf"}' : '{"f":"-inf"}';
  return Number.isInteger(f) ? `{"f":${Object.is(f, -0) ? "-0" : f}}` : String(f);
}

/** Encodes a row or a key; null is null. */
export function encodeValues(vs: Row | null): string {
  return vs === null ? "null" : `[${vs.map(encodeValue).join(",")}]`;
}

/** Reads what encodeValue wrote. */
export function decodeValue(text: string | Uint8Array): Value {
  return decode(text, (r) => r.value());
}

/** Reads what encodeValues wrote. */
export function decodeValues(text: string | Uint8Array): Value[] | null {
  return decode(text, (r) => r.values());
}
