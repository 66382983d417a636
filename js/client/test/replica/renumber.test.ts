import { expect, test } from "vitest";
import type { Outcome, Renumbered } from "../../src/change.ts";
import { codeOf } from "../../src/error.ts";
import { appendChanges } from "../../src/wire/changes.ts";
import type { Leases } from "../../src/wire/leases.ts";
import { type Device, expectRows, Origin } from "./fixture.ts";

const numbered = `
CREATE TABLE artist (id INTEGER PRIMARY KEY, name TEXT);
CREATE TABLE album (id INTEGER PRIMARY KEY, name TEXT, artist INTEGER REFERENCES artist);
CREATE TABLE guest (album INTEGER REFERENCES album, artist INTEGER REFERENCES artist, PRIMARY KEY (artist, album)) WITHOUT ROWID;
CREATE TABLE mine (artist INTEGER REFERENCES artist, album INTEGER); -- has no key, and does not sync
`;

function newNumbered(): { o: Origin; d: Device } {
  const o = new Origin(numbered);
  o.declare({}, "declared", { onInsert: "renumber" });
  return { o, d: o.clone() };
}

/** An acceptance that gave an artist another id. */
function given(d: Device, n: number, seq: number, from: bigint, to: bigint, before: number): Outcome {
  const renumbered: Renumbered[] = [{ table: "artist", from, to, before }];
  return { ...d.acceptance(n, seq), renumbered };
}

/** What a query's rows show, in one text. */
function all(d: Device, sql: string): unknown {
  return d.get(`SELECT group_concat(r, ' ') FROM (SELECT ${sql})`)?.[0];
}

const artists = (d: Device): unknown => all(d, "id || name AS r FROM artist");
const albums = (d: Device): unknown => all(d, "id || name || artist AS r FROM album");

test("a replica follows rows that got other ids", () => {
  const { o, d } = newNumbered();
  d.commit("INSERT INTO artist VALUES (1, 'mine')");
  d.commit("INSERT INTO album VALUES (1, 'first', 1)");
  d.commit(`UPDATE artist SET name = 'mine too' WHERE id = 1; INSERT INTO album VALUES (2, 'second', 1);
    INSERT INTO guest VALUES (1, 1)`);
  d.write("INSERT INTO mine VALUES (1, 1)");
  const sent = d.r.unsent(0, 1 << 20);

  expect(d.applyWell(o.do("INSERT INTO artist VALUES (1, 'theirs')")).suspended.length).toBe(3);
  expect(artists(d)).toBe("1theirs");
  expect(albums(d)).toBeNull();

  const a = d.applyWell(o.do("INSERT INTO artist VALUES (7, 'mine')"), given(d, 1, 2, 1n, 7n, 1));
  expect(a.settled.map((x) => x.renumbered.length)).toEqual([1]);
  expect(a.resumed).toEqual([2, 3]);
  d.crash();
  expect(artists(d)).toBe("1theirs 7mine too");
  expect(albums(d)).toBe("1first7 2second7");
  expect(all(d, "artist || ' ' || album AS r FROM guest")).toBe("7 1");
  expect(all(d, "artist || ' ' || album AS r FROM mine")).toBe("7 1");
  d.checkBase(o.rows);
  expect(d.r.unsent(1, 1 << 20)).toEqual(sent.slice(1)); // what is sent stays as it was made

  // What is made from now on calls the row 7; the row that is 1 now is another one.
  d.commit("INSERT INTO album VALUES (3, 'third', 1)");
  d.commit("INSERT INTO album VALUES (4, 'fourth', 7)");
  d.applyWell(o.do("INSERT INTO album VALUES (1, 'first', 7)"), d.acceptance(2, 3));
  expect(albums(d)).toBe("1first7 2second7 3third1 4fourth7");

  // A rejected one keeps its meaning.
  d.settle(d.rejection(3, 3, "check"));
  const [rej] = d.r.rejected();
  expect(new TextDecoder().decode(appendChanges(rej!.changes))).toContain("7");
  expect(artists(d)).toBe("1theirs 7mine");
  d.r.retry(rej!.id, false, 1);
  expect(artists(d)).toBe("1theirs 7mine too");
  expect(all(d, "artist || ' ' || album AS r FROM guest")).toBe("7 1");
});

