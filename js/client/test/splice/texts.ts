import fc from "fast-check";
import { fill } from "../../src/splice/apply.ts";
import { count } from "../../src/splice/count.ts";
import type { Patch, Splice } from "../../src/splice/splice.ts";

/**
 * Characters of one to four bytes, marks that combine, a joiner, what JSON escapes,
 * and few enough letters that texts are full of repetitions.
 */
export const alphabet = [...'ab \n"\\\0\u0001é漢😀\u0301\u200d👍🏽\ufeff'];

const joined = (list: string[]): string => list.join("");
const character = fc.constantFrom(...alphabet);

export const texts = fc.array(character, { maxLength: 40 }).map(joined);

/** A splice in the making: it is placed behind the one before it, in a text that is not known yet. */
interface Draft {
  readonly skip: number;
  readonly remove: number;
  readonly insert: string;
  readonly apart: boolean;
}

export const drafts: fc.Arbitrary<Draft[]> = fc.array(
  fc.record({
    skip: fc.nat(6),
    remove: fc.nat(5),
    insert: fc.array(character, { maxLength: 4 }).map(joined),
    apart: fc.boolean(),
  }),
  { maxLength: 4 },
);

/** The patch of a text that a draft makes, with what it deletes. */
export function patchOf(text: string, draft: readonly Draft[]): Patch {
  const out: Splice[] = [];
  const n = count(text);
  let at = 0;
  for (const { skip, remove, insert, apart } of draft) {
    const from = at + skip;
    if (from > n) break;
    const gone = Math.min(remove, n - from);
    const last = out.at(-1);
    const touches = last !== undefined && last.at + last.delete === from;
    if (insert === "" && (gone === 0 || touches)) continue;
    out.push({ at: from, delete: gone, insert, deleted: "" });
    at = from + gone + (gone === 0 || apart ? 1 : 0);
  }
  return fill(out, text);
}
