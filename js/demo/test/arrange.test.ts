import { expect, test } from "vitest";
import { arrange, carry, type Lifted, neighbour } from "../src/tracker/arrange.ts";
import { labelsOf, matches } from "../src/tracker/filter.ts";
import type { Card, TaskState } from "../src/tracker/model.ts";

const card = (id: string, state: TaskState, more: Partial<Card> = {}): Card => ({
  id,
  title: id,
  state,
  rank: id,
  votes: 0,
  labels: "[]",
  notes: "",
  due: null,
  assignee_id: null,
  comments: 0,
  ...more,
});

const cards = [card("a", "todo"), card("b", "todo"), card("c", "todo"), card("d", "doing")];
const ids = (list: readonly Card[]): string => list.map((c) => c.id).join("");

test("a carried card stands where it would be put down", () => {
  const lifted: Lifted = { id: "a", state: "doing", place: 1, by: "keys" };
  const columns = arrange(cards, lifted);
  expect([ids(columns.todo), ids(columns.doing), ids(columns.done)]).toEqual(["bc", "da", ""]);
  expect(ids(arrange(cards, null).todo)).toBe("abc");
});

test("arrow keys carry a card, and no further than there is room", () => {
  let l: Lifted = { id: "b", state: "todo", place: 1, by: "keys" };
  const press = (key: string): Lifted => {
    l = carry(l, key, arrange(cards, l));
    return l;
  };
  expect(press("ArrowDown").place).toBe(2);
  expect(press("ArrowDown").place).toBe(2);
  expect(press("ArrowRight")).toMatchObject({ state: "doing", place: 1 });
  expect(press("ArrowRight")).toMatchObject({ state: "done", place: 0 });
  expect(press("ArrowRight")).toMatchObject({ state: "done", place: 0 });
  expect(press("ArrowLeft")).toMatchObject({ state: "doing", place: 0 });
  expect(press("x")).toBe(l);
});

test("arrow keys walk over the cards, past empty columns", () => {
  const columns = arrange([...cards.slice(0, 3), card("e", "done")], null);
  expect(neighbour(columns, "a", "ArrowDown")).toBe("b");
  expect(neighbour(columns, "a", "ArrowUp")).toBe("");
  expect(neighbour(columns, "c", "ArrowRight")).toBe("e");
  expect(neighbour(columns, "e", "ArrowLeft")).toBe("a");
  expect(neighbour(columns, "e", "ArrowRight")).toBe("");
});

test("a search finds every word, in title, notes and labels", () => {
  const c = card("x", "todo", { title: "Folding chairs", notes: "Rowing club", labels: '["Furniture"]' });
  const f = { text: "", label: "", mine: false };
  expect(matches(c, { ...f, text: "club CHAIR" }, "")).toBe(true);
  expect(matches(c, { ...f, text: "club table" }, "")).toBe(false);
  expect(matches(c, { ...f, label: "Furniture" }, "")).toBe(true);
  expect(matches(c, { ...f, mine: true }, "ana")).toBe(false);
  expect(labelsOf([c, card("y", "todo", { labels: '["a","Furniture"]' }), card("z", "todo", { labels: "{" })])).toEqual(
    ["Furniture", "a"],
  );
});
