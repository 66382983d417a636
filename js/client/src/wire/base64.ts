import { binaryOf, bytesOfBinary } from "../value.ts";

/** Base64url without padding, RFC 4648 section 5. */
export function toBase64(bytes: Uint8Array): string {
  return btoa(binaryOf(bytes)).replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/, "");
}

/** The bytes of a text in base64url; null for one that toBase64 does not write. */
export function fromBase64(text: string): Uint8Array | null {
  const tail = text.length % 4;
  if (tail === 1 || /[^\w-]/.test(text)) return null;
  const bytes = bytesOfBinary(atob(text.replaceAll("-", "+").replaceAll("_", "/")));
  // The last character may have bits that belong to no byte: they must be zero.
  const rest = tail === 0 ? "" : toBase64(bytes.subarray(bytes.length + 1 - tail));
  return text.endsWith(rest) ? bytes : null;
}
