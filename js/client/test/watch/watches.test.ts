import { expect, test } from "vitest";
import { type Change, DELETE, INSERT } from "../../src/change.ts";
import type { Diff, Row } from "../../src/database.ts";
import type { LiveQueries } from "../../src/watch/live-queries.ts";
import { nameOf, type Spec } from "../../src/watch/watches.ts";
import { table, World } from "./world.ts";

const TASK = "CREATE TABLE task (id INTEGER PRIMARY KEY, project INT, title TEXT, done INT, g AS (done + 1));";
const task = table(1, "task", ["id", "project", "title", "done"]);

function world(): World {
  const w = new World(
    `${TASK} INSERT INTO task VALUES (1, 7, 'one', 0), (2, 7, 'two', 0), (3, 8, 'three', 1);
     CREATE VIEW open_task AS SELECT id, done FROM task WHERE done = 0; CREATE TABLE note (x)`,
    task,
  );
  return w;
}

/** Collects what a watcher is told. */
function listen(live: LiveQueries, spec: Partial<Spec> & { sql: string }): Listening {
  const seen: Listening = { calls: [], errors: [], stop: () => {} };
  seen.stop = live.watch(
    { params: [], ...spec },
    (rows, diff) => seen.calls.push([rows, diff]),
    (err) => seen.errors.push(err),
  );
  return seen;
}

interface Listening {
  calls: [readonly Row[], Diff][];
  errors: unknown[];
  stop: () => void;
}

const settled = (): Promise<void> => new Promise((done) => setImmediate(done));

test("a watcher gets the result, and after a commit what became of it", async () => {
  const w = world();
  const a = listen(w.tab("a"), { sql: "SELECT id, title FROM task ORDER BY id" });
  await settled();
  const first = a.calls[0]![0];
  expect(first.map((r) => r.title)).toEqual(["one", "two", "three"]);
  expect(a.calls[0]![1].added).toEqual(first);

  w.commit(
    `UPDATE task SET title = 'TWO' WHERE id = 2; DELETE FROM task WHERE id = 3;
     INSERT INTO task VALUES (4, 7, 'four', 0)`,
    [
      { key: [2n], columns: [2], values: ["TWO"] },
      { key: [3n], op: DELETE },
      { key: [4n], op: INSERT, values: [4n, 7n, "four", 0n] },
    ],
  );
  const [rows, diff] = a.calls[1]!;
  expect(rows.map((r) => r.title)).toEqual(["one", "TWO", "four"]);
  expect(diff).toEqual({
    added: [{ id: 4, title: "four" }],
    changed: [{ before: { id: 2, title: "two" }, after: { id: 2, title: "TWO" } }],
    removed: [{ id: 3, title: "three" }],
    left: [],
    moved: false,
  });
  expect(rows[0]).toBe(first[0]);
  expect(rows[1]).toBe(diff.changed[0]!.after);
  expect(Object.isFrozen(rows) && Object.isFrozen(rows[0])).toBe(true);
});

test("only queries run again that read a changed column", async () => {
  const w = world();
  const live = w.tab("a");
  const sqls = [
    "SELECT id, title FROM task",
    "SELECT id FROM task WHERE done = 0",
    "SELECT count(*) FROM task",
    "SELECT id, g FROM task",
    "SELECT id FROM open_task",
    "SELECT x FROM note",
    "SELECT value FROM json_each('[1]')",
  ];
  for (const sql of sqls) listen(live, { sql });
  await settled();
  const ran = (): number[] => w.watches.costs().map((c) => c.runs);
  expect(ran()).toEqual([1, 1, 1, 1, 1, 1, 1]);
  w.commit("UPDATE task SET title = 'x' WHERE id = 3", [{ key: [3n], columns: [2], values: ["x"] }]);
  // g is generated, note is not synced: whatever changes may concern them.
  expect(ran()).toEqual([2, 1, 1, 2, 1, 2, 1]);
  w.commit("UPDATE task SET done = 0 WHERE id = 3", [{ key: [3n], columns: [3], values: [0n] }]);
  expect(ran()).toEqual([2, 2, 1, 3, 2, 3, 1]);
  w.commit("DELETE FROM task WHERE id = 3", [{ key: [3n], op: DELETE }]);
  expect(ran()).toEqual([3, 3, 2, 4, 3, 4, 1]);
});

