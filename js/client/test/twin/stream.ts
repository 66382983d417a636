import { createHash } from "node:crypto";

/** The random bytes that the harness makes of the same name: SHA-256 sums of the name and a counter. */
export function stream(name: string): (n: number) => Uint8Array {
  let block = 0;
  let left = new Uint8Array();
  return (n) => {
    const out = new Uint8Array(n);
    let at = 0;
    while (at < n) {
      if (left.length === 0) left = new Uint8Array(createHash("sha256").update(`${name}/${block++}`).digest());
      const part = left.subarray(0, n - at);
      out.set(part, at);
      left = left.subarray(part.length);
      at += part.length;
    }
    return out;
  };
}
