import { expect, test } from "vitest";
import type { Edit, EditKind } from "../../src/change.ts";
import { codeOf } from "../../src/error.ts";
import { apply, intent, type MergeFunction, meet } from "../../src/merge/merge.ts";
import type { Policy } from "../../src/schema.ts";
import type { Value } from "../../src/value.ts";
import { columnOf } from "../tables.ts";
import { type Case, load, plainValue } from "./vectors.ts";

/** What spec/README.md says of policies.json. */
type PolicyCase = Case &
  Partial<Record<"before" | "after" | "now" | "value" | "error" | "base" | "theirs" | "mine" | "recorded", string>> &
  Partial<Record<"lost" | "over" | "open", boolean>> & {
    do: string;
    policy: Policy;
    edit?: { kind: EditKind; body: string };
    others?: [string, string][];
    collation?: string;
    mine_at?: number;
    theirs_at?: number;
    function?: string;
  };

const cases = load<PolicyCase>("policies.json");

const value = (spelled: string | undefined): Value => plainValue(spelled ?? "null");

/** A value, or the code of the error that there is in its place. */
function ended(fn: () => Value): unknown {
  try {
    return { value: fn() };
  } catch (err) {
    return { code: codeOf(err) };
  }
}

const expected = (c: PolicyCase): unknown => (c.error ? { code: c.error } : { value: value(c.value) });

const functions: Record<string, MergeFunction> = {
  sum: (base, theirs, mine) => BigInt(String(theirs)) + BigInt(String(mine)) - BigInt(String(base ?? 0)),
  theirs: (_, theirs) => theirs,
  fails: () => {
    throw new Error("no");
  },
};

test.each(cases)("$policy: $name", (c) => {
  const edit: Edit | null = c.edit?.kind ? c.edit : null;
  if (c.do === "intent") {
    const [before, after] = [value(c.before), value(c.after)];
    expect(intent(c.policy, before, after)).toStrictEqual(edit);
    expect(apply(before, after, edit)).toStrictEqual(after);
  } else if (c.do === "apply") {
    expect(ended(() => apply(value(c.now), null, edit))).toStrictEqual(expected(c));
  } else {
    expect(c.do).toBe("meet");
    meets(c, edit);
  }
});

function meets(c: PolicyCase, edit: Edit | null): void {
  const met = () =>
    meet({
      column: columnOf("c", { collation: c.collation ?? "BINARY", custom: c.function ?? "" }),
      policy: c.policy,
      base: value(c.base),
      based: c.base !== undefined,
      theirs: value(c.theirs),
      mine: value(c.mine),
      edit,
      others: (c.others ?? []).map(([old, now]) => ({ old: value(old), new: value(now) })),
      mineAt: c.mine_at ?? 0,
      theirsAt: c.theirs_at ?? 0,
      merge: functions[c.function ?? ""],
    });
  expect(ended(() => met().value)).toStrictEqual(expected(c));
  if (c.error) return;
  const { mine, lost, over, open } = met();
  const { lost: isLost = false, over: isOver = false, open: isOpen = false } = c;
  expect({ mine, lost, over, open }).toStrictEqual({
    mine: value(c.recorded ?? c.mine),
    lost: isLost,
    over: isOver,
    open: isOpen,
  });
}

test("each policy has a meeting", () => {
  const met = new Set(cases.filter((c) => c.do === "meet").map((c) => c.policy));
  const all = "last-write latest-edit first-write counter max min set json text reject manual custom".split(" ");
  expect([...met].sort()).toEqual(all.sort());
});