test("a thousand standing queries cost nothing, the five that a commit concerns run once", async () => {
  const w = world();
  const live = w.tab("a");
  const calls = new Map<number, number>();
  for (let i = 0; i < 1000; i++) {
    live.watch(
      { sql: "SELECT id, title FROM task WHERE project = ? ORDER BY title", params: [i] },
      () => calls.set(i, (calls.get(i) ?? 0) + 1),
      () => {},
    );
  }
  await settled();
  expect([w.watches.costs().length, calls.size]).toEqual([1000, 1000]);
  calls.clear();
  const sql = "SELECT id, title FROM task WHERE project = ? ORDER BY title";
  const before = w.runs.get(sql)!;
  const changes: Partial<Change>[] = [];
  for (let p = 100; p < 105; p++) {
    for (let n = 0; n < 3; n++) changes.push({ key: [BigInt(p * 10 + n)], op: INSERT });
  }
  w.commit(
    "INSERT INTO task (id, project, title) SELECT p.value * 10 + n.value, p.value, 't' FROM json_each('[100,101,102,103,104]') p, json_each('[0,1,2]') n",
    changes,
  );
  expect(w.runs.get(sql)! - before).toBe(5); // rows that come make it run as a whole
  expect([...calls].sort()).toEqual([100, 101, 102, 103, 104].map((p) => [p, 1]));
  expect(w.watches.costs().filter((c) => c.runs > 1).length).toBe(5);
});

test("a row that stays in its place is looked at alone", async () => {
  const w = world();
  const live = w.tab("a");
  const placed = "SELECT id, project, title, done FROM task WHERE project = ? ORDER BY done, id";
  const limited = "SELECT id, title FROM task ORDER BY id LIMIT 2";
  const [a, b] = [listen(live, { sql: placed, params: [7] }), listen(live, { sql: limited })];
  await settled();
  const whole = (): number[] => [w.runs.get(placed)!, w.runs.get(limited)!];
  w.commit("UPDATE task SET title = 'x' WHERE id = 2", [{ key: [2n], columns: [2], values: ["x"] }]);
  expect(a.calls[1]![1].changed).toEqual([
    { before: { id: 2, project: 7, title: "two", done: 0 }, after: { id: 2, project: 7, title: "x", done: 0 } },
  ]);
  expect(b.calls[1]![0]).toEqual([
    { id: 1, title: "one" },
    { id: 2, title: "x" },
  ]);
  expect(whole()).toEqual([1, 1]);
  // As it comes from a server: the whole row.
  w.commit("UPDATE task SET title = 'y' WHERE id = 2", [{ key: [2n], op: INSERT, values: [2n, 7n, "y", 0n] }]);
  expect([a.calls[2]![0].map((r) => r.title), whole()]).toEqual([
    ["one", "y"],
    [1, 1],
  ]);
  // Another place in the order.
  w.commit("UPDATE task SET done = 5 WHERE id = 1", [{ key: [1n], columns: [3], values: [5n] }]);
  expect([a.calls[3]![0].map((r) => r.id), whole()]).toEqual([
    [2, 1],
    [2, 1],
  ]);
  // It goes: others may come up behind a limit.
  w.commit("DELETE FROM task WHERE id = 1", [{ key: [1n], op: DELETE }]);
  expect([a.calls[4]![1].removed, whole()]).toEqual([[{ id: 1, project: 7, title: "one", done: 5 }], [2, 2]]);
  expect(b.calls.at(-1)![0].map((r) => r.id)).toEqual([2, 3]);
  w.commit("UPDATE task SET title = 'z' WHERE id = 2", [{ key: [2n], columns: [2], values: ["z"] }]);
  expect([a.calls[5]![0], whole()]).toEqual([[{ id: 2, project: 7, title: "z", done: 0 }], [2, 2]]);
});

