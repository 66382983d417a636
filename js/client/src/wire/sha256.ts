/** SHA-256 (FIPS 180-4). crypto.subtle is no help here: it answers only later. */

const roots = firstPrimes(64);
const K = Int32Array.from(roots, (p) => fraction(Math.cbrt(p)));
const H = Int32Array.from(roots.slice(0, 8), (p) => fraction(Math.sqrt(p)));

function firstPrimes(n: number): number[] {
  const primes: number[] = [];
  for (let x = 2; primes.length < n; x++) if (primes.every((p) => x % p !== 0)) primes.push(x);
  return primes;
}

/** The first 32 bits behind the point. */
function fraction(x: number): number {
  return ((x % 1) * 2 ** 32) | 0;
}

/** The hash of all parts, one after another. */
export function sha256(...parts: readonly Uint8Array[]): Uint8Array {
  const length = parts.reduce((n, p) => n + p.length, 0);
  const padded = new Uint8Array((length + 72) & ~63);
  let at = 0;
  for (const p of parts) {
    padded.set(p, at);
    at += p.length;
  }
  padded[at] = 0x80;
  const view = new DataView(padded.buffer);
  view.setUint32(padded.length - 8, length / 2 ** 29);
  view.setUint32(padded.length - 4, length << 3);
  const h = H.slice();
  const w = new Int32Array(64);
  for (let i = 0; i < padded.length; i += 64) block(h, w, view, i);
  const out = new DataView(new ArrayBuffer(32));
  for (const [i, x] of h.entries()) out.setInt32(4 * i, x);
  return new Uint8Array(out.buffer);
}

const turn = (x: number, n: number): number => (x >>> n) | (x << (32 - n));

function block(into: Int32Array, w: Int32Array, view: DataView, at: number): void {
  for (let i = 0; i < 64; i++) {
    if (i < 16) {
      w[i] = view.getInt32(at + 4 * i);
      continue;
    }
    const x = w[i - 15]!;
    const y = w[i - 2]!;
    const s0 = turn(x, 7) ^ turn(x, 18) ^ (x >>> 3);
    const s1 = turn(y, 17) ^ turn(y, 19) ^ (y >>> 10);
    w[i] = (w[i - 16]! + s0 + w[i - 7]! + s1) | 0;
  }
  let [a, b, c, d, e, f, g, h] = into as unknown as [number, number, number, number, number, number, number, number];
  for (let i = 0; i < 64; i++) {
    const s1 = turn(e, 6) ^ turn(e, 11) ^ turn(e, 25);
    const t = (h + s1 + ((e & f) ^ (~e & g)) + K[i]! + w[i]!) | 0;
    const s0 = turn(a, 2) ^ turn(a, 13) ^ turn(a, 22);
    h = g;
    g = f;
    f = e;
    e = (d + t) | 0;
    d = c;
    const majority = (a & b) ^ (a & c) ^ (b & c);
    c = b;
    b = a;
    a = (t + s0 + majority) | 0;
  }
  [a, b, c, d, e, f, g, h].forEach((x, i) => {
    into[i] = into[i]! + x;
  });
}
