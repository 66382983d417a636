import { describe, expect, test } from "vitest";
import { Moved } from "../../src/replica/connection.ts";
import type { Batch } from "../../src/wire/down.ts";
import { expectRows, Origin, people } from "./fixture.ts";

describe("rows that meet no pending", () => {
  test("are written, and the checkpoint is proven", () => {
    const o = new Origin(people);
    const d = o.clone();
    const a = d.applyWell(
      o.do(
        "UPDATE person SET name = 'Anna' WHERE id = 1; INSERT INTO pet VALUES (11, 2, 'Tom'); DELETE FROM person WHERE id = 3",
      ),
    );
    expect(a.tables).toEqual([1, 2]);
    expectRows(d.rows(), o.rows);
    expect(d.r.status()).toMatchObject({ proven: true, seq: 1, pending: 0 });
  });

  test("may swap unique values", () => {
    const o = new Origin(people);
    const d = o.clone();
    d.applyWell(
      o.do(`UPDATE person SET mail = 'z' WHERE id = 1; UPDATE person SET mail = 'a@x' WHERE id = 2;
        UPDATE person SET mail = 'b@x' WHERE id = 1`),
    );
    expectRows(d.rows(), o.rows);
  });

  test("need not please a CHECK", () => {
    const o = new Origin("CREATE TABLE n (id INTEGER PRIMARY KEY, v CHECK (v < 10))");
    const d = o.clone();
    d.applyWell(o.do("PRAGMA ignore_check_constraints = ON; INSERT INTO n VALUES (1, 99)"));
    expect(d.get("SELECT v FROM n")).toEqual([99n]);
    expect(() => d.write("INSERT INTO n VALUES (2, 99)")).toThrow("CHECK");
    d.applyWell(o.do("DELETE FROM n")); // SQLite's own check would find it
  });
});

test("local writes stay on top", () => {
  const o = new Origin(people);
  const d = o.clone();
  d.write("UPDATE person SET name = 'mine' WHERE id = 1");
  d.applyWell(o.do("UPDATE person SET name = 'theirs', mail = 'new@x' WHERE id = 1"));
  expect(d.get("SELECT name, mail FROM person WHERE id = 1")).toEqual(["mine", "new@x"]);
  d.checkBase(o.rows);
  const { outcome, batch } = o.judge(1, d.hash(1), d.pending()[0]!.changes!);
  expect(d.applyWell(batch!, outcome).settled).toEqual([outcome]);
  expect(d.pending()).toEqual([]);
  d.checkBase(o.rows);
  expectRows(d.rows(), o.rows);
});

test("one that is rejected in the middle takes only its own effect along", () => {
  const o = new Origin(people);
  const d = o.clone();
  d.commit("UPDATE person SET name = 'one' WHERE id = 1");
  d.commit("UPDATE person SET name = 'two', mail = 'two@x' WHERE id = 1");
  d.commit("UPDATE person SET mail = 'three@x' WHERE id = 1");
  const { outcome, batch } = o.judge(1, d.hash(1), d.pending()[0]!.changes!);
  d.applyWell(batch!, outcome);
  d.settle(d.rejection(2, 1));
  expect(d.get("SELECT name, mail FROM person WHERE id = 1")).toEqual(["one", "three@x"]);
  const [rej] = d.r.rejected();
  expect(rej).toMatchObject({ n: 2, code: "forbidden", changes: [expect.anything()] });
  d.checkBase(o.rows);
  expect(d.r.retry(rej!.id, false, 9)).toBe(1);
  expect(d.get("SELECT name, mail FROM person WHERE id = 1")).toEqual(["two", "two@x"]);
  expect(d.pending().map((p) => p.n)).toEqual([3, 4]);
  expect(d.r.rejected()).toEqual([]);
});