test("commits that come together are one run", async () => {
  const w = world();
  const sql = "SELECT id, done FROM task";
  const a = listen(w.tab("a"), { sql });
  await settled();
  for (let i = 0; i < 10; i++) w.watches.commit(new Map([["task", { columns: new Set(["done"]), keys: null }]]));
  expect(w.watches.due).toBe(true);
  w.db.script("UPDATE task SET done = 5");
  w.deliver();
  expect([w.runs.get(sql), a.calls.length, w.watches.due]).toEqual([2, 2, false]);
});

test("equal queries share one run, in one tab and across tabs", async () => {
  const w = world();
  const sql = "SELECT id, done FROM task";
  const [a, b] = [w.tab("a"), w.tab("b")];
  const all = [listen(a, { sql }), listen(a, { sql }), listen(b, { sql })];
  await settled();
  const late = listen(b, { sql });
  await settled();
  expect(w.runs.get(sql)).toBe(1);
  expect(late.calls.length).toBe(1);
  expect(all[0]!.calls[0]![0]).toBe(all[1]!.calls[0]![0]);
  const patches = w.commit("UPDATE task SET done = 9 WHERE id = 1", [{ key: [1n], columns: [3], values: [9n] }]);
  expect(patches.map((p) => p.to)).toEqual([["a", "b"]]);
  expect(w.watches.costs().map((c) => c.runs)).toEqual([2]);
  expect([...all, late].map((l) => l.calls.length)).toEqual([2, 2, 2, 2]);

  for (const l of [...all, late]) l.stop();
  await settled();
  expect(w.watches.costs()).toEqual([]);
  w.commit("UPDATE task SET done = 1", [{ key: [1n], columns: [3], values: [1n] }]);
  expect([w.runs.get(sql), all[0]!.calls.length]).toEqual([1, 2]);
});

test("queries with other parameters, keys or integers are others", async () => {
  const w = world();
  const live = w.tab("a");
  const sql = "SELECT id, done FROM task WHERE id > ?";
  const specs: Partial<Spec>[] = [
    { params: [1] },
    { params: [1.5] },
    { params: ["1"] },
    { params: [null] },
    { params: [new Uint8Array([1])] },
    { params: [1], bigint: true },
    { params: [1], key: ["done"] },
  ];
  const all = specs.map((s) => listen(live, { sql, ...s }));
  await settled();
  expect(w.watches.costs().length).toBe(specs.length);
  expect(all[5]!.calls[0]![0]).toEqual([
    { id: 2n, done: 0n },
    { id: 3n, done: 1n },
  ]);
});

test("parameters that JSON cannot tell apart are told apart", () => {
  const x = new Uint8Array([1]);
  const y = new Uint8Array([3, 4]);
  const params = [[null], [Number.POSITIVE_INFINITY], [Number.NEGATIVE_INFINITY], [0], [-0], [2 ** 53], [2n ** 53n]];
  const all = [...params, [x, 2, y], [new Uint8Array([1, 2]), new Uint8Array([3]), 4]];
  expect(new Set(all.map((p) => nameOf({ sql: "", params: p }))).size).toBe(all.length);
});

test("a commit that leaves a result as it was tells nobody", async () => {
  const w = world();
  const a = listen(w.tab("a"), { sql: "SELECT max(done) AS most FROM task" });
  await settled();
  expect(w.commit("UPDATE task SET done = 0 WHERE id = 1", [{ key: [1n], columns: [3], values: [0n] }])).toEqual([]);
  expect(a.calls.length).toBe(1);
});

