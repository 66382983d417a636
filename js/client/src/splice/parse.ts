import { read } from "../literal/literal.ts";
import { count } from "./count.ts";
import { check, maxPlace, type Patch, type Splice } from "./splice.ts";

/** A body that no Tidemark wrote. */
export class Unreadable extends Error {}

/** Reads the one form in which edits are written: JSON without space, members in order. */
export class Parser {
  readonly #s: string;
  #i = 0;

  constructor(s: string) {
    this.#s = s;
  }

  fail(why: string): never {
    throw new Unreadable(`text edit: ${why} at ${this.#i}`);
  }

  /** Passes over a word if it comes next. */
  take(word: string): boolean {
    const is = this.#s.startsWith(word, this.#i);
    if (is) this.#i += word.length;
    return is;
  }

  word(word: string): void {
    if (!this.take(word)) this.fail(`expected ${word}`);
  }

  end(): void {
    this.word("}");
    if (this.#i < this.#s.length) this.fail("something follows its end");
  }

  /** Reads splices and makes sure that they are a patch. */
  patch(deleted: boolean): Patch {
    const out: Splice[] = [];
    this.word("[");
    while (!this.take("]")) {
      if (out.length > 0) this.word(",");
      out.push(this.#splice(deleted));
    }
    check(out, count);
    return out;
  }

  #splice(deleted: boolean): Splice {
    this.word("[");
    const at = this.whole(maxPlace);
    this.word(",");
    const gone = this.whole(maxPlace);
    this.word(",");
    const insert = this.#string();
    const named = deleted && this.take(",");
    const s = { at, delete: gone, insert, deleted: named ? this.#string() : "" };
    if (named && s.deleted === "") this.fail("an empty text is deleted");
    this.word("]");
    return s;
  }

  whole(most: number): number {
    const digits = /(0|[1-9]\d{0,15})(?!\d)/y;
    digits.lastIndex = this.#i;
    const n = Number(digits.exec(this.#s)?.[0] ?? NaN);
    if (!(n <= most)) this.fail("expected a whole number");
    this.#i = digits.lastIndex;
    return n;
  }

  #string(): string {
    this.word('"');
    const [text, end] = read(this.#s, this.#i);
    this.#i = end;
    return text;
  }
}
