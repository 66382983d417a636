import { expect, test } from "vitest";
import { type Change, INSERT, UPDATE } from "../../src/change.ts";
import { RawText } from "../../src/value.ts";
import { changesView } from "../../src/worker/views.ts";
import { table } from "../watch/world.ts";

test("changes are shown under their columns' names, whatever these are", () => {
  const schema = {
    hash: "",
    tables: [table(1, "t", ["b", "2024", "__proto__", "n"], 2)],
    objects: [],
    scopes: [],
    public: [],
    declared: "",
    guards: [],
  };
  const plain = { table: 1, old: null, edits: null, madeAt: 0 };
  const raw = new RawText(new Uint8Array([0xff]));
  const changes: Change[] = [
    { ...plain, op: INSERT, key: ["b", 1n], columns: [], values: ["b", 1n, "p", raw] },
    { ...plain, op: UPDATE, key: ["b", 1n], columns: [2, 1], values: [null, 2n ** 60n] },
    {
      ...plain,
      op: UPDATE,
      key: ["b", 1n],
      columns: [3, 1],
      values: [5n, 2n],
      edits: [
        { kind: "a", body: "3" },
        { kind: "", body: "" },
      ],
    },
  ];
  const key = [
    ["2024", 1],
    ["b", "b"],
  ];
  const shown = changesView(schema, changes).map(({ key, set, edit }) =>
    [key, set, edit].map((part) => Object.entries(part).sort()),
  );
  expect(shown).toEqual([
    [key, [...key, ["__proto__", "p"], ["n", new Uint8Array([0xff])]].sort(), []],
    [
      key,
      [
        ["2024", 2n ** 60n],
        ["__proto__", null],
      ],
      [],
    ],
    [key, [["2024", 2]], [["n", "+3"]]],
  ]);
});