test("rows keep their identity when another worker takes over", async () => {
  const w = world();
  const a = listen(w.tab("a"), { sql: "SELECT id, title FROM task ORDER BY title" });
  await settled();
  const before = a.calls[0]![0];
  w.db.script("UPDATE task SET title = 'zwei' WHERE id = 2");
  w.restart();
  w.tabs.get("a")!.reconnect();
  await settled();
  const [rows, diff] = a.calls[1]!;
  expect(rows.map((r) => r.title)).toEqual(["one", "three", "zwei"]);
  expect([rows[0] === before[0], rows[1] === before[1]]).toEqual([true, true]);
  expect([diff.added, diff.removed, diff.changed.length]).toEqual([[], [], 1]);
  w.restart();
  w.tabs.get("a")!.reconnect();
  await settled();
  expect(a.calls.length).toBe(2);
  w.commit("DELETE FROM task WHERE id = 1", [{ key: [1n], op: DELETE }]);
  expect(a.calls[2]![1].removed).toEqual([{ id: 1, title: "one" }]);
});

test("a patch that is lost is noticed and made good", async () => {
  const w = world();
  const a = listen(w.tab("a"), { sql: "SELECT id, title FROM task ORDER BY id" });
  await settled();
  w.watches.commit(null);
  w.db.script("UPDATE task SET title = 'lost' WHERE id = 1");
  w.watches.run();
  w.commit("UPDATE task SET title = 'next' WHERE id = 2", [{ key: [2n], columns: [2], values: ["next"] }]);
  await settled();
  expect(a.calls.at(-1)![0].map((r) => r.title)).toEqual(["lost", "next", "three"]);
});

test("who stops before the answer and watches again is kept up to date", async () => {
  const w = world();
  const live = w.tab("a");
  const sql = "SELECT title FROM task WHERE id = 1";
  listen(live, { sql }).stop();
  const again = listen(live, { sql });
  await settled();
  w.commit("UPDATE task SET title = 'ONE' WHERE id = 1", [{ key: [1n], columns: [2], values: ["ONE"] }]);
  expect(again.calls.at(-1)![0]).toEqual([{ title: "ONE" }]);
  again.stop();
  expect(w.watches.costs()).toEqual([]);
});

test("news that come before the answer that they build on are not lost", async () => {
  const w = world();
  const a = listen(w.tab("a"), { sql: "SELECT title FROM task WHERE id = 1" });
  // The answer is under way; another channel is faster.
  w.commit("UPDATE task SET title = 'ONE' WHERE id = 1", [{ key: [1n], columns: [2], values: ["ONE"] }]);
  w.commit("UPDATE task SET title = 'I' WHERE id = 1", [{ key: [1n], columns: [2], values: ["I"] }]);
  await settled();
  expect(a.calls.at(-1)![0]).toEqual([{ title: "I" }]);
});

test("a row that cannot be looked at fails no commit, but the queries that read it", async () => {
  const w = world();
  const a = listen(w.tab("a"), { sql: "SELECT id, title FROM task WHERE project = ?", params: [7] });
  await settled();
  w.db.script("ALTER TABLE task RENAME TO gone");
  expect(() => w.note([{ key: [1n], columns: [1], values: [8n] }])).not.toThrow();
  w.deliver();
  expect(a.errors).toHaveLength(1);
});

