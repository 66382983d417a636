import { TidemarkError } from "../error.ts";
import { read } from "../literal/literal.ts";
import { RawText, type Row, textOf, type Value } from "../value.ts";
import { fromBase64 } from "./base64.ts";

/** The largest whole number that every JSON reader keeps exactly. */
export const maxInt = 2 ** 53;

/** Bounds the nesting of what is passed over or on unread. */
const maxDepth = 64;

const number = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][-+]?\d+)?/y;
const whole = /^-?\d+$/;

/** Reads one JSON text whole by fn; an error is a TidemarkError of code protocol. */
export function decode<T>(text: string | Uint8Array, fn: (r: Reader) => T): T {
  const s = typeof text === "string" ? text : textOf(text);
  if (s instanceof RawText) throw refusal("not UTF-8");
  try {
    const r = new Reader(s);
    const result = fn(r);
    r.peek();
    if (r.i < s.length) r.fail("something follows the end");
    return result;
  } catch (err) {
    throw err instanceof SyntaxError ? refusal(err.message) : err;
  }
}

function refusal(message: string): TidemarkError {
  return new TidemarkError("protocol", message, { op: "decode" });
}

/**
 * Reads JSON tokens. JSON.parse would not do: it takes 1.0 for 1, rounds what
 * is beyond 2^53, and does not tell how a body was written, which is hashed.
 */
export class Reader {
  readonly s: string;
  i = 0;

  constructor(s: string) {
    this.s = s;
  }

  fail(message: string): never {
    throw refusal(`${message} at ${this.i}`);
  }

  /** Passes over space and gives the next character's code, NaN at the end. */
  peek(): number {
    for (;;) {
      const c = this.s.charCodeAt(this.i);
      if (c !== 32 && c !== 10 && c !== 13 && c !== 9) return c;
      this.i++;
    }
  }

  /** Takes a character. */
  eat(c: string): void {
    if (!this.takes(c)) this.fail(`expected ${c}`);
  }

  /** Takes a character if it comes next. */
  takes(c: string): boolean {
    const is = this.peek() === c.charCodeAt(0);
    if (is) this.i++;
    return is;
  }

  word(word: string): void {
    if (!this.s.startsWith(word, this.i)) this.fail(`expected ${word}`);
    this.i += word.length;
  }

  /** A number as it is written. */
  number(): string {
    this.peek();
    const start = this.i;
    number.lastIndex = start;
    if (!number.test(this.s)) this.fail("expected a number");
    this.i = number.lastIndex;
    return this.s.slice(start, this.i);
  }

