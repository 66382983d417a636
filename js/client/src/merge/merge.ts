/**
 * Decides what becomes of two edits of one cell: one small pure function for each
 * policy, the same in every engine. Mirrors internal/merge.
 *
 * Sealing calls `intent`, once for each changed column, to turn the values before
 * and after into what the author meant. `apply` puts that on a value that nobody
 * else changed, `meet` on one that somebody did; a replica calls both to predict.
 */
import type { Edit, EditKind } from "../change.ts";
import type { Policy } from "../schema.ts";
import type { Value } from "../value.ts";
import { addIntent, applyAdd } from "./counter.ts";
import { unlessMismatched, unreadable } from "./failure.ts";
import type { Meeting, Result, Verdict } from "./meeting.ts";
import { applyKeys, keysIntent } from "./object.ts";
import { applyMembers, membersIntent, putMembers } from "./set.ts";
import { applyText, textIntent } from "./text.ts";
import { takeWhole, took } from "./whole.ts";

export type { MergeFunction } from "./meeting.ts";

/**
 * What an update of a cell from before to after means; null: it is set. Put on
 * before, an edit gives after, to the bit; a whole number may come as a real where
 * the column stores both alike.
 */
export function intent(p: Policy | "", before: Value, after: Value): Edit | null {
  switch (p) {
    case "counter":
      return addIntent(before, after);
    case "set":
      return membersIntent(before, after);
    case "json":
      return keysIntent(before, after);
    case "text":
      return textIntent(before, after);
    default:
      return null;
  }
}

/**
 * Puts an edit on the value that its author saw, or on one that nobody else
 * changed since; `mine` is the value of an update that sets. NULL counts as 0, as
 * no members, as no keys, as no text. Throws conflict for a value that the edit
 * cannot be put on, check for a number that would be too large, schema for an edit
 * that cannot be read.
 */
export function apply(now: Value, mine: Value, e: Edit | null): Value {
  switch (e?.kind ?? "") {
    case "":
      return mine;
    case "a":
      return applyAdd(now, e!.body);
    case "m":
      return applyMembers(now, e!.body).value;
    case "k":
      return applyKeys(now, e!.body).value;
    case "t":
      return applyText(now, e!.body);
    default:
      throw unreadable("there is no such kind of edit");
  }
}

/** The policy under which edits of a kind are made, "" for a plain value. */
export function natural(k: EditKind): Policy | "" {
  const policies = { a: "counter", m: "set", k: "json", t: "text", "": "" } as const;
  return policies[k];
}

/**
 * Decides a meeting. What it throws rejects the changeset. Text is not combined
 * here, since that needs the history of the cell: it meets as under last-write.
 */
export function meet(given: Meeting): Verdict {
  const m = given.based ? given : { ...given, base: null };
  if (m.policy === "counter" || m.policy === "set" || m.policy === "json") return combine(m);
  // The value that the edit made, as far as that is known: one that is a difference
  // is put on what both started from, or else on what is there.
  const mine = unlessMismatched(() => apply(m.based ? m.base : m.theirs, m.mine, m.edit));
  return mine === undefined ? { ...took(m, null, m.theirs), lost: true } : takeWhole(m, mine);
}

/**
 * What counter, set and json have in common: an edit that is a difference is put
 * on what is there. A plain value is last-write, its loser kept; but of sets and
 * objects it is taken for the difference from what both started from, or, when
 * that is not known, from nothing: then it adds and takes nothing away.
 */
function combine(m: Meeting): Verdict {
  const e = m.edit?.kind ? m.edit : meant(m);
  if (e === null) return took(m, m.mine, m.mine);
  const r = unlessMismatched(() => put(m, e));
  const mine = alone(m);
  if (r === undefined) return took(m, mine, m.based || !m.edit?.kind ? mine : m.theirs);
  // Somebody else may have emptied the cell.
  return {
    value: r.value,
    mine,
    lost: r.lost,
    over: r.over || (m.theirs === null && m.based && m.base !== null),
    open: false,
  };
}

/** The difference in a plain value of a set or an object. */
function meant(m: Meeting): Edit | null {
  return m.policy === "counter" || m.mine === null ? null : intent(m.policy, m.base, m.mine);
}

function put(m: Meeting, e: Edit): Result {
  if (e.kind === "m") return putMembers(m, e.body);
  if (e.kind === "k") return applyKeys(m.theirs, e.body);
  return { value: apply(m.theirs, m.mine, e), lost: false, over: false };
}

/** The value without theirs: the edit on what both started from, or on nothing. */
function alone(m: Meeting): Value {
  const v = unlessMismatched(() => apply(m.base, m.mine, m.edit));
  return v === undefined ? apply(null, m.mine, m.edit) : v;
}
