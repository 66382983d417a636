import { sizeOf } from "../value.ts";
import { decode, type Reader } from "../wire/reader.ts";

/** Bytes of a value of which an intent is made; a larger one is set as a whole. */
export const maxIntent = 1 << 20;

/** Bytes of a value, or of an edit, that meets another. */
export const maxMerge = 16 << 20;

/** How many arrays and objects may be within each other. */
export const maxDepth = 32;

/** An element of an array or a member of an object. */
export interface Item {
  /** What stands between the item before and this one; "" for the first. */
  readonly gap: string;
  /** Spelling of the key, with the colon and the space around it; "" in arrays. */
  readonly name: string;
  readonly key: string;
  /** null: removed. */
  val: Node | null;
}

/** One JSON value with its spelling, so that what does not change is written as it was read. */
export interface Node {
  /** First character of the value; "0" for all numbers. */
  readonly kind: string;
  /** As spelled; out of date where `edited`. */
  raw: string;
  /** What a string says. */
  str: string;
  edited: boolean;
  readonly items: Item[];
  /** From the bracket to the first item. */
  open: string;
  /** Behind the last item, with the bracket. */
  close: string;
  /** Where the keys of an object stand in items. */
  readonly places: Map<string, number>;
}

export function newNode(kind: string): Node {
  return { kind, raw: "", str: "", edited: false, items: [], open: kind, close: closing(kind), places: new Map() };
}

export const closing = (kind: string): string => (kind === "{" ? "}" : "]");

/**
 * Reads one JSON value by RFC 8259, and more narrowly: strings are whole
 * characters, no object has a key twice, nesting and length (in bytes of UTF-8)
 * are bounded. Such a value means the same to every reader. Throws for any other.
 */
export function parse(s: string, limit: number): Node {
  if (s.length * 3 > limit && sizeOf(s) - sizeOf("") > limit) throw new Error("the value is too large");
  return decode(s, (r) => readNode(r, 0));
}

function readNode(r: Reader, depth: number): Node {
  r.peek();
  const start = r.i;
  const first = r.s[start] ?? "";
  const n = newNode(/[[{"tfn]/.test(first) ? first : "0");
  if (first === '"') n.str = r.str();
  else if (first === "{" || first === "[") readItems(r, n, depth + 1);
  else r.skip(0);
  n.raw = r.s.slice(start, r.i);
  return n;
}

function readItems(r: Reader, n: Node, depth: number): void {
  if (depth > maxDepth) r.fail("nested too deeply");
  const start = r.i;
  r.eat(n.kind);
  if (r.takes(n.close)) return;
  n.open = r.s.slice(start, r.i);
  for (let gap: string | null = ""; gap !== null; gap = behind(r, n)) {
    const from = r.i;
    const key = n.kind === "{" ? readKey(r) : "";
    const name = r.s.slice(from, r.i);
    if (n.kind === "{" && n.places.has(key)) r.fail("an object has one key twice");
    n.places.set(key, n.items.length);
    n.items.push({ gap, name, key, val: readNode(r, depth) });
  }
}

/** Reads what follows an item: a comma, with the space around it, or the end (null). */
function behind(r: Reader, n: Node): string | null {
  const start = r.i;
  const more = r.takes(",");
  if (more) r.peek();
  else r.eat(n.close);
  const passed = r.s.slice(start, r.i);
  if (!more) n.close = passed;
  return more ? passed : null;
}

/** Reads the key of a member up to its value. */
function readKey(r: Reader): string {
  const key = r.str();
  r.eat(":");
  r.peek();
  return key;
}
