import { expect, test } from "vitest";
import { reserved } from "../src/tracker/board-menu.tsx";
import { sayContents } from "../src/tracker/model.ts";
import { nextTo } from "../src/tracker/tracker.tsx";

test("what goes with a board is counted in words", () => {
  expect(sayContents({ tasks: 8, comments: 3 })).toBe("8 tasks and 3 comments");
  expect(sayContents({ tasks: 1, comments: 1 })).toBe("1 task and 1 comment");
  expect(sayContents({ tasks: 2, comments: 0 })).toBe("2 tasks");
  expect(sayContents({ tasks: 0, comments: 0 })).toBe("");
});

test("after a board that goes comes its neighbour", () => {
  const boards = ["a", "b", "c"].map((id) => ({ id }));
  expect(["a", "b", "c"].map((id) => nextTo(boards, id))).toEqual(["b", "c", "b"]);
  expect(nextTo(boards.slice(0, 1), "a")).toBe("");
});

test("who is no owner reads who is", () => {
  expect(reserved(["Ana", "Ben"])).toBe("Only an owner renames or deletes this board: Ana, Ben.");
  expect(reserved([])).toBe("Only an owner renames or deletes this board.");
});