test("failures are told once, and again when the query works", async () => {
  const w = world();
  const live = w.tab("a");
  const early = listen(live, { sql: "SELECT * FROM later" });
  const key = listen(live, { sql: "SELECT id FROM task", key: ["nope"] });
  const json = listen(live, { sql: "SELECT id, json_extract(title, '$.a') AS a FROM task WHERE id = 1" });
  await settled();
  expect([early, key, json].map((l) => [l.calls.length, l.errors.length])).toEqual([
    [0, 1],
    [0, 1],
    [0, 1],
  ]);
  w.commit("UPDATE task SET title = 'still not' WHERE id = 1", [{ key: [1n], columns: [2], values: ["x"] }]);
  expect(json.errors.length).toBe(1);
  w.commit("UPDATE task SET title = '{\"a\":5}' WHERE id = 1", [{ key: [1n], columns: [2], values: ["x"] }]);
  expect(json.calls[0]![0]).toEqual([{ id: 1, a: 5 }]);
  w.db.script("CREATE TABLE later (a); INSERT INTO later VALUES (1)");
  w.watches.moved();
  w.deliver();
  expect(early.calls[0]![0]).toEqual([{ a: 1 }]);
  expect([early.errors.length, key.errors.length]).toEqual([1, 1]);
});

test("a schema that moves gives results with other columns", async () => {
  const w = world();
  w.db.script("INSERT INTO note VALUES (1)");
  const a = listen(w.tab("a"), { sql: "SELECT * FROM note" });
  await settled();
  w.db.script("ALTER TABLE note ADD COLUMN y DEFAULT 2");
  w.watches.moved();
  w.deliver();
  expect(a.calls.at(-1)![0]).toEqual([{ x: 1, y: 2 }]);
  expect(a.calls.at(-1)![1].removed).toEqual([{ x: 1 }]);
});

test("a listener may stop from within its call, and others go on", async () => {
  const w = world();
  const live = w.tab("a");
  const sql = "SELECT id FROM task";
  let calls = 0;
  const stop = live.watch(
    { sql, params: [] },
    () => {
      calls++;
      stop();
    },
    () => {},
  );
  const b = listen(live, { sql });
  await settled();
  w.commit("DELETE FROM task WHERE id = 1", [{ key: [1n], op: DELETE }]);
  expect([calls, b.calls.length]).toEqual([1, 2]);
  w.tabs.get("a")!.close();
  w.commit("DELETE FROM task WHERE id = 2", [{ key: [2n], op: DELETE }]);
  expect(b.calls.length).toBe(2);
});

test("a tab that is gone is forgotten", async () => {
  const w = world();
  listen(w.tab("a"), { sql: "SELECT id FROM task" });
  listen(w.tab("b"), { sql: "SELECT id FROM task" });
  await settled();
  w.watches.leave("b");
  expect(w.watches.costs().map((c) => c.tabs)).toEqual([1]);
  w.watches.leave("a");
  expect(w.watches.costs()).toEqual([]);
});

test("columns with odd names are plain properties", async () => {
  const w = world();
  const a = listen(w.tab("a"), { sql: `SELECT 1 AS "__proto__", 2 AS "constructor", 3 AS ""` });
  await settled();
  const row = a.calls[0]![0][0]!;
  expect(Object.entries(row)).toEqual([
    ["__proto__", 1],
    ["constructor", 2],
    ["", 3],
  ]);
  expect(Object.getPrototypeOf(row)).toBe(Object.prototype);
});

test("rows that left are told from those that were deleted", async () => {
  const w = world();
  const live = w.tab("a");
  const plain = listen(live, { sql: "SELECT id, title FROM task ORDER BY id" });
  const big = listen(live, { sql: "SELECT title, id FROM task", bigint: true });
  const first = listen(live, { sql: "SELECT id, title FROM task ORDER BY title LIMIT 2" });
  const keyless = listen(live, { sql: "SELECT title FROM task" });
  const other = listen(live, { sql: "SELECT id FROM task WHERE project = 8" });
  await settled();
  const gone = (l: Listening, of: "removed" | "left"): unknown[] => l.calls.at(-1)![1][of].map((r) => r.id ?? r.title);
  const changes = [1n, 2n].map((id): Partial<Change> => ({ key: [id], op: DELETE }));
  w.commit("DELETE FROM task WHERE project = 7", changes, new Map([["task", [[2], [4711]]]]));
  expect([gone(plain, "removed"), gone(plain, "left")]).toEqual([[1, 2], [2]]);
  expect(plain.calls.at(-1)![1].left[0]).toBe(plain.calls[0]![0][1]);
  expect([gone(big, "removed"), gone(big, "left")]).toEqual([[1n, 2n], [2n]]);
  expect([gone(first, "removed"), gone(first, "left")]).toEqual([[1], []]); // 2 was not shown
  expect([gone(keyless, "removed"), gone(keyless, "left")]).toEqual([["one", "two"], []]); // it cannot be known
  expect(other.calls.length).toBe(1);

  // What left earlier and was not shown then has left no more.
  w.commit("INSERT INTO task VALUES (2, 8, 'again', 0)", [{ key: [2n], op: INSERT }]);
  w.commit("DELETE FROM task WHERE id = 2", [{ key: [2n], op: DELETE }]);
  expect([gone(other, "removed"), gone(other, "left")]).toEqual([[2], []]);
});

