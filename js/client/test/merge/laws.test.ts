import fc from "fast-check";
import { expect, test } from "vitest";
import type { Edit } from "../../src/change.ts";
import { codeOf, TidemarkError } from "../../src/error.ts";
import { sameValue } from "../../src/merge/canon.ts";
import type { Meeting } from "../../src/merge/meeting.ts";
import { apply, intent, type MergeFunction, meet, natural } from "../../src/merge/merge.ts";
import { compare } from "../../src/merge/order.ts";
import { parse } from "../../src/merge/tree.ts";
import type { Policy } from "../../src/schema.ts";
import { same, type Value } from "../../src/value.ts";
import { columnOf } from "../tables.ts";
import { values } from "./documents.ts";

const collations = fc.constantFrom("BINARY", "NOCASE", "RTRIM");

function meeting(m: Partial<Meeting> & { policy: Policy }): Meeting {
  return { column: columnOf("c"), base: null, based: false, theirs: null, mine: null, edit: null, ...m };
}

/** Compares two numbers by value, as a column does that stores 2.0 as 2. */
const storedAlike = (got: Value, want: Value): boolean =>
  typeof got === "number" && typeof want === "bigint" && !(got < want) && !(got > want);

const edited: Policy[] = ["counter", "set", "json", "text"];

test("what was meant, put on what was there, gives what came out", () => {
  fc.assert(
    fc.property(values, values, (before, after) => {
      for (const policy of edited) {
        const e = intent(policy, before, after);
        const got = apply(before, after, e);
        expect(same(got, after) || storedAlike(got, after)).toBe(true);
        if (e) expect(natural(e.kind)).toBe(policy);
        if (e) expect(e.body).not.toMatch(/[\r\n]/);
      }
      for (const policy of ["", "last-write", "max", "custom", "reject"] as const) {
        expect(intent(policy, before, after)).toBeNull();
      }
    }),
    { numRuns: 1000 },
  );
});

test("what a verdict says of lost and overwritten values is true", () => {
  const policies: Policy[] = [
    "last-write",
    "latest-edit",
    "first-write",
    "counter",
    "max",
    "min",
    "text",
    "manual",
    "custom",
  ];
  const meetings = fc.record({
    ...{ policy: fc.constantFrom(...policies), collation: collations, base: values, based: fc.boolean() },
    ...{ theirs: values, mine: values, mineAt: fc.nat(3), theirsAt: fc.nat(3) },
  });
  fc.assert(
    fc.property(meetings, ({ collation, ...m }) => {
      const given = {
        ...m,
        column: columnOf("c", { collation }),
        edit: null,
        merge: (_: Value, theirs: Value) => theirs,
      };
      const v = meet(given);
      expect(meet(given)).toStrictEqual(v);
      expect(v.open).toBe(m.policy === "manual" && v.lost);
      expect(same(v.mine, m.mine)).toBe(true);
      expect(same(v.value, m.mine)).toBe(!v.lost);
      expect(same(v.value, m.theirs)).toBe(!v.over);
      expect(!v.lost || !v.over).toBe(true);
    }),
    { numRuns: 1000 },
  );
});

test("max and min do not depend on the order, nor on how often", () => {
  const policies = fc.constantFrom<Policy>("max", "min");
  fc.assert(
    fc.property(policies, collations, values, values, values, (policy, collation, x, y, z) => {
      const column = columnOf("c", { collation });
      const join = (theirs: Value, mine: Value): Value => meet(meeting({ policy, column, theirs, mine })).value;
      expect(same(join(x, x), x)).toBe(true);
      expect(same(join(x, y), join(y, x))).toBe(true);
      expect(same(join(join(x, y), z), join(x, join(y, z)))).toBe(true);
      if (x !== null) expect(same(join(x, null), x)).toBe(true);
    }),
    { numRuns: 1000 },
  );
});

test("values that differ are ordered, and the order turns round", () => {
  fc.assert(
    fc.property(collations, values, values, (collation, x, y) => {
      expect(compare(x, y, collation) === 0).toBe(same(x, y));
      expect(Math.sign(compare(x, y, collation))).toBe(0 - Math.sign(compare(y, x, collation)));
    }),
    { numRuns: 1000 },
  );
});

test("last-write, first-write and manual are associative, latest-edit also commutes where times differ", () => {
  fc.assert(
    fc.property(
      fc.constantFrom<Policy>("last-write", "first-write", "manual"),
      values,
      values,
      values,
      (policy, x, y, z) => {
        const f = (theirs: Value, mine: Value): Value => meet(meeting({ policy, theirs, mine })).value;
        expect(same(f(x, x), x)).toBe(true);
        expect(same(f(f(x, y), z), f(x, f(y, z)))).toBe(true);
      },
    ),
  );
  type Timed = { v: Value; at: number };
  const later = (a: Timed, b: Timed): Timed => {
    const m = meeting({ policy: "latest-edit", theirs: a.v, theirsAt: a.at, mine: b.v, mineAt: b.at });
    return { v: meet(m).value, at: Math.max(a.at, b.at) };
  };
  fc.assert(
    fc.property(values, values, values, fc.shuffledSubarray([1, 2, 3], { minLength: 3 }), (v, w, u, times) => {
      const [x, y, z] = [v, w, u].map((value, i) => ({ v: value, at: times[i]! })) as [Timed, Timed, Timed];
      expect(later(x, y)).toStrictEqual(later(y, x));
      expect(later(later(x, y), z)).toStrictEqual(later(x, later(y, z)));
    }),
  );
});

