import { count, flat, offset } from "./count.ts";
import type { Patch, Splice } from "./splice.ts";

/** What a part of a patch does. */
export const RETAIN = 0;
export const INSERT = 1;
export const REMOVE = 2;

/** A piece of a patch: the text kept between two splices, what one inserts, or what it deletes. */
export interface Part {
  kind: number;
  /** Code points. */
  n: number;
  /** Inserted; deleted, where it is known. */
  text: string;
}

/** Walks over a patch part by part. Behind the last splice everything is kept. */
export class Cursor implements Part {
  kind = RETAIN;
  n = 0;
  text = "";
  readonly #p: Patch;
  #i = 0;
  #at = 0;
  #phase = RETAIN; // what of the present splice comes next

  constructor(p: Patch) {
    this.#p = p;
    this.#next();
  }

  /** Whether nothing but kept text is left. */
  get over(): boolean {
    return this.#i >= this.#p.length && this.kind === RETAIN;
  }

  #next(): void {
    for (let s = this.#p[this.#i]; s; s = this.#p[this.#i]) {
      this.kind = this.#phase;
      if (this.kind === RETAIN) {
        this.#set(s.at - this.#at, "");
      } else if (this.kind === INSERT) {
        this.#set(count(s.insert), s.insert);
      } else {
        this.#set(s.delete, s.deleted);
        this.#at = s.at + s.delete;
        this.#i++;
      }
      this.#phase = (this.#phase + 1) % 3;
      if (this.n > 0) return;
    }
    this.kind = RETAIN;
    this.#set(Infinity, "");
  }

  #set(n: number, text: string): void {
    this.n = n;
    this.text = text;
  }

  /** Consumes n code points of the present part. */
  take(n: number): Part {
    const out: Part = { kind: this.kind, n, text: this.text };
    if (n === this.n) {
      this.#next();
      return out;
    }
    if (this.text !== "") {
      const at = offset(this.text, 0, n, flat(this.text));
      out.text = this.text.slice(0, at);
      this.text = this.text.slice(at);
    }
    this.n -= n;
    return out;
  }

  /** Consumes the present part. */
  all(): Part {
    return this.take(this.n);
  }
}

/**
 * Makes a patch of parts. What is inserted and then deleted at one place becomes
 * one splice; what is inserted behind deleted text begins another.
 */
export class Builder {
  readonly #p: Splice[] = [];
  #at = 0;
  #start = 0;
  #delete = 0;
  #insert = "";
  #deleted = "";
  #nameless = false; // not all that is deleted is known

  retain(n: number): void {
    if (n <= 0) return;
    this.#close();
    this.#at += n;
  }

  insert(text: string): void {
    if (text === "") return;
    if (this.#delete > 0) this.#close();
    this.#insert += text;
    this.#start = this.#at;
  }

  remove(p: Part): void {
    if (p.n === 0) return;
    if (this.#delete === 0) this.#start = this.#at;
    this.#delete += p.n;
    this.#at += p.n;
    this.#deleted += p.text;
    this.#nameless ||= p.text === "";
  }

  #close(): void {
    if (this.#delete === 0 && this.#insert === "") return;
    const deleted = this.#nameless ? "" : this.#deleted;
    this.#p.push({ at: this.#start, delete: this.#delete, insert: this.#insert, deleted });
    this.#delete = 0;
    this.#insert = this.#deleted = "";
    this.#nameless = false;
  }

  patch(): Patch {
    this.#close();
    return this.#p;
  }
}