test("rows that left are told when several commits come before a run, and of joins", async () => {
  const w = new World(
    `${TASK} CREATE TABLE person (a TEXT, b INT, PRIMARY KEY (a, b)) WITHOUT ROWID;
     INSERT INTO task VALUES (1, 7, 'x', 0), (2, 7, 'x', 0), (3, 9, 'x', 0); INSERT INTO person VALUES ('ann', 7), ('bob', 7), ('bob', 9);`,
    task,
    table(2, "person", ["a", "b"], 2),
  );
  const joined = listen(w.tab("a"), { sql: "SELECT id, a, b FROM task JOIN person ON b = project ORDER BY id, a" });
  await settled();
  expect(joined.calls[0]![0].length).toBe(5);
  w.db.script("DELETE FROM person WHERE a = 'ann'; DELETE FROM task WHERE id = 3");
  w.note([{ table: 2, key: ["ann", 7n], op: DELETE }], new Map([["person", [["ann", 7]]]]));
  w.note([{ key: [3n], op: DELETE }]);
  w.deliver();
  const { removed, left } = joined.calls[1]![1];
  expect(removed.map((r) => [r.id, r.a])).toEqual([
    [1, "ann"],
    [2, "ann"],
    [3, "bob"],
  ]);
  expect(left.map((r) => [r.id, r.a])).toEqual([
    [1, "ann"],
    [2, "ann"],
  ]);
});

test("a query hears of the columns by which USING and NATURAL join, also in views", async () => {
  const w = new World(
    `CREATE TABLE project (p INTEGER PRIMARY KEY, org INT, name TEXT); CREATE TABLE member (id INTEGER PRIMARY KEY, org INT);
     CREATE TABLE seal (p INT, k INT PRIMARY KEY) WITHOUT ROWID; CREATE VIEW mine AS SELECT name FROM project JOIN 'member' USING (org);
     INSERT INTO project VALUES (1, 1, 'one'), (2, 2, 'two'); INSERT INTO member VALUES (1, 1); INSERT INTO seal VALUES (1, 1)`,
    table(1, "project", ["p", "org", "name"]),
    table(2, "member", ["id", "org"]),
    table(3, "seal", ["k", "p"]),
  );
  const live = w.tab("a");
  const sqls = [
    "SELECT name FROM project JOIN Member USING (org)",
    "SELECT name FROM Mine",
    "SELECT name FROM project NATURAL JOIN seal",
  ];
  const seen = sqls.map((sql) => listen(live, { sql }));
  await settled();
  const last = (): unknown[] =>
    seen.map((l) =>
      l.calls
        .at(-1)![0]
        .map((r) => r.name)
        .join(),
    );
  expect(last()).toEqual(["one", "one", "one"]);
  w.commit("UPDATE member SET org = 2; UPDATE seal SET p = 2", [
    { table: 2, key: [1n], columns: [1], values: [2n] },
    { table: 3, key: [1n], columns: [1], values: [2n] },
  ]);
  expect(last()).toEqual(["two", "two", "two"]);
});
