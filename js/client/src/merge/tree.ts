import { read } from "../literal/literal.ts";
import { sizeOf } from "../value.ts";

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

/** Why a text is no JSON that merges. */
export class NotJSON extends Error {}

export function newNode(kind: string): Node {
  return { kind, raw: "", str: "", edited: false, items: [], open: kind, close: closing(kind), places: new Map() };
}

export const closing = (kind: string): string => (kind === "{" ? "}" : "]");

/**
 * Reads one JSON value by RFC 8259, and more narrowly: strings are whole
 * characters, no object has a key twice, nesting and length (in bytes of UTF-8)
 * are bounded. Such a value means the same to every reader.
 */
export function parse(s: string, limit: number): Node {
  if (s.length * 3 > limit && sizeOf(s) - sizeOf("") > limit) throw new NotJSON("it is too large");
  const p = new Parser(s);
  p.space();
  const n = p.value(0);
  p.space();
  if (!p.over) throw new NotJSON("it is not JSON");
  return n;
}

const spaces = /[ \t\n\r]*/y;
const scalars = /true|false|null|-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y;

class Parser {
  readonly #s: string;
  #i = 0;

  constructor(s: string) {
    this.#s = s;
  }

  get over(): boolean {
    return this.#i === this.#s.length;
  }

  /** Passes over what a pattern finds here, and returns it; null: it finds nothing. */
  #match(pattern: RegExp): string | null {
    pattern.lastIndex = this.#i;
    const found = pattern.exec(this.#s)?.[0] ?? null;
    if (found !== null) this.#i += found.length;
    return found;
  }

  space(): void {
    this.#match(spaces);
  }

  #take(char: string): boolean {
    if (this.#s[this.#i] !== char) return false;
    this.#i++;
    return true;
  }

  value(depth: number): Node {
    const start = this.#i;
    const first = this.#s[start] ?? "";
    const n = newNode(/[[{"tfn]/.test(first) ? first : "0");
    if (first === '"') n.str = this.#string();
    else if (first === "{" || first === "[") this.#container(n, depth + 1);
    else if (this.#match(scalars) === null) throw new NotJSON("it is not JSON");
    n.raw = this.#s.slice(start, this.#i);
    return n;
  }

  /** Reads an array or object. */
  #container(n: Node, depth: number): void {
    if (depth > maxDepth) throw new NotJSON("it is nested too deeply");
    const start = this.#i++;
    this.space();
    if (this.#take(n.close)) return;
    n.open = this.#s.slice(start, this.#i);
    for (let gap: string | null = ""; gap !== null; gap = this.#behind(n)) {
      const from = this.#i;
      const key = n.kind === "{" ? this.#key() : "";
      const name = this.#s.slice(from, this.#i);
      if (n.kind === "{" && n.places.has(key)) throw new NotJSON("an object has one key twice");
      n.places.set(key, n.items.length);
      n.items.push({ gap, name, key, val: this.value(depth) });
    }
  }

  /** Reads what follows an item: a comma, with the space around it, or the end (null). */
  #behind(n: Node): string | null {
    const start = this.#i;
    this.space();
    const more = this.#take(",");
    if (!more && !this.#take(n.close)) throw new NotJSON("it is not JSON");
    if (more) this.space();
    const passed = this.#s.slice(start, this.#i);
    if (!more) n.close = passed;
    return more ? passed : null;
  }

  /** Reads the key of a member up to its value. */
  #key(): string {
    const key = this.#string();
    this.space();
    if (!this.#take(":")) throw new NotJSON("it is not JSON");
    this.space();
    return key;
  }

  #string(): string {
    if (!this.#take('"')) throw new NotJSON("it is not JSON");
    const [text, end] = read(this.#s, this.#i);
    this.#i = end;
    return text;
  }
}
