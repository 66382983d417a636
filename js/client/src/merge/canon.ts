import type { Node } from "./tree.ts";

/**
 * A string that two JSON values share exactly when they are equal: numbers by
 * value, whatever their size and spelling; strings by what they say; arrays in
 * order; objects whatever the order of their keys.
 */
export function canon(n: Node): string {
  if (n.kind === '"') return counted(n.str);
  if (n.kind === "0") return `${number(n.raw)};`;
  if (n.kind !== "[" && n.kind !== "{") return n.kind; // null, true, false
  const list = n.items.flatMap((it) => (it.val ? [(n.kind === "{" ? counted(it.key) : "") + canon(it.val)] : []));
  if (n.kind === "{") list.sort();
  return `${n.kind}${list.join("")}]`;
}

function counted(s: string): string {
  return `"${s.length}:${s}`;
}

/**
 * A number as its digits without zeros at either end and the power of ten behind
 * them. Powers that no 64 bits hold stand as spelled: nobody computes with them.
 */
export function number(raw: string): string {
  const [mantissa = "", exponent = "0"] = raw.split(/e/i);
  let power = BigInt(exponent);
  if (BigInt.asIntN(62, power) !== power) return `?${raw}`;
  const [whole = "", fraction = ""] = mantissa.replace("-", "").split(".");
  const digits = (whole + fraction).replace(/^0+/, "");
  if (digits === "") return "0";
  const short = digits.replace(/0+$/, "");
  power += BigInt(digits.length - short.length - fraction.length);
  return `${raw.startsWith("-") ? "-" : ""}${short}e${power}`;
}

/** Whether two JSON values are equal; null is no value. */
export function sameValue(a: Node | null, b: Node | null): boolean {
  if (a === null || b === null) return a === b;
  return a.kind === b.kind && ((a.raw === b.raw && !a.edited && !b.edited) || canon(a) === canon(b));
}
