/**
 * Splice edits text by patches: `diff` finds what changed between two texts,
 * `apply` puts a patch on a text, `compose` makes one patch of two that follow
 * one another, `invert` takes one back, `transform` carries a patch over another
 * that was made to the same text at the same time. Mirrors internal/splice.
 *
 * Positions and lengths count Unicode code points, as in every language that
 * takes part; a JavaScript string counts a character beyond U+FFFF twice.
 */

/** Replaces text at one place. */
export interface Splice {
  /** Where, in the text before the patch. */
  readonly at: number;
  /** How many code points go. */
  readonly delete: number;
  /** What comes in their place. */
  readonly insert: string;
  /** What goes, where it is known. */
  readonly deleted: string;
}

/**
 * Splices in order of `at` that do not overlap. One may begin where the one
 * before it ends if that one deletes and this one inserts: the text is the same,
 * but others' insertions go elsewhere. The empty patch changes nothing.
 */
export type Patch = readonly Splice[];

/** A patch that does not fit the text it was put on, or is none. */
export class Unfit extends Error {}

/** Bounds positions, so that both languages can hold sums of them. */
export const maxPlace = 2 ** 31 - 1;

/** Throws Unfit unless the list is a patch; `counted` counts code points. */
export function check(p: Patch, counted: (s: string) => number): void {
  let last = -1;
  let end = -1;
  for (const s of p) {
    const after = s.at + s.delete;
    const placed = s.at > last && s.at >= end && (s.at > end || s.insert !== "") && s.delete >= 0 && after <= maxPlace;
    if (!placed) throw new Unfit("a splice is out of place");
    if (s.delete === 0 && s.insert === "") throw new Unfit("a splice changes nothing");
    if (s.deleted !== "" && counted(s.deleted) !== s.delete)
      throw new Unfit("a splice deletes more or less than it names");
    last = s.at;
    end = after;
  }
}
