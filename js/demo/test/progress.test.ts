import { expect, test } from "vitest";
import { merge } from "../src/lab/log-feed.ts";
import { authorOf, readNames, remember } from "../src/lab/names.ts";
import { ana, ben } from "../src/lab/people.ts";
import { advance, type Facts, type Progress, START } from "../src/lab/progress.ts";

const facts = (head: number, ana: [online: boolean, pending: number], ben: [boolean, number] = [true, 0]): Facts => ({
  head,
  statuses: new Map([
    ["ana", { online: ana[0], pending: ana[1] }],
    ["ben", { online: ben[0], pending: ben[1] }],
  ]),
});

const walk = (...all: Facts[]): Progress => all.reduce(advance, START);

test("a visitor walks through the steps by doing them", () => {
  const cut = facts(4, [false, 0]);
  const own = facts(4, [false, 1]);
  const both = facts(5, [false, 1]);
  const sending = facts(5, [true, 1]);
  const home = facts(6, [true, 0]);
  expect(walk(facts(4, [true, 0])).stage).toBe("cut");
  expect(walk(cut).stage).toBe("edit");
  expect(walk(cut, own).stage).toBe("edit");
  expect(walk(cut, own, both).stage).toBe("join");
  expect(walk(cut, own, both, sending).stage).toBe("join");
  expect(walk(cut, own, both, sending, home)).toEqual({ stage: "done", away: "ana", head: 4 });
});

test("who comes back without an edit begins again, and anybody may be the one", () => {
  expect(walk(facts(4, [false, 0]), facts(4, [true, 0])).stage).toBe("cut");
  expect(walk(facts(4, [true, 0], [false, 0])).away).toBe("ben");
});

test("the log is kept newest first, each entry once", () => {
  const entry = (seq: number) => ({ seq, at: 0, replica: "r", n: seq });
  const first = merge({ head: 2, log: [entry(1), entry(2)] }, []);
  const then = merge({ head: 3, log: [entry(2), entry(3)] }, first);
  expect(then.map((e) => e.seq)).toEqual([3, 2, 1]);
});

test("names of replicas are remembered, each once", () => {
  const line = remember("ana=1f", [
    { replica: "1f", person: ana },
    { replica: "90", person: ben },
  ]);
  expect(line).toBe("ana=1f ben=90");
  const names = readNames(`${line} nobody=77 torn`);
  expect(authorOf(names, "90/4")).toBe(ben);
  expect(authorOf(names, "1f")).toBe(ana);
  expect(authorOf(names, "77")).toBeUndefined();
});