/** What is left when edits of one value meet each other in an order. */
function inOrder(policy: Policy, base: Value, edits: readonly (Edit | null)[], order: readonly number[]): Value {
  let now = base;
  for (const i of order) {
    const v = meet(meeting({ policy, base, based: true, theirs: now, edit: edits[i]! }));
    expect([v.lost, v.over]).toEqual([false, false]);
    now = v.value;
  }
  return now;
}

/** An order of the numbers below n. */
const orders = (n: number): fc.Arbitrary<number[]> =>
  fc.shuffledSubarray([...Array(n).keys()], { minLength: n, maxLength: n });

test("a counter is the sum of what was added, in whatever order it comes", () => {
  const added = fc.array(fc.bigInt({ min: -(2n ** 40n), max: 2n ** 40n }), { minLength: 5, maxLength: 5 });
  fc.assert(
    fc.property(fc.bigInt({ min: -1000n, max: 1000n }), added, orders(5), (base, list, order) => {
      const edits = list.map((d) => intent("counter", base, base + d));
      expect(inOrder("counter", base, edits, order)).toBe(list.reduce((a, b) => a + b, base));
    }),
  );
});

test("a set has what was there and was not removed, and what was added", () => {
  const sets = fc.uniqueArray(fc.constantFrom(..."abcdef"), { maxLength: 6 });
  fc.assert(
    fc.property(sets, fc.array(sets, { minLength: 4, maxLength: 4 }), orders(4), (base, afters, order) => {
      const edits = afters.map((after) => intent("set", JSON.stringify(base), JSON.stringify(after)));
      const got = inOrder("set", JSON.stringify(base), edits, order);
      const kept = base.filter((m) => afters.every((after) => after.includes(m)));
      const added = afters.flat().filter((m) => !base.includes(m));
      expect(JSON.parse(String(got)).sort()).toEqual([...new Set([...kept, ...added])].sort());
    }),
  );
});

test("authors who change different keys do not see each other", () => {
  const names = ["1x", "2x", "3x", "1y", "2y", "3y", "1z", "2z", "3z"];
  const changes = fc.array(fc.constantFrom("1", "{}", '"s"', "gone", "kept"), { minLength: 9, maxLength: 9 });
  const objectOf = (keys: ReadonlyMap<string, string>, ends: string): string => {
    const list = [...keys].filter(([k]) => ends.includes(k[1]!)).map(([k, v]) => `"${k}":${v}`);
    return `{${list.sort().join(",")}}`;
  };
  const nested = (keys: ReadonlyMap<string, string>): string =>
    `{"top":${objectOf(keys, "x")},"deep":{"er":${objectOf(keys, "yz")}}}`;
  fc.assert(
    fc.property(changes, orders(3), (list, order) => {
      const base = new Map([
        ["1x", "0"],
        ["2x", "0"],
        ["3x", "0"],
      ]);
      const want = new Map(base);
      const edits = [1, 2, 3].map((author) => {
        const after = new Map(base);
        for (const [i, name] of names.entries()) {
          if (!name.startsWith(String(author)) || list[i] === "kept") continue;
          for (const keys of [after, want]) list[i] === "gone" ? keys.delete(name) : keys.set(name, list[i]!);
        }
        return intent("json", nested(base), nested(after));
      });
      const got = inOrder("json", nested(base), edits, order);
      expect(sameValue(parse(String(got), 1 << 20), parse(nested(want), 1 << 20))).toBe(true);
    }),
  );
});

test("an edit of a set or an object that is put there twice changes nothing more", () => {
  fc.assert(
    fc.property(fc.constantFrom<Policy>("set", "json"), values, values, values, (policy, now, before, after) => {
      const e = intent(policy, before, after);
      if (!e) return;
      let once: Value;
      try {
        once = apply(now, null, e);
      } catch (err) {
        expect(codeOf(err)).toBe("conflict");
        return;
      }
      expect(apply(once, null, e)).toBe(once);
    }),
    { numRuns: 1000 },
  );
});

test("a function that fails, or is missing, says so to the author", () => {
  const fails: MergeFunction = () => {
    throw new Error("no price is right");
  };
  for (const [merge, why] of [
    [fails, "no price is right"],
    [undefined, "not registered"],
  ] as const) {
    const m = meeting({
      policy: "custom",
      column: columnOf("price", { custom: "dearer" }),
      theirs: 2n,
      mine: 4n,
      merge,
    });
    const thrown = (() => {
      try {
        return meet(m);
      } catch (err) {
        return err;
      }
    })();
    expect(thrown).toBeInstanceOf(TidemarkError);
    expect(thrown).toMatchObject({ code: "conflict", detail: { columns: ["price"] } });
    expect(String(thrown)).toContain(why);
    expect(String(thrown)).toContain("dearer");
  }
});

test("what is too large is set as a whole, and merged where it is there", () => {
  const large = `["${"a".repeat(1 << 20)}"]`;
  expect(intent("set", large, "[]")).toBeNull();
  const v = meet(
    meeting({ policy: "set", base: large, based: true, theirs: large, edit: { kind: "m", body: '[["b"],[]]' } }),
  );
  expect(String(v.value).endsWith('a","b"]')).toBe(true);
});