test("a taken unique value suspends, with what builds on it, and resumes when it is free", () => {
  const o = new Origin(people);
  const d = o.clone();
  d.commit("INSERT INTO person VALUES (50, 'Me', 'want@x')");
  d.commit("INSERT INTO pet VALUES (60, 50, 'Mine')");
  d.commit("UPDATE person SET name = 'Me too' WHERE id = 50");
  const a = d.applyWell(o.do("UPDATE person SET mail = 'want@x' WHERE id = 3"));
  expect(a.suspended.map((p) => p.cause)).toEqual(["unique", "depends_on 1", "depends_on 1"]);
  expectRows(d.rows(), o.rows);
  d.checkBase(o.rows);
  d.crash();
  const b = d.applyWell(o.do("UPDATE person SET mail = 'other@x' WHERE id = 3"));
  expect(b.resumed).toEqual([1, 2, 3]);
  expect(d.get("SELECT name FROM person WHERE id = 50")).toEqual(["Me too"]);
  expect(d.get("SELECT owner FROM pet WHERE id = 60")).toEqual([50n]);
});

test("a row that was deleted under a pending update stays away", () => {
  const o = new Origin(people);
  const d = o.clone();
  d.commit("UPDATE person SET name = 'x' WHERE id = 2");
  expect(d.applyWell(o.do("DELETE FROM person WHERE id = 2")).suspended).toEqual([]);
  expectRows(d.rows(), o.rows);
  const { outcome, batch } = o.judge(1, d.hash(1), d.pending()[0]!.changes!);
  d.applyWell(batch!, outcome);
  d.checkBase(o.rows);
});

test("a foreign key of pending that breaks suspends it, from either side", () => {
  const o = new Origin(people);
  const d = o.clone();
  d.commit("INSERT INTO pet VALUES (70, 2, 'Late')");
  expect(d.applyWell(o.do("DELETE FROM person WHERE id = 2")).suspended).toMatchObject([
    { n: 1, cause: "foreign_key" },
  ]);
  expectRows(d.rows(), o.rows);
  d.commit("DELETE FROM person WHERE id = 1");
  expect(d.applyWell(o.do("INSERT INTO pet VALUES (71, 1, 'New')")).suspended).toMatchObject([{ n: 2 }]);
  expectRows(d.rows(), o.rows);
});

test("another checkpoint is refused", () => {
  const o = new Origin(people);
  const d = o.clone();
  o.do("UPDATE person SET name = 'q' WHERE id = 1");
  const b = o.do("UPDATE person SET name = 'r' WHERE id = 1");
  expect(() => d.apply(b)).toThrow(Moved);
});

test("chunks become visible together", () => {
  const o = new Origin(people);
  const d = o.clone();
  const b = o.do(`UPDATE person SET name = 'c1' WHERE id = 1; UPDATE person SET name = 'c2' WHERE id = 2;
    INSERT INTO person VALUES (9, 'c9', 'n@x')`);
  const before = d.rows();
  const first: Batch = { ...b, changes: b.changes.slice(0, 2), more: true, cursor: "cur" };
  expect(d.apply(first).staged).toBe(true);
  d.crash();
  expectRows(d.rows(), before);
  expect(d.r.hello().staged).toBe("cur");
  expect(d.r.status().staged).toBe(1);
  d.applyWell({ ...b, changes: b.changes.slice(2) });
  expectRows(d.rows(), o.rows);
  expect(d.r.status().staged).toBe(0);
});

test("an outcome of another hash settles nothing", () => {
  const o = new Origin(people);
  const d = o.clone();
  d.commit("UPDATE person SET name = 'x' WHERE id = 2");
  const out = d.acceptance(1, 0);
  out.hash[0]! ^= 1;
  expect(d.settle(out).settled).toEqual([]);
  expect(d.pending().length).toBe(1);
});

test("an outcome of a later seq waits, and one that comes twice counts once", () => {
  const o = new Origin(people);
  const d = o.clone();
  d.commit("UPDATE person SET name = 'x' WHERE id = 2");
  const { outcome, batch } = o.judge(1, d.hash(1), d.pending()[0]!.changes!);
  expect(d.settle(outcome).settled).toEqual([]);
  expect(d.applyWell(batch!, outcome, outcome).settled).toEqual([outcome]);
  expect(d.settle(outcome).settled).toEqual([]);
});

test("one that was accepted without an effect here shows what is confirmed", () => {
  const o = new Origin(people);
  const d = o.clone();
  d.commit("UPDATE person SET name = 'x' WHERE id = 2");
  o.seq = 1;
  d.applyWell(o.batch(0, []), d.acceptance(1, 1));
  expectRows(d.rows(), o.rows);
});

