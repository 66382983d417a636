/**
 * JSON strings in the one way that bodies, edits and values share: with the
 * escapes that JSON demands and no others, and of whole characters only.
 */

/** What stands in a string as it is: all but quotes, backslashes and control characters. */
const plain = /[ !#-[\]-\uffff]*/y;
const special = /[^ !#-[\]-\uffff]/;
const specials = new RegExp(special, "g");
/** Half of a surrogate pair. */
const half = /\p{Surrogate}/u;

/** A text as a JSON string. */
export function quote(s: string): string {
  return special.test(s) ? `"${s.replace(specials, escaped)}"` : `"${s}"`;
}

function escaped(c: string): string {
  const at = '"\\\n\r\t'.indexOf(c);
  return at < 0 ? `\\u00${(256 + c.charCodeAt(0)).toString(16).slice(1)}` : `\\${'"\\nrt'[at]}`;
}

/**
 * Reads the string in s whose opening quote stands before i: what it says, and
 * the place behind its closing quote. Throws where there is none.
 */
export function read(s: string, i: number): [text: string, end: number] {
  let end = pass(s, i);
  if (s[end] === '"') return [s.slice(i, end), end + 1];
  while (s[end] === "\\") end = pass(s, end + 2);
  if (s[end] !== '"') throw new SyntaxError("a string has no end");
  const text: unknown = JSON.parse(s.slice(i - 1, end + 1));
  if (typeof text !== "string" || half.test(text)) throw new SyntaxError("half of a surrogate pair");
  return [text, end + 1];
}

function pass(s: string, i: number): number {
  plain.lastIndex = i;
  return plain.test(s) ? plain.lastIndex : s.length;
}
