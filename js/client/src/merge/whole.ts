import { TidemarkError } from "../error.ts";
import { same, type Value } from "../value.ts";
import type { Meeting, Verdict } from "./meeting.ts";
import { compare } from "./order.ts";

/** The policies that take one value as it is, or what a function makes of both. Equal values are no conflict under any of them but reject. */
export function takeWhole(m: Meeting, mine: Value): Verdict {
  switch (m.policy) {
    case "first-write":
      return took(m, mine, m.theirs);
    case "manual": {
      const kept = took(m, mine, m.theirs);
      return { ...kept, open: kept.lost };
    }
    case "latest-edit":
      return took(m, mine, (m.mineAt ?? 0) < (m.theirsAt ?? 0) ? m.theirs : mine);
    case "max":
      return took(m, mine, pick(m, mine, 1));
    case "min":
      return took(m, mine, pick(m, mine, -1));
    case "custom":
      return took(m, mine, call(m, mine));
    case "reject": {
      const name = m.column?.name;
      throw new TidemarkError("stale", `somebody else changed ${name ?? "the value"} since this replica saw it`, {
        columns: name ? [name] : [],
      });
    }
    default:
      return took(m, mine, mine); // of two edits at one time the one that comes later stays
  }
}

/** The verdict that leaves a value. */
export function took(m: Meeting, mine: Value, value: Value): Verdict {
  return { value, mine, lost: !same(value, mine), over: !same(value, m.theirs), open: false };
}

/** Policies max (sign 1) and min (sign -1). NULL loses against anything. */
function pick(m: Meeting, mine: Value, sign: number): Value {
  if (mine === null) return m.theirs;
  return m.theirs === null || sign * compare(mine, m.theirs, m.column?.collation ?? "") > 0 ? mine : m.theirs;
}

/** What a function throws stands in the message, since that is all that reaches the changeset's author. */
function call(m: Meeting, mine: Value): Value {
  try {
    if (!m.merge) throw new Error("it is not registered");
    return m.merge(m.base, m.theirs, mine);
  } catch (err) {
    const of = m.column ? ` "${m.column.custom}" of column ${m.column.name}` : "";
    const why = err instanceof Error ? err.message : String(err);
    throw new TidemarkError("conflict", `the merge function${of} cannot decide: ${why}`, {
      columns: m.column ? [m.column.name] : [],
    });
  }
}
