import { expect, test } from "vitest";
import { type LogChange, sayChange, sayChanges, sayLog } from "../src/describe.ts";

const say = (c: LogChange): string =>
  sayLog(c)
    .map((s) => `${s.column} ${s.text}`)
    .join("; ");

test("a change of the log says what became of what", () => {
  expect(
    say({
      table: "task",
      op: "update",
      key: ["stall"],
      columns: ["title", "votes", "labels", "notes", "due"],
      new: ["New", 3, '["a","c"]', null, "Friday"],
      old: ["Old", 2, '["a","b"]', null, null],
      edits: [null, null, null, { kind: "text", body: { s: [[4, 3, "blue ", "red"]] } }, null],
    }),
  ).toBe("title “Old” → “New”; votes +1; labels +c −b; notes −“red” +“blue ”; due nothing → “Friday”");
});

test("bookings and conflicts are told in their own words", () => {
  const columns = ["slot", "holder"];
  expect(say({ table: "booking", op: "insert", key: ["9:00"], columns, new: ["9:00", "Ana"] })).toBe(
    "9:00 booked by Ana",
  );
  expect(say({ table: "booking", op: "delete", key: ["9:00"] })).toBe("9:00 free again");
  expect(say({ table: "tm_conflicts", op: "insert", key: ["2-1"] })).toBe("conflict recorded");
  expect(say({ table: "tm_conflicts", op: "update", key: ["2-1"] })).toBe("conflict decided");
});

test("a change that waits says what it does", () => {
  const said = sayChange({
    table: "task",
    op: "update",
    key: { id: "stall" },
    set: { title: "A title" },
    edit: { votes: "+1" },
  });
  expect(said).toEqual([
    { column: "title", text: "“A title”" },
    { column: "votes", text: "+1" },
  ]);
});

test("what a changeset does to many rows alike is said once", () => {
  const gone = (table: string, id: string) => ({ table, op: "delete" as const, key: { id }, set: {}, edit: {} });
  expect(sayChanges([gone("board", "b"), gone("task", "1"), gone("task", "2"), gone("comment", "3")])).toEqual([
    { column: "board", text: "deleted" },
    { column: "task", text: "deleted (2)" },
    { column: "comment", text: "deleted" },
  ]);
});
