// @vitest-environment happy-dom
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { codeOf } from "../../src/error.ts";
import { id } from "../../src/id.ts";
import { Member } from "../../src/tabs/member.ts";
import { type Boot, type Home, lobbyOf, lockOf, type Own, PROTOCOL } from "../../src/tabs/messages.ts";
import { partOf } from "../../src/tabs/presence.ts";

/** A worker that only says what it is told to say. */
class Silent {
  readonly heard: Own[] = [];
  ended = false;
  onmessage: ((e: { data: Home }) => void) | null = null;
  onerror: ((e: { message: string }) => void) | null = null;

  postMessage(m: Own): void {
    this.heard.push(m);
  }

  terminate(): void {
    this.ended = true;
  }
}

beforeEach(() => {
  vi.useFakeTimers();
  vi.stubGlobal("navigator", {});
});
afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

/** Locks of a browser with one tab. */
const locks = {
  request: async (_: string, a: unknown, b?: () => unknown) => await (typeof a === "function" ? a() : b?.()),
};

/** A tab, of a page without locks if nobody gave it some, and the workers that it made. */
function tab(make: () => Silent = () => new Silent()): { member: Member; workers: Silent[] } {
  const workers: Silent[] = [];
  const worker = (): Worker => {
    workers.push(make());
    // As much of a worker as a tab needs.
    return workers.at(-1) as unknown as Worker;
  };
  return { member: new Member({ name: "x", worker }, ""), workers };
}

test.each([{}, { locks }])("a worker that cannot be made is an error, not a wait", async (browser) => {
  vi.stubGlobal("navigator", browser);
  let tried = 0;
  const { member } = tab(() => {
    tried++;
    throw new DOMException("scripts of another origin make no worker", "SecurityError");
  });
  const failed = member.opened.catch((err) => err);
  await vi.advanceTimersByTimeAsync(10_000);
  const err = await failed;
  expect([codeOf(err), err.message]).toEqual(["internal", expect.stringContaining("another origin")]);
  expect(tried).toBe(5);
  await member.close();
});

test("a worker that dies is replaced where there are no locks", async () => {
  const { member, workers } = tab();
  workers[0]!.onerror!({ message: "out of memory" });
  await vi.advanceTimersByTimeAsync(1000);
  expect(workers.map((w) => w.ended)).toEqual([true, false]);
  const boots = workers.map((w) => w.heard[0] as Boot);
  expect(new Set(boots.map((b) => b.leader)).size).toBe(2);
  const closing = member.close();
  await vi.advanceTimersByTimeAsync(6000);
  await closing;
  expect(workers[1]!.ended).toBe(true);
});

test("a page without locks that is put away keeps its worker, which nobody could follow", async () => {
  const { member, workers } = tab();
  window.dispatchEvent(new Event("pagehide"));
  document.dispatchEvent(new Event("freeze"));
  document.dispatchEvent(new Event("resume"));
  expect(workers.map((w) => w.ended)).toEqual([false]);
  const closing = member.close();
  await vi.advanceTimersByTimeAsync(6000);
  await closing;
});

test("a page that is put away says goodbye to the worker that it lets go", async () => {
  vi.stubGlobal("navigator", { locks });
  const { member, workers } = tab();
  await vi.advanceTimersByTimeAsync(0);
  const [worker] = workers;
  const { leader } = worker!.heard[0] as Boot;
  const status = { ...member.status, scopes: [] };
  worker!.onmessage!({ data: { type: "lead", status } });
  member.tab.presence("all").join({ n: 1 });
  window.dispatchEvent(new Event("pagehide"));
  const said = worker!.heard
    .filter((m) => m.type === "call" && m.method === "present")
    .map((m) => "args" in m && m.args);
  expect(leader).not.toBe("");
  expect(said).toEqual([
    { scope: "all", state: '{"n":1}' },
    { scope: "all", state: null },
  ]);
  expect(worker!.ended).toBe(true);
  const closing = member.close();
  await vi.advanceTimersByTimeAsync(6000);
  await closing;
});

test("what was asked before a tab is closed gets its answer from a worker that is slow", async () => {
  const { member, workers } = tab();
  const worker = workers[0]!;
  worker.onmessage!({ data: { type: "lead", status: { ...member.status, phase: "ready", scopes: [] } } });
  const written = member.tab.exec("INSERT INTO t VALUES (1)");
  const asked = worker.heard.at(-1)!;
  if (asked.type !== "call") throw new Error("no call");
  const closing = member.close();
  expect(worker.heard.at(-1)).toEqual({ type: "end" });
  await vi.advanceTimersByTimeAsync(4000);
  const result = { changes: 1, lastId: 1, columns: [], rows: [] };
  worker.onmessage!({ data: { type: "answer", tab: asked.tab, id: asked.id, result } });
  worker.onmessage!({ data: { type: "ended" } });
  expect(await written).toEqual({ changes: 1, lastId: 1, rows: [] });
  await closing;
  expect(worker.ended).toBe(true);
});

test("a tab is known to nobody before it holds the lock by which its end is seen", async () => {
  const said: string[] = [];
  const lobbies: Channel[] = [];
  class Channel {
    readonly name: string;
    onmessage: ((e: { data: unknown }) => void) | null = null;
    constructor(name: string) {
      this.name = name;
      if (name === lobbyOf("x")) lobbies.push(this);
    }
    postMessage(m: { type?: string }): void {
      said.push(m.type ?? this.name);
    }
    close(): void {}
  }
  vi.stubGlobal("BroadcastChannel", Channel);
  const asked: [name: string, granted: () => unknown][] = [];
  const slow = {
    request: (name: string, a: unknown, b?: unknown) =>
      // The last argument is what is called with the lock.
      new Promise(() => asked.push([name, (b ?? a) as () => unknown])),
  };
  vi.stubGlobal("navigator", { locks: slow });
  const { member } = tab();
  const status = { ...member.status, phase: "ready", scopes: [] };
  const lead = (): void =>
    lobbies[0]!.onmessage!({ data: { v: [PROTOCOL, 0], type: "down", leader: "w", down: { type: "lead", status } } });
  lead(); // it goes to all, when another tab asked for it
  await vi.advanceTimersByTimeAsync(5000);
  expect([asked.length, said, member.link.leader]).toEqual([1, [], ""]);
  asked[0]![1]();
  expect(said).toEqual(["join"]);
  expect(asked.map(([name]) => name)[1]).toBe(lockOf("x"));
  lead();
  expect(member.link.leader).toBe("w");
  await member.opened;
  await member.close();
});

test("a tab that was closed before it had its lock gives that back at once", async () => {
  let granted: () => unknown = () => "never asked";
  const request = (_: string, fn: () => unknown): Promise<void> => {
    granted = fn;
    return new Promise(() => {});
  };
  vi.stubGlobal("navigator", { locks: { request } });
  const { member, workers } = tab();
  await member.close();
  expect([granted(), workers.length]).toEqual([undefined, 0]);
});

test("tabs that are opened in the same millisecond are told apart", () => {
  const parts = new Set(Array.from({ length: 1000 }, () => partOf(id())));
  expect(parts.size).toBe(1000);
});
