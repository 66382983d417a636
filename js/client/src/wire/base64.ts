const digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
const places = new Int8Array(128).fill(-1);
for (let i = 0; i < 64; i++) places[digits.charCodeAt(i)] = i;

/** Base64url without padding, RFC 4648 section 5. */
export function toBase64(bytes: Uint8Array): string {
  let s = "";
  let bits = 0;
  let n = 0;
  for (const b of bytes) {
    bits = ((bits & 63) << 8) | b;
    for (n += 8; n >= 6; ) {
      n -= 6;
      s += digits[(bits >> n) & 63];
    }
  }
  return n > 0 ? s + digits[(bits << (6 - n)) & 63] : s;
}

/** The bytes of a text in base64url; null for one that toBase64 does not write. */
export function fromBase64(text: string): Uint8Array | null {
  const bytes = new Uint8Array((text.length * 3) >> 2);
  let bits = 0;
  let n = 0;
  let at = 0;
  for (let i = 0; i < text.length; i++) {
    const place = places[text.charCodeAt(i)] ?? -1;
    if (place < 0) return null;
    bits = ((bits & 255) << 6) | place;
    n += 6;
    if (n < 8) continue;
    n -= 8;
    bytes[at++] = bits >> n;
  }
  // Bits that belong to no byte are fewer than a digit has, and zero.
  return n < 6 && (bits & ((1 << n) - 1)) === 0 ? bytes : null;
}
