import { expect, test } from "vitest";
import type { AppCode, Code } from "../../src/codes.ts";
import { Origin, people } from "./fixture.ts";

test("a retry in parts makes what fits and keeps the rest", () => {
  const o = new Origin(people);
  const d = o.clone();
  d.commit(`INSERT INTO person VALUES (20, 'P', 'p@x'); INSERT INTO pet VALUES (21, 20, 'Q');
    INSERT INTO person VALUES (30, 'R', 'clash@x'); UPDATE person SET name = 'solo' WHERE id = 2`);
  d.settle(d.rejection(1, 0, "unique"));
  d.applyWell(o.do("UPDATE person SET mail = 'clash@x' WHERE id = 3"));
  const { id } = d.r.rejected()[0]!;
  expect(() => d.r.retry(id, false, 3)).toThrow(expect.objectContaining({ code: "unique" }));
  expect(d.r.retry(id, true, 3)).toBe(2);
  const left = d.r.rejected();
  expect(left.map((rej) => rej.changes.map((c) => c.key))).toEqual([[[30n]]]);
  expect(d.get("SELECT owner FROM pet WHERE id = 21")).toEqual([20n]);
  expect(d.get("SELECT name FROM person WHERE id = 2")).toEqual(["solo"]);
  expect(d.pending().length).toBe(2);
  d.checkBase(o.rows);
});

test("a retry of a row that is gone, or of nothing, says so", () => {
  const o = new Origin(people);
  const d = o.clone();
  d.commit("UPDATE person SET name = 'x' WHERE id = 3");
  d.settle(d.rejection(1, 0));
  d.applyWell(o.do("DELETE FROM person WHERE id = 3"));
  expect(() => d.r.retry(1, false, 3)).toThrow(expect.objectContaining({ code: "not_found" }));
  expect(() => d.r.retry(9, false, 3)).toThrow(expect.objectContaining({ code: "not_found" }));
  expect(d.r.rejected().length).toBe(1);
  d.r.discard(1);
  expect(d.r.rejected()).toEqual([]);
});

test("a retried changeset fires no trigger of the app: what it did is part of it", () => {
  const o = new Origin(`${people} CREATE TABLE note (id INTEGER PRIMARY KEY, t TEXT);
    CREATE TRIGGER noting AFTER UPDATE ON person BEGIN INSERT INTO note (t) VALUES (new.name); END;`);
  const d = o.clone();
  d.commit("UPDATE person SET name = 'x' WHERE id = 3");
  expect(d.pending()[0]!.changes!.length).toBe(2);
  d.settle(d.rejection(1, 0));
  expect(d.get("SELECT count(*) FROM note")).toEqual([0n]);
  expect(d.r.retry(1, false, 3)).toBe(1);
  expect(d.get("SELECT count(*) FROM note")).toEqual([1n]);
});

test("a code of the app's own, and its message, are kept and survive a retry", () => {
  const o = new Origin(people);
  const d = o.clone();
  d.commit("UPDATE person SET name = 'x' WHERE id = 3");
  d.settle({ ...d.rejection(1, 0, "app:no_budget"), message: "nothing is left for this" });
  const [kept] = d.r.rejected();
  expect([kept!.code, kept!.message]).toEqual(["app:no_budget", "nothing is left for this"]);
  const code: Code | AppCode = kept!.code;
  expect(code.startsWith("app:")).toBe(true);
  expect(d.r.retry(kept!.id, false, 3)).toBe(1);
  d.settle(d.rejection(2, 0, "app:no_budget"));
  expect(d.r.rejected().map((r) => r.code)).toEqual(["app:no_budget"]);
  d.checkBase(o.rows);
});
