import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { codeOf } from "../../src/error.ts";
import { Link } from "../../src/tabs/link.ts";
import type { Up } from "../../src/tabs/messages.ts";

const statement = { sql: "SELECT 1", params: [], bigint: false };

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

function newLink(): { link: Link; sent: { leader: string; up: Up }[]; calls: () => Extract<Up, { type: "call" }>[] } {
  const sent: { leader: string; up: Up }[] = [];
  const link = new Link("tab", 1000, (leader, up) => sent.push({ leader, up }));
  return { link, sent, calls: () => sent.map((s) => s.up).filter((u) => u.type === "call") };
}

test("calls wait for a leader and get its answers", async () => {
  const { link, calls } = newLink();
  const one = link.call("query", statement);
  expect(calls()).toEqual([]);
  link.follow("w1");
  const [call] = calls();
  expect(call).toMatchObject({ method: "query", again: false });
  link.take({ type: "answer", tab: "tab", id: call!.id, result: { columns: [], rows: [] } });
  expect(await one).toEqual({ columns: [], rows: [] });
  expect(link.busy).toBe(false);
});

test("what has no answer is asked again of the next leader, under the same number", async () => {
  const { link, calls } = newLink();
  link.follow("w1");
  const write = link.call("exec", statement);
  link.follow("w2");
  const [first, second] = calls();
  expect([first!.id, first!.again, second!.id, second!.again]).toEqual([first!.id, false, first!.id, true]);
  link.take({ type: "answer", tab: "tab", id: first!.id, error: { code: "unique", message: "no" } });
  expect(codeOf(await write.catch((e) => e))).toBe("unique");
});

test("every call ends in time, with or without a leader", async () => {
  const { link, sent } = newLink();
  const lost = link.call("query", statement).catch(codeOf);
  link.follow("w1");
  const other = link.call("exec", statement, { deadline: 5 }).catch(codeOf);
  await vi.advanceTimersByTimeAsync(1000);
  expect([await lost, await other]).toEqual(["busy", "busy"]);
  expect(sent.filter((s) => s.up.type === "cancel")).toHaveLength(2);
  const ctl = new AbortController();
  const given = link.call("flushed", null, { signal: ctl.signal }).catch((e) => e);
  ctl.abort(new Error("enough"));
  expect((await given).message).toBe("enough");
  expect(link.busy).toBe(false);
});

test("fewer writes are under way than the worker remembers answers", async () => {
  const { link, calls } = newLink();
  link.follow("w1");
  const all = Array.from({ length: 100 }, () => link.call("exec", statement));
  expect(calls()).toHaveLength(32);
  for (let i = 0; i < 100; i++) {
    const call = calls()[i]!;
    link.take({ type: "answer", tab: "tab", id: call.id, result: i });
  }
  expect(await Promise.all(all)).toEqual(Array.from({ length: 100 }, (_, i) => i));
  expect(new Set(calls().map((c) => c.id)).size).toBe(100);
});

test("what is asked behind writes that wait, waits with them, over the end of a worker", () => {
  const { link, sent, calls } = newLink();
  link.follow("w1");
  const ask = (method: "exec" | "query"): void => void link.call(method, statement);
  for (let i = 0; i < 33; i++) ask("exec");
  ask("query");
  ask("exec");
  ask("query");
  const asked = (): string =>
    calls()
      .splice(32)
      .map((c) => `${c.method} ${c.again}`)
      .join();
  // What such a write may wait for itself goes at once.
  void link.call("network", true);
  expect(asked()).toBe("network false");
  link.take({ type: "answer", tab: "tab", id: calls().splice(32)[0]!.id, result: null });
  sent.splice(32);
  const answer = (id: number): void => link.take({ type: "answer", tab: "tab", id, result: null });
  expect(asked()).toBe("");
  answer(calls()[0]!.id);
  expect(asked()).toBe("exec false,query false");
  // The next worker is asked the same, in the same order.
  link.follow("w2");
  expect(asked()).toBe(`exec false,query false${",exec true".repeat(32)},query true`);
  // The same one too, after the page was put away.
  link.follow("w2");
  expect(asked()).toBe(`exec false,query false${`${",exec true".repeat(32)},query true`.repeat(2)}`);
  answer(calls()[1]!.id);
  expect(asked()).toMatch(/query true,exec false,query false$/);
  for (const { id } of calls()) answer(id);
  expect(link.busy).toBe(false);
  ask("query");
  expect(asked()).toMatch(/exec false,query false,query false$/);
});

test("nothing hangs when the tab leaves", async () => {
  const { link, sent } = newLink();
  link.follow("w1");
  const open = Array.from({ length: 40 }, () => link.call("exec", statement).catch((e) => e.message));
  link.end(new Error("closed"));
  expect(new Set(await Promise.all(open))).toEqual(new Set(["closed"]));
  expect(sent).toHaveLength(32); // the others were not done, as they say
  expect(await link.call("query", statement).catch((e) => e.message)).toBe("closed");
});

test("a call without an answer says what it waited for, and only one that may have written warns of that", async () => {
  const { link } = newLink();
  link.follow("w1");
  link.why = () => "another tab still holds the database's files";
  const [read, write] = [link.call("query", statement), link.call("exec", statement)].map((c) => c.catch((err) => err));
  await vi.advanceTimersByTimeAsync(1000);
  const message = "no answer came within 1000 ms: another tab still holds the database's files";
  expect(await read).toMatchObject({ code: "busy", message, hint: "" });
  expect(await write).toMatchObject({ code: "busy", message, hint: expect.stringContaining("may be done") });
});
