import { expect, test } from "vitest";
import { Spare } from "../../src/worker/spare.ts";
import { Origin, people } from "../replica/fixture.ts";

test("what is pending is kept as far as there is room, and what goes beyond is counted", () => {
  const o = new Origin(people);
  const d = o.clone();
  const all = new Spare();
  const few = new Spare(150);
  const look = (): [number, number, number, number] => {
    for (const s of [all, few]) s.note(d.r);
    return [all.cargo().pending.length, all.beyond, few.cargo().pending.length, few.beyond];
  };
  expect(look()).toEqual([0, 0, 0, 0]);
  for (let i = 0; i < 5; i++) d.commit(`UPDATE person SET name = '${"long ".repeat(12)}${i}' WHERE id = 3`);
  const [kept, beyond, some, rest] = look();
  expect([kept, beyond]).toEqual([5, 0]);
  expect(some).toBeGreaterThan(0);
  expect(rest).toBeGreaterThan(0);
  expect(some + rest).toBe(5);
  d.settle(...[1, 2, 3, 4, 5].map((n) => d.rejection(n, 0)));
  expect(look()).toEqual([0, 0, 0, 0]);
  d.checkBase(o.rows);
});
