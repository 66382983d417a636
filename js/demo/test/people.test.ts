import type { Peer } from "@tidemark/client";
import { expect, test } from "vitest";
import type { Board } from "../src/tracker/model.ts";
import { newsOf } from "../src/tracker/use-boards.ts";
import { hereOf } from "../src/tracker/use-here.tsx";

const board = (id: string, made_by: string | null = "ana"): Board => ({
  id,
  name: id,
  private: 0,
  role: null,
  made_by,
});

test("a board that left was not deleted, and one's own new board is no news", () => {
  const [gone, away] = [board("gone"), board("away")];
  const diff = {
    added: [board("given", "ben"), board("own"), board("by hand", null)],
    removed: [gone, away],
    left: [away],
  };
  expect(newsOf(diff, "ana").map((n) => `${n.id} ${n.what}`)).toEqual([
    "given came",
    "by hand came",
    "gone deleted",
    "away left",
  ]);
});

const peer = (principal: string, state: Record<string, unknown>, id = principal): Peer => ({
  id,
  principal,
  state,
  me: false,
});

test("others are here once, whatever their tabs say, and nobody who only listens", () => {
  const peers = [
    peer("dev", { here: true, task: "t1" }, "1"),
    peer("dev", { here: true, task: "" }, "2"),
    peer("ben", { here: true, task: "" }, "3"),
    peer("ben", { here: true, task: "t2" }, "4"),
    peer("chloe", { here: false, task: "" }),
    peer("ana", { here: true, task: "t3" }, "another tab of hers"),
    peer("", { here: true, task: "t4" }, "nobody"),
    peer("eve", { here: "yes", task: 7 }),
  ];
  expect(hereOf(peers, "ana")).toEqual([
    { id: "ben", task: "t2" },
    { id: "dev", task: "t1" },
  ]);
});
