/**
 * xxHash64 with seed 0 (https://github.com/Cyan4973/xxHash, doc/xxhash_spec.md)
 * as a WebAssembly module: a cell takes some 25 multiplications of 64 bits, for
 * which JavaScript is three to four times slower. The module is put together
 * here, of https://webassembly.github.io/spec/core/binary/instructions.html.
 */

/** Bytes of code. */
type Code = readonly number[];

/** An integer as signed LEB128, which readers of unsigned ones take, too. */
function leb(n: bigint | number): Code {
  const v = BigInt.asIntN(64, BigInt(n));
  const low = Number(v & 127n);
  const rest = v >> 7n;
  return rest === (low & 64 ? -1n : 0n) ? [low] : [low | 128, ...leb(rest)];
}

const P1 = 0x9e3779b185ebca87n;
const P2 = 0xc2b2ae3d27d4eb4fn;
const P3 = 0x165667b19e3779f9n;
const P4 = 0x85ebca77c2b2ae63n;
const P5 = 0x27d4eb2f165667c5n;

// The input's length; where we are, where the input ends; the hash; four accumulators.
const length = 0;
const at = 1;
const end = 2;
const hash = 3;
const accumulators = [4, 5, 6, 7];

/** Where the input begins in the memory. The hash is left at 0. */
export const inputAt = 8;

// Instructions. What they take is on the stack.
const get = (local: number): Code => [0x20, local];
const set = (local: number): Code => [0x21, local];
const i32 = (n: number): Code => [0x41, ...leb(n)];
const i64 = (n: bigint): Code => [0x42, ...leb(n)];
const add = 0x7c;
const xor = 0x85;
const times = (n: bigint): Code => [...i64(n), 0x7e];
const plus = (n: bigint): Code => [...i64(n), add];
const rotate = (n: number): Code => [...i64(BigInt(n)), 0x89];
const load = (op: number, offset = 0): Code => [...get(at), op, 0, offset];
const word64 = 0x29;
const word32 = 0x35;
const word8 = 0x31;

const fold = (n: bigint): Code => [...get(hash), ...get(hash), ...i64(n), 0x88, xor];
const forward = (n: number): Code => [...get(at), ...i32(n), 0x6a];
const more = (n: number): Code => [...forward(n), ...get(end), 0x4d];
const when = (condition: Code, body: Code): Code => [...condition, 0x04, 0x40, ...body, 0x0b];
/** Runs body, and goes n bytes forward, while so many are there. */
const each = (n: number, body: Code): Code => [
  ...[0x03, 0x40],
  ...when(more(n), [...body, ...forward(n), ...set(at), 0x0c, 1]),
  0x0b,
];

/** Takes an accumulator and a lane. */
const round: Code = [...times(P2), add, ...rotate(31), ...times(P1)];
const mix = (lane: Code, then: Code): Code => [
  ...[...get(hash), ...i64(0n), ...lane, ...round, xor],
  ...[...then, ...times(P1), ...plus(P4), ...set(hash)],
];

const starts = [P1 + P2, P2, 0n, -P1];
const turns = [1, 7, 12, 18];

const long: Code = [
  ...accumulators.flatMap((a, i) => [...i64(starts[i]!), ...set(a)]),
  ...each(
    32,
    accumulators.flatMap((a, i) => [...get(a), ...load(word64, 8 * i), ...round, ...set(a)]),
  ),
  ...accumulators.flatMap((a, i) => [...get(a), ...rotate(turns[i]!), ...(i > 0 ? [add] : [])]),
  ...set(hash),
  ...accumulators.flatMap((a) => mix(get(a), [])),
];

const body: Code = [
  ...[2, 2, 0x7f, 5, 0x7e], // locals: two of 32 bits, five of 64
  ...[...i32(inputAt), ...set(at), ...get(length), ...i32(inputAt), 0x6a, ...set(end)],
  ...[...i64(P5), ...set(hash), ...when([...get(length), ...i32(32), 0x4f], long)],
  ...[...get(hash), ...get(length), 0xad, add, ...set(hash)],
  ...each(8, mix(load(word64), rotate(27))),
  ...when(more(4), [
    ...[...get(hash), ...load(word32), ...times(P1), xor, ...rotate(23), ...times(P2), ...plus(P3), ...set(hash)],
    ...[...forward(4), ...set(at)],
  ]),
  ...each(1, [...get(hash), ...load(word8), ...times(P5), xor, ...rotate(11), ...times(P1), ...set(hash)]),
  ...[...fold(33n), ...times(P2), ...set(hash), ...fold(29n), ...times(P3), ...set(hash)],
  ...[...i32(0), ...fold(32n), 0x37, 0, 0, 0x0b],
];

const section = (id: number, content: Code): Code => [id, ...leb(content.length), ...content];

/** One function of one 32-bit number, "h"; one memory of a page, "m". */
const code: Code = [
  ...[0, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
  ...section(1, [1, 0x60, 1, 0x7f, 0]),
  ...section(3, [1, 0]),
  ...section(5, [1, 0, 1]),
  ...section(7, [2, 1, 0x68, 0, 0, 1, 0x6d, 2, 0]),
  ...section(10, [1, ...leb(body.length), ...body]),
];

/** A memory, and the function that hashes its bytes from inputAt on. */
export interface Hash64 {
  readonly m: WebAssembly.Memory;
  h(length: number): void;
}

let compiled: WebAssembly.Module | null = null;

export function newHash64(): Hash64 {
  compiled ??= new WebAssembly.Module(Uint8Array.from(code));
  // Its exports are those that the module above declares.
  return new WebAssembly.Instance(compiled).exports as unknown as Hash64;
}