test("one changeset may mean two rows by one number", () => {
  const { o, d } = newNumbered();
  d.commit("INSERT INTO artist VALUES (1, 'one')");
  d.commit("INSERT INTO artist VALUES (2, 'two')");
  d.commit("INSERT INTO album VALUES (1, 'of one', 1), (2, 'of two', 2)");
  d.applyWell(o.do("INSERT INTO artist VALUES (1, 'theirs')"));
  d.applyWell(o.do("INSERT INTO artist VALUES (2, 'one')"), given(d, 1, 2, 1n, 2n, 1));
  expect(artists(d)).toBe("1theirs 2one");
  d.checkBase(o.rows);
  d.applyWell(o.do("INSERT INTO artist VALUES (3, 'two')"), given(d, 2, 3, 2n, 3n, 2));
  expect(artists(d)).toBe("1theirs 2one 3two");
  expect(all(d, "name || artist AS r FROM album")).toBe("of one2 of two3");
  d.applyWell(o.do("INSERT INTO album VALUES (1, 'of one', 2), (2, 'of two', 3)"), d.acceptance(3, 4));
  expect(d.get("SELECT (SELECT count(*) FROM _tm_renumbered), (SELECT count(*) FROM _tm_taken)")).toEqual([0n, 0n]);
  d.checkBase(o.rows);
  expectRows(d.rows(), o.rows);
});

test("a row that equals the one that took its key is a row of its own all the same", () => {
  const { o, d } = newNumbered();
  d.commit("INSERT INTO artist VALUES (1, 'same')");
  expect(d.applyWell(o.do("INSERT INTO artist VALUES (1, 'same')")).suspended.length).toBe(1);
  d.applyWell(o.do("INSERT INTO artist VALUES (2, 'same')"), given(d, 1, 2, 1n, 2n, 1));
  expectRows(d.rows(), o.rows);
});

test("what was made while the row that took a key was here means that row", () => {
  const { o, d } = newNumbered();
  d.commit("INSERT INTO artist VALUES (1, 'mine')");
  d.applyWell(o.do("INSERT INTO artist VALUES (1, 'theirs')"));
  d.commit("UPDATE artist SET name = 'theirs, by me' WHERE id = 1; INSERT INTO album VALUES (5, 'x', 1)");
  expect(d.applyWell(o.do("INSERT INTO artist VALUES (9, 'another')")).suspended).toEqual([]);
  expect(artists(d)).toBe("1theirs, by me 9another");
  const a = d.applyWell(o.do("INSERT INTO artist VALUES (10, 'mine')"), given(d, 1, 3, 1n, 10n, 1));
  expect(a.suspended).toEqual([]);
  expect(artists(d)).toBe("1theirs, by me 9another 10mine");
  expect(all(d, "name || artist AS r FROM album")).toBe("x1");
});

test("a retry gives free ids where others took them", () => {
  const { o, d } = newNumbered();
  d.commit("INSERT INTO artist VALUES (1, 'mine'); INSERT INTO album VALUES (1, 'first', 1)");
  d.commit("INSERT INTO album VALUES (2, 'second', 1)");
  d.settle(d.rejection(1, 0, "check"), d.rejection(2, 0, "depends_on"));
  d.applyWell(o.do("INSERT INTO artist VALUES (1, 'theirs'); INSERT INTO album VALUES (2, 'theirs', 1)"));
  const list = d.r.rejected();
  let code: unknown = "none";
  try {
    d.r.retry(list[1]!.id, false, 1);
  } catch (err) {
    code = codeOf(err);
  }
  expect(code).toBe("depends_on"); // it would be put on another's row
  for (const rej of list) d.r.retry(rej.id, false, 1);
  expect(artists(d)).toBe("1theirs 2mine");
  expect(albums(d)).toBe("1first2 2theirs1 3second2");
  expect(d.r.rejected()).toEqual([]);
});

test("new rows get ids of the blocks that were given in advance", () => {
  const o = new Origin(
    "CREATE TABLE Note (id INTEGER PRIMARY KEY AUTOINCREMENT, x); CREATE TABLE plain (id INTEGER PRIMARY KEY)",
  );
  const d = o.clone();
  const note = d.r.schema.tables.find((t) => t.name === "Note")!.id;
  const blocks = (...list: [table: number, first: bigint, last: bigint][]): Leases => ({
    type: "leases",
    list: list.map(([table, first, last]) => ({ table, first, last })),
  });
  const ids = (): unknown => all(d, "id AS r FROM note");
  d.r.lease(blocks([note, 100n, 115n], [77, 1n, 2n]), 1);
  d.commit("INSERT INTO note (x) VALUES ('a')");
  d.r.lease(blocks([77, 1n, 2n], [note, 100n, 115n]), 2);
  d.commit("INSERT INTO note (x) VALUES ('b')");
  expect(ids()).toBe("100 101");
  // A row from above voids the block, the next one begins above it.
  d.r.lease(blocks([note, 300n, 315n]), 3);
  d.applyWell(o.do("INSERT INTO note VALUES (200, 'theirs')"));
  d.crash();
  d.commit("INSERT INTO note (x) VALUES ('c')");
  expect(ids()).toBe("100 101 200 300");
  d.r.lease(blocks(), 4);
  expect(d.get("SELECT count(*) FROM _tm_lease")).toEqual([0n]);
});
