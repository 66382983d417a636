import { expect, test } from "vitest";
import { type Change, INSERT, UPDATE } from "../../src/change.ts";
import { atOnce } from "../../src/lite/work.ts";
import { apply, meet } from "../../src/merge/merge.ts";
import type { Policy } from "../../src/schema.ts";
import { type Device, expectRows, Origin, tellSchema } from "./fixture.ts";

const board = `CREATE TABLE card (id INTEGER PRIMARY KEY, title TEXT, votes INTEGER, tags TEXT, attrs TEXT, body TEXT,
	owner TEXT, top INTEGER, street TEXT, city TEXT, lock TEXT);
INSERT INTO card VALUES (1, 'one', 10, '["a","b"]', '{"x":1}', 'hello world', 'ann', 5, 's', 'c', 'l');
INSERT INTO card VALUES (2, 'two', 0, '[]', '{}', '', 'bob', 0, 's2', 'c2', 'l2');`;

const policies: Readonly<Record<string, Policy>> = {
  votes: "counter",
  tags: "set",
  attrs: "json",
  body: "text",
  owner: "first-write",
  top: "max",
  lock: "reject",
};

function newBoard(): { o: Origin; d: Device } {
  const o = new Origin(board);
  o.declare(policies);
  return { o, d: o.clone() };
}

/** The only change of the newest pending changeset. */
function lastChange(d: Device): Change {
  const changes = d.pending().at(-1)!.changes!;
  expect(changes.length).toBe(1);
  return changes[0]!;
}

/** The edit of the first column of that change. */
function lastEdit(d: Device): unknown {
  const e = lastChange(d).edits?.[0];
  return e && e.kind !== "" ? [e.kind, e.body] : null;
}

test("sealing makes intents", () => {
  const { d } = newBoard();
  const cases: [string, unknown][] = [
    ["title = 'x'", null],
    ["votes = votes + 3", ["a", "3"]],
    ["votes = votes - 1", ["a", "-1"]],
    ["votes = NULL", null],
    [`tags = '["a","c"]'`, ["m", `[["c"],["b"]]`]],
    ["body = 'hello brave world'", ["t", `{"s":[[6,0,"brave "]]}`]],
    ["body = 'hello brave world!'", ["t", `{"s":[[17,0,"!"]],"after":6}`]],
    ["top = 3", null],
  ];
  for (const [set, want] of cases) {
    d.commit(`UPDATE card SET ${set} WHERE id = 1`);
    expect(lastEdit(d), set).toEqual(want);
  }
  d.commit("UPDATE card SET city = 'x' WHERE id = 1");
  expect(lastChange(d)).toMatchObject({ columns: [8, 9], values: ["s", "x"], edits: null });
  d.commit("INSERT INTO card (id, votes, body) VALUES (3, 3, 'b')");
  expect(lastChange(d)).toMatchObject({ op: INSERT, edits: null });
  d.commit("UPDATE card SET body = 'bc' WHERE id = 3");
  expect(lastEdit(d)).toEqual(["t", `{"s":[[1,0,"c"]],"after":10}`]);
  d.commit("UPDATE card SET id = 4, votes = 5, body = 'bcd' WHERE id = 3");
  d.commit("UPDATE card SET body = 'bcde' WHERE id = 4");
  expect(lastEdit(d)).toEqual(["t", `{"s":[[3,0,"e"]],"after":12}`]);
});

test("what is sent of a key press is no document", () => {
  const { d } = newBoard();
  d.commit(`UPDATE card SET body = '${"All work and no play. ".repeat(5_000)}' WHERE id = 1`);
  for (let i = 0; i < 5; i++) {
    d.commit("UPDATE card SET body = substr(body, 1, 50000) || 'k' || substr(body, 50001) WHERE id = 1");
    expect(d.pending().at(-1)!.bytes).toBeLessThan(100);
  }
  d.crash();
});

