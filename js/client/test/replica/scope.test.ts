import { expect, test } from "vitest";
import { type Change, DELETE, FORGET, INSERT, type Op, UPDATE } from "../../src/change.ts";
import { codeOf } from "../../src/error.ts";
import { atOnce } from "../../src/lite/work.ts";
import { keyIDOf } from "../../src/replica/base.ts";
import type { Schema } from "../../src/schema.ts";
import { diff } from "../../src/splice/diff.ts";
import { patchBody } from "../../src/splice/edit.ts";
import type { Row } from "../../src/value.ts";
import type { Batch, Part } from "../../src/wire/batch.ts";
import type { Welcome } from "../../src/wire/down.ts";
import { encode } from "../inspect.ts";
import { all } from "../integrity.ts";
import { type Device, Origin } from "./fixture.ts";

const notes = "CREATE TABLE note (id INTEGER PRIMARY KEY, body TEXT, n INTEGER)";

const scopes = (...list: string[]) => ({ type: "scopes", list, ask: 1 }) as const;
const news = (scope: string, state: "gained" | "ready" | "lost", rows = 0, unwanted = false) => ({
  ...{ scope, state, rows, unwanted },
});

/** Plays the server of a space with scopes a and b. */
class Desk extends Origin {
  constructor(sql: string, ddl = notes) {
    super(ddl);
    this.declare({ body: "text" });
    this.schema = { ...this.schema, scopes: ["a", "b"], declared: "x" };
    this.db.script(sql);
    this.rows = this.read();
  }

  #id = (n: number): string => [...this.rows.keys()].find((id) => this.rows.get(id)![0] === BigInt(n))!;

