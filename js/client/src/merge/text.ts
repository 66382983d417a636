import type { Edit } from "../change.ts";
import { TidemarkError } from "../error.ts";
import { apply } from "../splice/apply.ts";
import { diff } from "../splice/diff.ts";
import { parseBody, parseEdit, patchBody } from "../splice/edit.ts";
import type { Patch } from "../splice/splice.ts";
import type { Value } from "../value.ts";
import { mismatch, unreadable } from "./failure.ts";

/** The insertions and deletions between two texts. */
export function textIntent(before: Value, after: Value): Edit | null {
  if (typeof before !== "string" || typeof after !== "string") return null;
  return { kind: "t", body: patchBody(diff(before, after), false) };
}

/** Puts insertions and deletions on a text, which must be the one that they start from. */
export function applyText(now: Value, body: string): Value {
  const p = patchOf(body);
  if (now !== null && typeof now !== "string") throw mismatch("text");
  try {
    return apply(p, now ?? "");
  } catch (err) {
    throw new TidemarkError(
      "conflict",
      `the edit does not fit the text there: ${err instanceof Error ? err.message : err}`,
    );
  }
}

/** Reads an edit of a text, from its author or from the log. */
export function patchOf(body: string): Patch {
  try {
    return parseEdit(body).patch;
  } catch (err) {
    try {
      return parseBody(body);
    } catch {
      throw unreadable(err instanceof Error ? err.message : String(err));
    }
  }
}