test("a wrong sum asks for repair, and the next right one ends that", () => {
  const o = new Origin(people);
  const d = o.clone();
  const b = o.do("UPDATE person SET name = 'B' WHERE id = 1");
  expect(d.apply({ ...b, sum: b.sum + 1n }).repair).toContain("seq 1");
  expect(d.r.status()).toMatchObject({ proven: false, repair: expect.stringContaining("differ") });
  d.applyWell(o.do("UPDATE person SET name = 'C' WHERE id = 1"));
  expect(d.r.status()).toMatchObject({ proven: true, repair: "" });
});

test("sums that only went stale need no repair", () => {
  const o = new Origin(people);
  const d = o.clone();
  const on = d.db.setTriggers(false);
  d.db.script("UPDATE person SET name = 'forged' WHERE id = 2");
  d.db.setTriggers(on);
  d.applyWell(o.do("UPDATE person SET name = 'B' WHERE id = 1")); // incremental sums do not see what capture did not
  d.applyWell(o.do("UPDATE person SET name = 'C' WHERE id = 2"));
  expect(d.r.status().proven).toBe(true);
  expectRows(d.rows(), o.rows);
});

test("a refused batch leaves the app's transactions as they were", () => {
  const o = new Origin(people);
  const d = o.clone();
  const b = o.do("UPDATE person SET name = 'B' WHERE id = 1");
  expect(() => d.apply({ ...b, schema: "0123456789abcdef" })).toThrow(expect.objectContaining({ code: "schema" }));
  d.commit("UPDATE person SET name = 'mine' WHERE id = 2");
  expect(() => d.write("INSERT INTO pet VALUES (99, 99, 'x')")).toThrow("FOREIGN KEY");
  d.applyWell(b);
  expect(d.get("SELECT group_concat(name) FROM person")).toEqual(["B,mine,Cy"]);
});

// How far pending is undone: too little, and a changeset stands that could not,
// or stays down that could stand.

test("a changeset that could not stand at its turn falls, although a later one makes good what it did", () => {
  const o = new Origin(people);
  const d = o.clone();
  d.commit("INSERT INTO person VALUES (7, 'New', 'n@x')");
  d.commit("UPDATE person SET mail = 'other@x' WHERE id = 7");
  const { suspended } = d.applyWell(o.do("INSERT INTO person VALUES (8, 'Theirs', 'n@x')"));
  expect(suspended.map((p) => p.n)).toEqual([1, 2]);
});

test("a long pending is undone where a foreign key reaches one of its rows from elsewhere", () => {
  const o = new Origin(people);
  const d = o.clone();
  d.r.exact = 0;
  d.commit("INSERT INTO pet VALUES (70, 2, 'New')");
  d.commit("UPDATE person SET name = 'Annie' WHERE id = 1");
  const { suspended } = d.applyWell(o.do("DELETE FROM person WHERE id = 2"));
  expect(suspended).toMatchObject([{ n: 1, cause: "foreign_key" }]);
});

test("a suspended changeset of a long pending has its turn before one that came later", () => {
  const o = new Origin(`CREATE TABLE seat (id INTEGER PRIMARY KEY, row UNIQUE, name UNIQUE);
    INSERT INTO seat VALUES (1, 1, 'one')`);
  const d = o.clone();
  d.r.exact = 0;
  d.commit("INSERT INTO seat VALUES (5, 7, 'five')");
  expect(d.applyWell(o.do("INSERT INTO seat VALUES (8, 7, 'eight')")).suspended).toMatchObject([{ n: 1 }]);
  d.commit("UPDATE seat SET row = 9 WHERE id = 8");
  d.commit("INSERT INTO seat VALUES (6, 7, 'six')");
  const a = d.applyWell(o.do("UPDATE seat SET row = 9 WHERE id = 8"));
  expect([a.resumed, a.suspended]).toMatchObject([[1], [{ n: 3, cause: "unique" }]]);
  d.commit("UPDATE seat SET name = 'six' WHERE id = 1");
  const b = d.settle(d.rejection(1, 2));
  expect([b.resumed, b.suspended]).toMatchObject([[3], [{ n: 4, cause: "unique" }]]);
});