test("a foreign change of everything under an offline edit of everything", () => {
  const { o, d } = newBoard();
  d.commit(`UPDATE card SET title = 'mine', votes = votes + 3, tags = '["b","c"]', attrs = '{"x":1,"mine":2}',
    body = 'hello brave world', owner = 'me', top = 7, city = 'my' WHERE id = 1`);
  d.commit("UPDATE card SET body = 'hello brave new world', owner = 'me2', top = 6 WHERE id = 1");
  const a = d.applyWell(
    o.do(`UPDATE card SET title = 'theirs', votes = votes + 10, tags = '["a","b","d"]', attrs = '{"x":9}',
      body = 'Oh, hello world', owner = 'them', top = 9, street = 'their' WHERE id = 1`),
  );
  expect(a.suspended).toEqual([]);
  expect(d.get("SELECT title, votes, tags, attrs, body, owner, top, street, city FROM card WHERE id = 1")).toEqual([
    "mine",
    23n,
    '["b","d","c"]',
    '{"x":9,"mine":2}',
    "Oh, hello brave new world",
    "them",
    9n,
    "s",
    "my",
  ]);
  expect(d.pending()[0]!.changes![0]!.edits![4]!.body).toBe(`{"s":[[6,0,"brave "]]}`); // what is sent did not move
  // The next edit says what it was made on.
  d.commit("UPDATE card SET body = 'Oh, hello brave new world!' WHERE id = 1");
  expect(lastEdit(d)).toEqual(["t", `{"s":[[25,0,"!"]],"after":2,"on":[[10,0,"brave new "]]}`]);
  d.commit("UPDATE card SET body = 'Oh, hello brave new world!!' WHERE id = 1");
  expect(lastEdit(d)).toEqual(["t", `{"s":[[26,0,"!"]],"after":3}`]);
  d.applyWell(o.do("UPDATE card SET body = substr(body, 5) WHERE id = 1"));
  expect(d.get("SELECT body, owner FROM card WHERE id = 1")).toEqual(["hello brave new world!!", "them"]);
  d.crash();
  d.applyWell(o.do("UPDATE card SET body = '> ' || body WHERE id = 1"));
  expect(d.get("SELECT body, owner FROM card WHERE id = 1")).toEqual(["> hello brave new world!!", "them"]);
});

test("a stale edit is suspended until its verdict", () => {
  const { o, d } = newBoard();
  d.commit("UPDATE card SET lock = 'mine', title = 'mine' WHERE id = 1");
  d.commit("UPDATE card SET title = 'free' WHERE id = 2");
  const a = d.applyWell(o.do("UPDATE card SET lock = 'theirs' WHERE id = 1"));
  expect(a.suspended).toMatchObject([{ n: 1, cause: "stale" }]);
  expect(d.get("SELECT title, lock FROM card WHERE id = 1")).toEqual(["one", "theirs"]);
  expect(d.applyWell(o.do("UPDATE card SET title = 'x' WHERE id = 1")).resumed).toEqual([]);
  expect(d.get("SELECT title, lock FROM card WHERE id = 1")).toEqual(["x", "theirs"]);
  d.settle(d.rejection(1, 2, "stale"));
  expect(d.get("SELECT title FROM card ORDER BY id")).toEqual(["x"]);
  expect(d.r.rejected().length).toBe(1);
});

test("a deleted row comes back where updates win", () => {
  const o = new Origin(board);
  o.declare(policies, "declared", { onDelete: "update-wins" });
  const d = o.clone();
  d.commit("UPDATE card SET votes = votes + 1, body = 'hello' WHERE id = 1");
  d.commit("UPDATE card SET body = 'hello!' WHERE id = 1");
  d.commit("DELETE FROM card WHERE id = 2");
  d.applyWell(o.do("DELETE FROM card WHERE id = 1; UPDATE card SET title = 'kept' WHERE id = 2"));
  const shown = "SELECT group_concat(id || title || votes || body) FROM card";
  expect(d.get(shown)).toEqual(["1one11hello!,2kept0"]);
  d.crash();
  d.applyWell(o.do("INSERT INTO card (id) VALUES (9)"));
  expect(d.get(shown)).toEqual(["1one11hello!,2kept0"]);
});

test("what comes back of our own edits is no conflict, and changes nothing that a reader sees", () => {
  const { o, d } = newBoard();
  const sets = [
    "votes = votes + 3, owner = 'me'",
    "votes = votes - 1, owner = 'me2', body = 'hello, world'",
    "body = 'hello, world!', lock = 'x', top = 1",
  ];
  for (const set of sets) d.commit(`UPDATE card SET ${set} WHERE id = 1`);
  sets.forEach((set, i) => {
    const b = o.do(`UPDATE card SET ${set} WHERE id = 1`);
    const a = d.applyWell(b, d.acceptance(i + 1, b.to));
    expect(a.tables).toEqual([]);
    expect(a.settled.length).toBe(1);
  });
  expectRows(d.rows(), o.rows);
  expect(d.get("SELECT (SELECT count(*) FROM _tm_text) + (SELECT count(*) FROM _tm_base)")).toEqual([0n]);
});

