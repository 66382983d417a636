import { hex, unhex } from "../value.ts";

/** Bytes of an answer that is worth keeping; of a longer one only the counts are kept. */
const MOST = 64 << 10;

/** What JSON lacks, in an object of its own. */
function plain(_: string, v: unknown): unknown {
  if (typeof v === "bigint") return { $: `${v}` };
  if (v instanceof Uint8Array) return { $x: hex(v) };
  if (Object.is(v, -0)) return { $n: "-0" };
  return typeof v === "number" && !Number.isFinite(v) ? { $n: `${v}` } : v;
}

export function encodeAnswer(answer: unknown): string {
  const text = JSON.stringify(answer ?? null, plain);
  if (text.length <= MOST || typeof answer !== "object" || answer === null) return text;
  return encodeAnswer({ ...answer, columns: [], rows: [], results: [] });
}

export function decodeAnswer(text: string): unknown {
  return JSON.parse(text, (_, v: unknown) => {
    if (typeof v !== "object" || v === null || Array.isArray(v)) return v;
    if ("$" in v) return BigInt(String(v.$));
    if ("$x" in v) return unhex(String(v.$x));
    return "$n" in v ? Number(v.$n) : v;
  });
}

/** Mixes an answer into the mark of those before it: equal marks mean equal answers. */
export function markOf(before: string, answer: unknown): string {
  const text = before + JSON.stringify(answer, plain);
  let a = 0x9e3779b9;
  let b = 0x85ebca6b;
  for (let i = 0; i < text.length; i++) {
    const c = text.charCodeAt(i);
    a = Math.imul(a ^ c, 0x01000193);
    b = Math.imul(b ^ c, 0x5bd1e995) ^ (b >>> 13);
  }
  return `${text.length}.${a >>> 0}.${b >>> 0}`;
}
