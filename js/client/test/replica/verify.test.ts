import fc from "fast-check";
import { expect, test } from "vitest";
import { checkTries, type VerifyReport } from "../../src/replica/verify.ts";
import type { Said } from "../../src/wire/down.ts";
import type { Up } from "../../src/wire/up.ts";
import { keysIn, type Rows, sumRanges, type TestLoop } from "./fake-engine.ts";
import { batch, down, sums, welcome } from "./messages.ts";
import { reach } from "./reach.ts";

/** Plays the server: its rows at its seq. */
function answer(m: Up, rows: Rows, seq: number): Said | null {
  if (m.type === "askRanges") {
    return { type: "ranges", id: m.id, seq, list: sumRanges(rows, m.after, m.upto, m.bounds) };
  }
  if (m.type !== "askRows") return null;
  const keys = keysIn(rows, m.after, m.upto);
  const list = keys.slice(0, m.limit).map((k) => [BigInt(k), BigInt(rows.get(k)!)]);
  return { type: "rows", id: m.id, seq, more: keys.length > m.limit, list, scopes: [] };
}

/** Answers until the loop asks no more and returns how many questions there were. */
function converse(l: TestLoop, theirs: Rows): number {
  let asked = 0;
  for (let i = 0; i < 100_000; i++) {
    const up = l.sent();
    if (up.length === 0) return asked;
    for (const m of up) {
      const a = answer(m, theirs, l.loop.seq);
      if (!a) continue;
      asked++;
      l.must(down(a));
    }
  }
  throw new Error("the verification never ends");
}

function lastReport(l: TestLoop): VerifyReport | undefined {
  return l.notes.findLast((n) => n.verify)?.verify;
}

function verifying(mine: Rows): TestLoop {
  const l = reach("idle");
  l.sent();
  l.copy.mine.set(1, new Map(mine));
  l.must({ type: "verify" });
  return l;
}

const manyRows = (n: number): Rows => new Map(Array.from({ length: n }, (_, k) => [k, k]));
const sorted = (rows: Rows | undefined): [number, number][] => [...(rows ?? [])].sort((a, b) => a[0] - b[0]);

test("a verification of equal copies is one question per table", () => {
  const rows = manyRows(3000);
  const l = verifying(rows);
  expect(converse(l, rows)).toBe(1);
  expect(lastReport(l)).toMatchObject({ rows: 3000, tables: 1, differed: 0 });
  expect([l.loop.state, l.copy.proved]).toEqual(["idle", 1]);
});

test("it finds one row in few questions", () => {
  const rows = manyRows(5000);
  const l = verifying(new Map(rows).set(4711, -1));
  expect(converse(l, rows)).toBeLessThanOrEqual(6);
  expect(lastReport(l)?.differed).toBe(1);
  expect(sorted(l.copy.mine.get(1))).toEqual(sorted(rows));
});

test("it repairs any difference", () => {
  const edit = fc.record({ k: fc.nat(2000), what: fc.constantFrom("lost", "changed", "extra") });
  fc.assert(
    fc.property(fc.nat(1500), fc.array(edit, { maxLength: 300, size: "max" }), (n, edits) => {
      const mine = manyRows(n);
      const theirs = manyRows(n);
      for (const { k, what } of edits) {
        if (what === "lost") mine.delete(k);
        if (what === "changed") mine.set(k, k + 10_000);
        if (what === "extra") theirs.delete(k);
      }
      const l = verifying(mine);
      converse(l, theirs);
      expect(sorted(l.copy.mine.get(1))).toEqual(sorted(theirs));
      expect(l.loop.state).toBe("idle");
    }),
    { numRuns: 25 },
  );
});

// Commits that come between the questions do not spoil the comparison, and rows
// fetched before them are fetched again.
test("it gets to an end while the server goes on", () => {
  const theirs = manyRows(2000);
  const l = verifying(new Map());
  const mine = l.copy.mine.get(1)!;
  for (let k = 0; k < 200; k++) mine.set(k * 10, k);
  for (let i = 0; l.loop.state === "verifying"; i++) {
    expect(i).toBeLessThan(10_000);
    for (const m of l.sent()) {
      const a = answer(m, theirs, l.loop.seq);
      if (!a) continue;
      l.must(down(a));
      if (l.loop.state !== "verifying" || i >= 500) continue;
      theirs.set(i % 3000, i);
      mine.set(i % 3000, i);
      l.must(batch(l.loop.seq, l.loop.seq + 1));
    }
  }
  expect(sorted(mine)).toEqual(sorted(theirs));
});

test("answers of another state are asked for again, but not for ever", () => {
  const rows = manyRows(10);
  const astray = (l: TestLoop, rounds: number): void => {
    for (let i = 0; i < rounds; i++) {
      for (const m of l.sent()) {
        const a = answer(m, rows, l.loop.seq + 7);
        if (a) l.must(down(a));
      }
    }
  };
  const l = verifying(rows);
  astray(l, 3);
  expect(l.loop.state).toBe("verifying");
  converse(l, rows);
  expect(lastReport(l)).toBeDefined();
  const lost = verifying(rows);
  astray(lost, 16);
  expect(lost.loop.state).toBe("dialing");
});

test("it begins again after a lost connection", () => {
  const rows = manyRows(10);
  const l = verifying(rows);
  l.must({ type: "disconnected" }, { type: "tick" }, { type: "connected" }, welcome());
  expect(l.loop.state).toBe("verifying");
  converse(l, rows);
  expect(lastReport(l)).toBeDefined();
});

// A server that can never answer must not keep the replica from syncing.
test("it gives up", () => {
  const l = verifying(manyRows(10));
  l.copy.repair = "sums differ";
  for (let i = 0; i < checkTries; i++) l.must({ type: "tick" }, { type: "tick" }, { type: "connected" }, welcome());
  expect(l.loop.state).toBe("idle");
});

test("sums that never agree do not verify for ever", () => {
  const rows = manyRows(10);
  const l = verifying(rows);
  converse(l, rows);
  let checks = 0;
  for (let i = 0; i < 20; i++) {
    l.copy.repair = "sums differ";
    l.must(batch(l.loop.seq, l.loop.seq + 1));
    if (l.loop.state !== "verifying") continue;
    checks++;
    converse(l, rows);
  }
  expect(checks).toBeGreaterThan(0);
  expect(checks).toBeLessThanOrEqual(checkTries);
});

test.each<[string, Said]>([
  ["too few ranges", { type: "ranges", id: 1, seq: 0, list: [] }],
  ["rows for ranges", { type: "rows", id: 1, seq: 0, more: false, list: [], scopes: [] }],
  ["too many ranges", { type: "ranges", id: 1, seq: 0, list: sums(2) }],
  ["a page of no row", { type: "rows", id: 1, seq: 0, more: true, list: [], scopes: [] }],
])("answers that do not fit are refused: %s", (_, bad) => {
  const l = verifying(manyRows(3));
  l.must(down(bad));
  expect(l.loop.state).toBe("backoff");
});