test("a patch that does not fit leaves the row and asks for repair", () => {
  const { o, d } = newBoard();
  for (const pending of [false, true]) {
    if (pending) d.commit("UPDATE card SET title = 'mine' WHERE id = 1");
    const before = d.get("SELECT body FROM card WHERE id = 1");
    const edits = [{ kind: "t", body: `{"s":[[900,1,"x"]]}` }] as const;
    const change: Change = {
      table: 1,
      op: UPDATE,
      key: [1n],
      columns: [5],
      values: [null],
      old: null,
      edits: [...edits],
      madeAt: 0,
    };
    o.seq++;
    expect(d.apply({ ...o.batch(o.seq - 1, [change]), sum: 1n }).repair).toContain("card");
    expect(d.get("SELECT body FROM card WHERE id = 1")).toEqual(before);
  }
});

test("a schema that differs in policies touches no table, and what is pending keeps its meaning", () => {
  const o = new Origin(board);
  const d = o.clone();
  d.commit("UPDATE card SET votes = 13, body = 'hello brave world', title = 'x' WHERE id = 1");
  const version = d.db.int("PRAGMA schema_version");
  const move = (to: Readonly<Record<string, Policy>>, hash: string): void => {
    o.declare(to, hash);
    tellSchema(o, d);
    expect(d.applyWell(o.commit())).toMatchObject({ schema: true, tables: [] });
  };
  move(policies, "one");
  expect(d.db.int("PRAGMA schema_version")).toBe(version);
  d.commit("UPDATE card SET votes = votes + 1, body = 'hello brave new world' WHERE id = 1");
  expect(lastChange(d).edits?.map((e) => e?.body)).toEqual([
    "1",
    `{"s":[[12,0,"new "]],"after":1,"on":[[6,0,"brave "]]}`,
  ]);
  d.applyWell(o.do("UPDATE card SET votes = 100, body = 'hello there world' WHERE id = 1"));
  expect(d.get("SELECT votes, title FROM card WHERE id = 1")).toEqual([14n, "x"]);
  move({ title: "latest-edit" }, "two");
  expect(d.get("SELECT votes, title FROM card WHERE id = 1")).toEqual([14n, "x"]);
  d.commit("UPDATE card SET votes = 20, title = 'y' WHERE id = 1");
  expect(lastChange(d)).toMatchObject({ edits: null, madeAt: expect.any(Number) });
  expect(lastChange(d).madeAt).not.toBe(0);
  d.crash();
  expect(d.r.status()).toMatchObject({ proven: true, out: new Map() });
});

test("what is pending comes to the server later, and stands first", () => {
  const { o, d } = newBoard();
  d.commit("UPDATE card SET body = 'hello my world' WHERE id = 1");
  d.commit("UPDATE card SET body = 'hello my own world' WHERE id = 1");
  d.applyWell(o.do("UPDATE card SET body = 'hello their world' WHERE id = 1"));
  expect(d.get("SELECT body FROM card WHERE id = 1")).toEqual(["hello my own their world"]);
});

test("a text of a copy that differs is set as a whole: the server does not know what its author saw", () => {
  const { o, d } = newBoard();
  const b = o.do("UPDATE card SET body = 'x' WHERE id = 2");
  expect(d.apply({ ...b, sum: b.sum + 1n }).repair).not.toBe("");
  d.commit("UPDATE card SET body = 'hello brave world' WHERE id = 1");
  expect(lastEdit(d)).toBe(null);
  atOnce(d.r.prove(9));
  d.commit("UPDATE card SET body = 'hello brave new world' WHERE id = 1");
  expect(lastEdit(d)).toEqual(["t", `{"s":[[12,0,"new "]],"after":1}`]);
});

test("edits that their value cannot take end as the server decides them", () => {
  const { o, d } = newBoard();
  d.commit(`UPDATE card SET votes = votes + 3, tags = '["a","b","c"]', body = 'hello brave world' WHERE id = 1`);
  d.commit("UPDATE card SET votes = votes + 4 WHERE id = 1");
  d.applyWell(o.do("UPDATE card SET votes = NULL, tags = 'none', body = NULL WHERE id = 1"));
  const met = { column: o.schema.tables[0]!.columns[2]!, policy: "counter", base: 10n, based: true } as const;
  const made = meet({ ...met, theirs: null, mine: null, edit: { kind: "a", body: "3" }, merge: undefined });
  const sum = apply(made.value, null, { kind: "a", body: "4" });
  expect(d.get("SELECT votes, tags, body FROM card WHERE id = 1")).toEqual([sum, '["a","b","c"]', "hello brave world"]);
  d.settle(d.rejection(1, 1, "conflict"), d.rejection(2, 1, "conflict"));
  expectRows(d.rows(), o.rows);
});

