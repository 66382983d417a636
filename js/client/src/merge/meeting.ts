import type { Edit } from "../change.ts";
import type { Column, Policy } from "../schema.ts";
import type { Value } from "../value.ts";

/**
 * A merge function of an app (policy custom). It gets what both edits started from
 * (null when that is not known any more) and what they made of it, and returns the
 * cell's new value. It must be pure. What it throws rejects the changeset.
 */
export type MergeFunction = (base: Value, theirs: Value, mine: Value) => Value;

/** An update of one cell that meets a value which somebody else wrote since its author looked. */
export interface Meeting {
  readonly column: Column | null;
  readonly policy: Policy;
  /** What both started from. */
  readonly base: Value;
  /** Whether base is known. */
  readonly based: boolean;
  /** The cell now. */
  readonly theirs: Value;
  /** The new value; means nothing beside an edit. */
  readonly mine: Value;
  readonly edit: Edit | null;
  /** For policy set: what others did to the cell meanwhile, where it is known. */
  readonly others?: readonly { readonly old: Value; readonly new: Value }[];
  /** For policy latest-edit: when the edits were made. */
  readonly mineAt?: number;
  readonly theirsAt?: number;
  /** For policy custom. */
  readonly merge?: MergeFunction | undefined;
}

/** What a meeting ends with. */
export interface Verdict {
  /** Of the cell from now on. */
  readonly value: Value;
  /** What the cell would be without theirs, for the record. */
  readonly mine: Value;
  /** Mine, or a part of it, did not survive. */
  readonly lost: boolean;
  /** Theirs, or a part of it, was overwritten. */
  readonly over: boolean;
  /** Somebody has to decide. */
  readonly open: boolean;
}

/** What an edit made of a value, and what that cost. */
export interface Result {
  readonly value: Value;
  /** A part of the edit could not be put there. */
  readonly lost: boolean;
  /** A part of what was there went although its author had not seen it. */
  readonly over: boolean;
}