  keyID(n: number): string {
    return keyIDOf(this.#id(n));
  }

  row(n: number): Row {
    return this.rows.get(this.#id(n))!;
  }

  change(op: Op, n: number, more: Partial<Change> = {}): Change {
    return { table: 1, op, key: [BigInt(n)], columns: [], values: [], old: null, edits: null, madeAt: 0, ...more };
  }

  put(n: number): Change {
    return this.change(INSERT, n, { values: [...this.row(n)] });
  }

  /** A part with the sum of the notes that are in its scope. */
  part(scope: string, changes: Change[], ...in_: number[]): Part {
    return { scope, sum: this.sum(new Map(in_.map((n) => [this.#id(n), this.row(n)]))), changes, raw: "" };
  }

  parts(from: number, ...parts: Part[]): Batch {
    return { ...this.batch(from, []), sum: 0n, parts };
  }

  /** A replica that holds scopes with these notes. */
  holding(held: Readonly<Record<string, number[]>>): Device {
    const d = this.clone();
    atOnce(d.r.takeScopes(scopes(...Object.keys(held)), 1));
    const list = Object.entries(held).map(([scope, ns]) =>
      this.part(
        scope,
        ns.map((n) => this.put(n)),
        ...ns,
      ),
    );
    d.applyWell(this.parts(0, ...list));
    return d;
  }
}

const seen = (d: Device): string => d.db.text("SELECT group_concat(id || ' ' || n, ', ') FROM note ORDER BY id");

test("a row that stands in several parts is edited once", () => {
  const o = new Desk("INSERT INTO note VALUES (1, 'one', 5)");
  const d = o.holding({ "a/1": [1], "b/1": [1] });
  d.commit("UPDATE note SET body = body || '!' WHERE id = 1");
  const edit = (from: string, to: string): Change => {
    const e = { kind: "t", body: patchBody(diff(from, to), false) } as const;
    return o.change(UPDATE, 1, { columns: [1], values: [null], edits: [e] });
  };
  o.do("UPDATE note SET body = 'one two' WHERE id = 1");
  const once = edit("one", "one two");
  d.applyWell(o.parts(0, o.part("a/1", [once], 1), o.part("b/1", [once], 1)));
  expect(d.db.text("SELECT body FROM note")).toBe("one! two");
  // Also where the part stands first that brings it whole.
  o.do("UPDATE note SET body = 'one two three' WHERE id = 1");
  const more = edit("one two", "one two three");
  d.applyWell(o.parts(1, o.part("a/1", [o.put(1)], 1), o.part("b/1", [more], 1)));
  d.settle(d.rejection(1, 2));
  expect(d.db.text("SELECT body FROM note")).toBe("one two three");
});

test("a row that moves between held scopes stays, and leaves with the last", () => {
  const o = new Desk("INSERT INTO note VALUES (1, 'one', 5), (2, 'two', 6)");
  const d = o.holding({ "a/1": [1], "b/1": [2] });
  o.do("UPDATE note SET n = 50 WHERE id = 1");
  const stays = d.applyWell(o.parts(0, o.part("a/1", [o.change(FORGET, 1)]), o.part("b/1", [o.put(1)], 1, 2)));
  expect([seen(d), stays.left]).toEqual(["1 50, 2 6", new Map()]);
  o.do("UPDATE note SET n = 51 WHERE id = 1");
  const left = d.applyWell(o.parts(1, o.part("b/1", [o.change(FORGET, 1)], 2)));
  expect([seen(d), left.left, left.tables]).toEqual(["2 6", new Map([[1, [[1n]]]]), [1]]);
  expect(all(d.db, "SELECT t, n FROM _tm_left")).toEqual([[1n, 1n]]);
  // Deleting is another thing.
  const died = d.applyWell({ ...o.parts(2, o.part("b/1", [o.change(DELETE, 2)])), to: 3 });
  expect([seen(d), died.left]).toEqual(["", new Map()]);
});

test("pending on a row that left waits, and comes back with it", () => {
  const o = new Desk("INSERT INTO note VALUES (1, 'one', 5), (2, 'two', 6)");
  const d = o.holding({ "a/1": [1], "b/1": [2] });
  for (const sql of ["UPDATE note SET n = 55 WHERE id = 1", "DELETE FROM note WHERE id = 1"]) d.commit(sql);
  d.commit("UPDATE note SET n = 66 WHERE id = 2");
  const lost = atOnce(d.r.takeScopes(scopes("b/1"), 2))!;
  expect(lost.suspended.map((p) => [p.n, p.cause])).toEqual([
    [1, "forbidden"],
    [2, "forbidden"],
  ]);
  expect([lost.scopes, lost.left.get(1)]).toEqual([[news("a/1", "lost", 1)], [[1n]]]);
  expect(seen(d)).toBe("2 66");
  // The scope comes back before the server's word.
  expect(atOnce(d.r.takeScopes(scopes("a/1", "b/1"), 3))?.scopes).toEqual([news("a/1", "gained")]);
  expect(d.r.status().filling).toBe(1);
  const back = d.applyWell(o.parts(0, o.part("a/1", [o.put(1)], 1)));
  expect([back.resumed, back.scopes]).toEqual([[1, 2], [news("a/1", "ready", 1)]]);
  expect(seen(d)).toBe("2 66"); // the second one deletes it
  // And goes again, and the server refuses.
  atOnce(d.r.takeScopes(scopes("b/1"), 4));
  d.settle(d.rejection(1, 0), d.rejection(2, 0));
  expect(d.r.rejected().map((r) => [r.code, r.changes.length])).toEqual([
    ["forbidden", 1],
    ["forbidden", 1],
  ]);
  expect(d.db.int("SELECT count(*) FROM _tm_lost")).toBe(0);
});

test("an insert that one may not read leaves when it settles", () => {
  const o = new Desk("");
  const d = o.holding({ "a/1": [] });
  d.commit("INSERT INTO note VALUES (9, 'nine', 1)");
  d.commit("UPDATE note SET n = 2 WHERE id = 9");
  const { outcome } = o.judge(1, d.hash(1), d.pending()[0]!.changes!);
  const a = d.applyWell(o.parts(0), outcome);
  expect([seen(d), a.left.get(1), a.suspended.map((p) => p.cause)]).toEqual(["", [[9n]], ["forbidden"]]);
  d.settle(d.rejection(2, 1));
  expect(d.db.int("SELECT (SELECT count(*) FROM _tm_base) + (SELECT count(*) FROM _tm_pending)")).toBe(0);
});

test("chunks fill scopes, and a list voids them", () => {
  const o = new Desk("INSERT INTO note VALUES (1, 'one', 5), (2, 'two', 6), (3, 'three', 7)");
  const d = o.clone();
  expect(atOnce(d.r.takeScopes(scopes("a/1", "b/1"), 1))?.scopes).toEqual([
    news("a/1", "gained"),
    news("b/1", "gained"),
  ]);
  expect(atOnce(d.r.takeScopes(scopes("a/1", "b/1"), 1))).toBeNull();
  const chunk = (cursor: string, ...parts: Part[]): Batch => ({ ...o.parts(0, ...parts), more: true, cursor });
  const first = chunk("c1", o.part("a/1", [o.put(1)]), o.part("b/1", [o.put(1), o.put(2)]));
  expect(d.apply(first)).toMatchObject({ staged: true, rows: 2 });
  expect([d.r.hello().staged, d.r.status().staged, seen(d)]).toEqual(["c1", 1, ""]);
  atOnce(d.r.takeScopes(scopes("a/1", "b/1"), 1));
  expect(d.r.hello().staged).toBe("");
  d.apply(first);
  d.crash();
  const last = o.parts(0, o.part("a/1", [o.put(3)], 1, 3), o.part("b/1", [], 1, 2));
  const a = d.applyWell(last);
  expect([a.rows, a.gathered, a.scopes]).toEqual([1, true, [news("a/1", "ready", 2), news("b/1", "ready", 2)]]);
  expect([seen(d), d.r.hello().held, d.r.status().proven]).toEqual(["1 5, 2 6, 3 7", ["a/1", "b/1"], true]);
});

test("what does not fit is refused, and one kind of space is not the other", () => {
  const o = new Desk("INSERT INTO note VALUES (1, 'one', 5)");
  const d = o.holding({ "a/1": [1] });
  const bad: [Batch, string][] = [
    [o.parts(0, o.part("a/2", [o.put(1)])), "protocol"],
    [o.parts(0, o.part("a/2", [])), "protocol"],
    [{ ...o.parts(0), changes: [o.put(1)] }, "protocol"],
    [o.parts(0, o.part("a/1", [o.change(FORGET, 1, { key: [] })])), "protocol"],
  ];
  for (const [b, code] of bad) expect(thrown(() => d.apply(b))).toBe(code);
  expect(seen(d)).toBe("1 5");
  const plain = new Origin(notes).clone();
  expect(thrown(() => plain.apply(o.parts(0, o.part("a/1", []))))).toBe("schema");
  expect(thrown(() => atOnce(plain.r.takeScopes(scopes("a/1"), 1)))).toBe("schema");
  expect(thrown(() => plain.r.subscribe(true, []))).toBe("usage");
  expect(
    thrown(() => atOnce(plain.r.saveSchema({ type: "schema", hash: "h", body: '{"hash":"h","scopes":["a"]}' }, 1))),
  ).toBe("schema");
  expect([plain.r.scopes(true), plain.r.status().scoped]).toEqual([[], false]);
});

const welcome = (digestKey: Uint8Array, schema: string): Welcome => ({
  ...{ type: "welcome", protocol: 1, space: "s", incarnation: "inc", term: "term", replica: "r", ticket: "t", head: 0 },
  ...{ schema, digestKey, time: 0, limits: { message: 0, changeset: 0, row: 0 }, resync: false },
  ...{ principal: "", expires: 0, scopes: [], ask: 0 },
});

test("what an empty list leaves open is lost once the schema shows that there are scopes", () => {
  const o = new Desk("INSERT INTO note VALUES (1, 'one', 5)");
  const d = o.holding({ "a/1": [1] });
  const next = { ...o.schema, hash: "next" };
  const tell = (s: Schema) => atOnce(d.r.saveSchema({ type: "schema", hash: s.hash, body: encode(s) }, 1));
  expect(atOnce(d.r.welcome(welcome(o.key, next.hash), 1))).toBeNull();
  expect(thrown(() => tell({ ...next, scopes: [] }))).toBe("schema");
  expect(seen(d)).toBe("1 5");
  const a = tell(next);
  expect([a?.scopes, a?.tables, a?.left.get(1)?.length]).toEqual([[news("a/1", "lost", 1)], [1], 1]);
  expect([seen(d), tell(next)]).toEqual(["", null]);
});

function thrown(fn: () => unknown): string {
  try {
    fn();
  } catch (err) {
    return codeOf(err);
  }
  return "nothing";
}

test("a sum that differs marks the copy, and memberships are mended", () => {
  const o = new Desk("INSERT INTO note VALUES (1, 'one', 5), (2, 'two', 6), (3, 'three', 7)");
  const d = o.holding({ "a/1": [1, 2], "b/1": [2, 3] });
  const sum = () => atOnce(d.r.confirmedRanges(1, null, null, []))[0]!;
  const right = sum();
  const damages = [
    (k: Uint8Array[]) => d.db.run("DELETE FROM _tm_member WHERE key = ?1 AND s = 1", k[1]!),
    (k: Uint8Array[]) => d.db.run("INSERT INTO _tm_member VALUES (1, ?1, 2)", k[0]!),
    (k: Uint8Array[]) => d.db.run("UPDATE _tm_member SET s = 2 WHERE key = ?1", k[0]!),
    (k: Uint8Array[]) => d.db.run("DELETE FROM _tm_member WHERE key = ?1", k[2]!),
    () => d.db.run("DELETE FROM note WHERE id = 1"),
  ];
  const keys = [1, 2, 3].map((n) => Uint8Array.from(o.keyID(n), (c) => c.charCodeAt(0)));
  const rows = [1, 2, 3].map((n) => o.row(n));
  const of = [["a/1"], ["a/1", "b/1"], ["b/1"]];
  for (const damage of damages) {
    d.db.setTriggers(false);
    damage(keys);
    d.db.setTriggers(true);
    expect(sum()).not.toEqual(right);
    atOnce(d.r.repairAll([{ table: 1, after: null, upto: null, rows, scopes: of }], "uncaptured", 5));
    atOnce(d.r.prove(5));
    expect(sum()).toEqual(right);
    d.applyWell(o.parts(0, o.part("a/1", [], 1, 2), o.part("b/1", [], 2, 3)));
  }
  expect(d.r.rejected().length).toBe(1); // of the row that was missing
  o.do("UPDATE note SET n = 8 WHERE id = 1");
  expect(d.apply(o.parts(0, o.part("a/1", [], 1, 2))).repair).toContain("a/1");
  expect(d.r.status()).toMatchObject({ proven: false });
});

test("what left is not in the bytes of the file", () => {
  const o = new Desk("INSERT INTO note VALUES (1, 'canary of a', 5), (2, 'kept', 6)");
  const d = o.holding({ "a/1": [1], "b/1": [2] });
  d.commit("UPDATE note SET n = 9 WHERE id = 1");
  const has = (text: string): boolean => Buffer.from(d.db.serialize()).includes(text);
  expect(has("canary of a")).toBe(true);
  atOnce(d.r.takeScopes(scopes("b/1"), 2));
  expect([has("canary of a"), has("kept")]).toEqual([false, true]);
});

test("what is wanted is kept, told and answered", () => {
  const o = new Desk("");
  const d = o.clone();
  expect(d.r.status()).toMatchObject({ scoped: true, only: false, unasked: true, filling: 0 });
  expect(d.r.hello()).toMatchObject({ held: [], only: false, want: [] });
  const want = [
    { scope: "b/1", priority: -1 },
    { scope: "a/2", priority: 0 },
  ];
  d.r.subscribe(true, [...want].reverse());
  expect(d.r.hello()).toMatchObject({ only: true, want });
  expect([d.r.wanted(), d.r.wants()]).toEqual([2, { only: true, want }]);
  d.r.answered(2);
  expect(d.r.status().unasked).toBe(false);
  atOnce(d.r.takeScopes(scopes("a/2"), 1));
  expect(d.r.filling()).toBe(true);
  expect(d.r.scopes(true)).toEqual([
    { scope: "a/2", listed: true, wanted: true, ready: false, priority: 0, rows: 0 },
    { scope: "b/1", listed: false, wanted: true, ready: false, priority: -1, rows: 0 },
  ]);
  d.r.subscribe(true, []);
  expect(atOnce(d.r.takeScopes(scopes(), 2))?.scopes).toEqual([news("a/2", "lost", 0, true)]);
});