  /** Takes a number written as one to fifteen digits, which nearly all are; -1 for others, which stay. */
  #digits(): number {
    const { s } = this;
    let i = this.i;
    let c = s.charCodeAt(i);
    let n = c - 48;
    if (!(n > 0 && n < 10)) n = c === 48 ? 0 : -1;
    if (n < 0) return -1;
    for (;;) {
      c = s.charCodeAt(++i);
      if (!(c >= 48 && c <= 57)) break;
      if (n === 0 || i - this.i > 14) return -1;
      n = 10 * n + c - 48;
    }
    if (c === 46 || (c | 32) === 101) return -1;
    this.i = i;
    return n;
  }

  /** A whole number that every JSON reader keeps exactly. */
  int(): number {
    this.peek();
    const n = this.#digits();
    if (n >= 0) return n;
    const v = this.#number();
    return typeof v === "bigint" ? Number(v) : this.fail("expected a whole number of at most 2^53");
  }

  /** A number: of digits only an integer, else a real. */
  #number(): bigint | number {
    const text = this.number();
    if (!whole.test(text)) return this.#finite(text);
    const v = text.length < 18 ? BigInt(text) : null;
    if (v === null || text === "-0" || v > maxInt || v < -maxInt) this.fail("an integer beyond 2^53, or -0");
    return v;
  }

  #finite(text: string): number {
    const f = Number(text);
    return Number.isFinite(f) ? f : this.fail("a number that no double can hold");
  }

  /** A position: of a table, a column. */
  place(): number {
    const n = this.int();
    return n >= 0 && n < 2 ** 31 ? n : this.fail("no such position");
  }

  bool(): boolean {
    const is = this.peek() === 116;
    this.word(is ? "true" : "false");
    return is;
  }

  str(): string {
    this.eat('"');
    const [text, end] = read(this.s, this.i);
    this.i = end;
    return text;
  }

  /** Bytes in base64url, as many as are asked for; "" stands for zeros. */
  bytes(length: number): Uint8Array {
    const b = this.base64();
    if (b.length === 0) return new Uint8Array(length);
    return b.length === length ? b : this.fail(`expected ${length} bytes`);
  }

  base64(): Uint8Array {
    return fromBase64(this.str()) ?? this.fail("not base64url without padding");
  }

  value(): Value {
    switch (this.peek()) {
      case 34:
        return this.str();
      case 110:
        this.word("null");
        return null;
      case 123:
        return this.#tagged();
    }
    const n = this.#digits();
    if (n >= 0) return BigInt(n);
    const v = this.#number();
    return Number.isInteger(v) ? this.fail('a whole real must be written {"f":...}') : v;
  }

  /** An object with one member. */
  #tagged(): Value {
    this.eat("{");
    const tag = this.str();
    this.eat(":");
    const v = this.#body(tag);
    this.eat("}");
    return v;
  }

  #body(tag: string): Value {
    switch (tag) {
      case "b":
        return this.base64();
      case "t":
        return textOf(this.base64());
      case "i": {
        const s = this.str();
        const v = /^-?\d{1,19}$/.test(s) ? BigInt(s) : null;
        return v !== null && String(v) === s && BigInt.asIntN(64, v) === v ? v : this.fail("not a 64-bit integer");
      }
      case "f": {
        if (this.peek() !== 34) return this.#finite(this.number());
        const s = this.str();
        return s === "inf" ? Infinity : s === "-inf" ? -Infinity : this.fail("not a real");
      }
    }
    return this.fail("no such tag");
  }

  /** A list of values; null for none. */
  values(): Value[] | null {
    if (this.peek() !== 110) return this.all(() => this.value());
    this.word("null");
    return null;
  }

  /** All elements of an array, each read by fn. */
  all<T>(fn: () => T): T[] {
    const list: T[] = [];
    this.eat("[");
    if (this.takes("]")) return list;
    do list.push(fn());
    while (this.takes(","));
    this.eat("]");
    return list;
  }

  /** One value as it is written; null for null. */
  raw(): string | null {
    const c = this.peek();
    const start = this.i;
    this.skip(0);
    return c === 110 ? null : this.s.slice(start, this.i);
  }

  /** Passes over one value, checking its grammar. */
  skip(depth: number): void {
    if (depth > maxDepth) this.fail("nested too deeply");
    switch (this.peek()) {
      case 91:
        this.all(() => this.skip(depth + 1));
        break;
      case 123:
        this.#skipObject(depth);
        break;
      case 34:
        this.str();
        break;
      case 116:
      case 102:
        this.bool();
        break;
      case 110:
        this.word("null");
        break;
      default:
        this.number();
    }
  }

  #skipObject(depth: number): void {
    this.eat("{");
    if (this.takes("}")) return;
    do {
      this.str();
      this.eat(":");
      this.skip(depth + 1);
    } while (this.takes(","));
    this.eat("}");
  }

  /** Reads an array by position, each element by its own kind: see Fields. */
  fields<T>(fn: (a: Fields) => T): T {
    const a = new Fields(this);
    const result = fn(a);
    a.close();
    return result;
  }

  /** Reads an array of arrays by position. */
  lists<T>(fn: (a: Fields) => T): T[] {
    return this.all(() => this.fields(fn));
  }
}

/**
 * Walks over the elements of an array. Reading behind its end gives zero
 * values: that is how what was left out at the end comes back, and how messages
 * of older versions are read.
 */
export class Fields {
  readonly r: Reader;
  #begun = false;
  #over = false;

  constructor(r: Reader) {
    this.r = r;
    r.eat("[");
  }

  /** Goes to the next element, if there is one. */
  next(): boolean {
    if (this.#over) return false;
    const { r } = this;
    this.#over = r.takes("]");
    if (this.#begun && !this.#over) r.eat(",");
    this.#begun = true;
    return !this.#over;
  }

  /** Passes over what is left: elements that a later version appended. */
  close(): void {
    while (this.next()) this.r.skip(0);
  }

  str(): string {
    return this.next() ? this.r.str() : "";
  }

  int(): number {
    return this.next() ? this.r.int() : 0;
  }

  place(): number {
    return this.next() ? this.r.place() : 0;
  }

  bool(): boolean {
    return this.next() && this.r.bool();
  }

  bytes(length: number): Uint8Array {
    return this.next() ? this.r.bytes(length) : new Uint8Array(length);
  }

  /** A sum of hashes: 8 bytes, most significant first. */
  sum(): bigint {
    return new DataView(this.bytes(8).buffer).getBigUint64(0);
  }

  raw(): string | null {
    return this.next() ? this.r.raw() : null;
  }

  values(): Value[] | null {
    return this.next() ? this.r.values() : null;
  }

  /** Two integers of 64 bits. */
  pair(): [bigint, bigint] {
    const [a, b, ...more] = this.values() ?? [];
    if (typeof a !== "bigint" || typeof b !== "bigint" || more.length > 0) this.r.fail("expected two integers");
    return [a, b];
  }

  /** A list, each element read by fn. */
  all<T>(fn: () => T): T[] {
    return this.next() ? this.r.all(fn) : [];
  }

  /** A list of arrays. */
  lists<T>(fn: (a: Fields) => T): T[] {
    return this.next() ? this.r.lists(fn) : [];
  }

  places(): number[] {
    return this.all(() => this.r.place());
  }

  strings(): string[] {
    return this.all(() => this.r.str());
  }

  rows(): Row[] {
    return this.all(() => this.r.values() ?? []);
  }
}