test("a rejected changeset is retried by policy, where its surroundings are found", () => {
  const { o, d } = newBoard();
  const fox = "UPDATE card SET body = 'The quick brown fox jumps over the lazy dog and runs away.' WHERE id = 1";
  d.commit(fox);
  const b = o.do(fox);
  d.applyWell(b, d.acceptance(1, 1));
  d.commit(`UPDATE card SET votes = votes + 3, tags = '["a","b","c"]', attrs = '{"x":1,"y":2}',
    body = 'The quick brown fox jumps over the very lazy dog and runs away.' WHERE id = 1`);
  d.commit("UPDATE card SET title = 'kept' WHERE id = 1");
  d.settle(d.rejection(2, 1));
  expect(d.get("SELECT title, votes FROM card WHERE id = 1")).toEqual(["kept", 10n]);
  d.applyWell(
    o.do(`UPDATE card SET votes = 50, tags = '["z"]', attrs = '{"z":1}',
      body = 'Once: ' || body || ' The end.' WHERE id = 1`),
  );
  expect(d.r.retry(1, false, 9)).toBe(1);
  expect(d.r.rejected()).toEqual([]);
  expect(d.get("SELECT votes, tags, attrs, body FROM card WHERE id = 1")).toEqual([
    53n,
    '["z","c"]',
    '{"z":1,"y":2}',
    "Once: The quick brown fox jumps over the very lazy dog and runs away. The end.",
  ]);
  expect(lastEdit(d)).toEqual(["a", "3"]);
});

test("a retry of an edit whose text is gone is refused and keeps the record", () => {
  const { o, d } = newBoard();
  d.commit("UPDATE card SET body = 'hello brave world' WHERE id = 1");
  d.settle(d.rejection(1, 0));
  d.applyWell(o.do("UPDATE card SET body = 'something else' WHERE id = 1"));
  expect(() => d.r.retry(1, false, 2)).toThrow(expect.objectContaining({ code: "conflict" }));
  expect(d.r.rejected().length).toBe(1);
  expect(d.get("SELECT body FROM card WHERE id = 1")).toEqual(["something else"]);
});

test("values of a rejected changeset are replaced, or its changes, and retried", () => {
  const { d } = newBoard();
  const refused = (code: string): unknown => expect.objectContaining({ code });
  d.commit(
    "UPDATE card SET votes = votes + 3, title = 'bad' WHERE id = 1; INSERT INTO card (id, title) VALUES (5, 'five')",
  );
  d.settle(d.rejection(1, 0));
  const edit = (key: bigint, column: string, value: string | bigint | null = null) => ({
    table: "card",
    key: [key],
    column,
    value,
  });
  expect(() => d.r.replaceAndRetry(1, [edit(2n, "title")], 2)).toThrow(refused("not_found") as Error);
  expect(() => d.r.replaceAndRetry(1, [edit(1n, "nothing")], 2)).toThrow(refused("usage") as Error);
  expect(d.r.replaceAndRetry(1, [edit(1n, "title", "good"), edit(1n, "owner", "me"), edit(5n, "id", 6n)], 2)).toBe(1);
  expect(d.r.rejected()).toEqual([]);
  expect(d.get("SELECT id, title, owner, votes FROM card WHERE id = 1")).toEqual([1n, "good", "me", 13n]);
  expect(d.get("SELECT title FROM card WHERE id = 6")).toEqual(["five"]);

  d.settle(d.rejection(2, 0));
  expect(() => d.r.editAndRetry(2, [], 3)).toThrow(refused("usage") as Error);
  const change: Change = {
    table: 1,
    op: UPDATE,
    key: [1n],
    columns: [1],
    values: [],
    old: null,
    edits: null,
    madeAt: 0,
  };
  expect(() => d.r.editAndRetry(2, [change], 3)).toThrow(refused("usage") as Error);
  d.r.editAndRetry(2, [{ ...change, values: ["other"] }], 3);
  expect(d.get("SELECT title, votes FROM card WHERE id = 1")).toEqual(["other", 10n]);
  expect(d.r.rejected()).toEqual([]);
});
