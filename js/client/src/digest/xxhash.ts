/**
 * xxHash64 with seed 0 (https://github.com/Cyan4973/xxHash, doc/xxhash_spec.md)
 * on halves of 32 bits: with bigints each of the some 25 multiplications that a
 * cell takes would cost an allocation.
 */

/** The five primes, high half and low half by turns. */
const P = Int32Array.of(
  ...[0x9e3779b1, 0x85ebca87, 0xc2b2ae3d, 0x27d4eb4f, 0x165667b1, 0x9e3779f9],
  ...[0x85ebca77, 0xc2b2ae63, 0x27d4eb2f, 0x165667c5],
);
const [P1h, P1l, P2h, P2l, P3h, P3l, P4h, P4l, P5h, P5l] = [...P] as [
  ...[number, number, number, number, number, number, number, number, number, number],
];

// The number at work. Functions leave what they compute here.
let H = 0;
let L = 0;

function multiply(bh: number, bl: number): void {
  const a0 = L & 0xffff;
  const a1 = L >>> 16;
  const b0 = bl & 0xffff;
  const b1 = bl >>> 16;
  const w1 = (Math.imul(a1, b0) + (Math.imul(a0, b0) >>> 16)) | 0;
  const w2 = (Math.imul(a0, b1) + (w1 & 0xffff)) | 0;
  H = (Math.imul(a1, b1) + (w1 >>> 16) + (w2 >>> 16) + Math.imul(H, bl) + Math.imul(L, bh)) | 0;
  L = Math.imul(L, bl);
}

function add(bh: number, bl: number): void {
  const l = (L >>> 0) + (bl >>> 0);
  H = (H + bh + (l > 0xffffffff ? 1 : 0)) | 0;
  L = l | 0;
}

/** Rotates left by n, 0 < n < 32. */
function rotate(n: number): void {
  const h = (H << n) | (L >>> (32 - n));
  L = (L << n) | (H >>> (32 - n));
  H = h;
}

/** One round: the number and a lane of the input. */
function round(h: number, l: number): void {
  const sh = H;
  const sl = L;
  H = h;
  L = l;
  multiply(P2h, P2l);
  add(sh, sl);
  rotate(31);
  multiply(P1h, P1l);
}

/** Mixes an accumulator into the number. */
function merge(h: number, l: number): void {
  const sh = H;
  const sl = L;
  H = L = 0;
  round(h, l);
  H ^= sh;
  L ^= sl;
  multiply(P1h, P1l);
  add(P4h, P4l);
}

/** The four accumulators of long inputs. */
const acc = new Int32Array(8);

/** Hashes the first bytes of a buffer into its first two words `out`: low half and high half. */
export function hash(bytes: Uint8Array, words: Int32Array, length: number, out: Int32Array): void {
  let i = 0;
  if (length >= 32) i = stripes(words, length);
  else {
    H = P5h;
    L = P5l;
  }
  add(0, length);
  for (; i + 8 <= length; i += 8) {
    const sh = H;
    const sl = L;
    H = L = 0;
    round(words[(i >> 2) + 1]!, words[i >> 2]!);
    H ^= sh;
    L ^= sl;
    rotate(27);
    multiply(P1h, P1l);
    add(P4h, P4l);
  }
  if (i + 4 <= length) {
    tail(words[i >> 2]!, P1h, P1l, 23);
    multiply(P2h, P2l);
    add(P3h, P3l);
    i += 4;
  }
  for (; i < length; i++) {
    tail(bytes[i]!, P5h, P5l, 11);
    multiply(P1h, P1l);
  }
  L ^= H >>> 1; // by 33
  multiply(P2h, P2l);
  const h = H;
  L ^= (H << 3) | (L >>> 29);
  H = h ^ (h >>> 29);
  multiply(P3h, P3l);
  out[0] = L ^ H;
  out[1] = H;
}

/** Mixes in a word or byte that is left over. */
function tail(word: number, ph: number, pl: number, turn: number): void {
  const sh = H;
  const sl = L;
  H = 0;
  L = word;
  multiply(ph, pl);
  H ^= sh;
  L ^= sl;
  rotate(turn);
}

/** Takes in all whole runs of 32 bytes, and gives where they end. */
function stripes(words: Int32Array, length: number): number {
  start();
  let i = 0;
  for (; i + 32 <= length; i += 32) {
    for (let a = 0; a < 8; a += 2) {
      H = acc[a]!;
      L = acc[a + 1]!;
      round(words[(i >> 2) + a + 1]!, words[(i >> 2) + a]!);
      acc[a] = H;
      acc[a + 1] = L;
    }
  }
  let h = 0;
  let l = 0;
  for (let a = 0; a < 4; a++) {
    H = acc[2 * a]!;
    L = acc[2 * a + 1]!;
    const n = [1, 7, 12, 18][a]!;
    rotate(n);
    const sh = H;
    const sl = L;
    H = h;
    L = l;
    add(sh, sl);
    h = H;
    l = L;
  }
  for (let a = 0; a < 8; a += 2) merge(acc[a]!, acc[a + 1]!);
  return i;
}

function start(): void {
  H = P1h;
  L = P1l;
  add(P2h, P2l);
  acc[0] = H;
  acc[1] = L;
  acc[2] = P2h;
  acc[3] = P2l;
  acc[4] = acc[5] = 0;
  H = ~P1h;
  L = ~P1l;
  add(0, 1);
  acc[6] = H;
  acc[7] = L;
}
