import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { TidemarkError } from "../../src/error.ts";
import { TabPresences } from "../../src/tabs/presence.ts";
import type { Up } from "../../src/wire/up.ts";
import { Presences } from "../../src/worker/presences.ts";

/** A worker with two tabs, and what it would send to the server. */
class World {
  readonly sent: Up[] = [];
  connected = false;
  readonly worker: Presences;
  readonly tabs: TabPresences[];

  constructor() {
    this.worker = new Presences(
      (messages) => {
        if (this.connected) this.sent.push(...messages);
        return this.connected;
      },
      (news) => {
        for (const t of this.tabs) t.receive(structuredClone(news));
      },
    );
    this.tabs = ["tab-a", "tab-b"].map(
      (tab) =>
        new TabPresences({
          tab,
          present: async (scope, state) => this.worker.set(tab, scope, state),
          cast: async (scope, body) => {
            if (!this.worker.cast(tab, scope, body)) throw new TidemarkError("offline", "no session");
          },
        }),
    );
  }

  welcome(): void {
    this.connected = true;
    this.worker.welcome("r1");
  }

  gone(): void {
    this.connected = false;
    this.worker.gone(new TidemarkError("offline", "the line is cut"));
  }

  peers(all: boolean, ...list: [id: string, state: string | null][]): void {
    this.worker.receive({
      type: "peers",
      scope: "all",
      all,
      list: list.map(([id, state]) => ({ id, principal: "", state })),
    });
  }

  /** What was sent since the last look. */
  take(): Up[] {
    return this.sent.splice(0);
  }
}

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const settle = async (): Promise<void> => {
  await vi.advanceTimersByTimeAsync(100);
};

test("tabs are parts of one replica, and are told of everyone", async () => {
  const w = new World();
  const [a, b] = w.tabs.map((t) => t.of("all"));
  expect(a!.error?.code).toBe("usage");
  a!.join({ name: "Ana" });
  await settle();
  expect(w.take()).toEqual([]);
  expect(a!.error?.code).toBe("offline");
  w.welcome();
  expect(w.take()).toEqual([{ type: "presence", scope: "all", state: '{"name":"Ana"}', part: "tab-a" }]);
  expect(a!.error).toBeNull();
  w.peers(true, ["r1:tab-a", '{"name":"Ana"}'], ["go", '{"x":1}']);
  expect(a!.peers.map((p) => [p.id, p.me])).toEqual([
    ["go", false],
    ["r1:tab-a", true],
  ]);
  expect(b!.peers).toEqual([]); // it did not join
  b!.join();
  await settle();
  expect(b!.peers.map((p) => p.id)).toEqual(["go", "r1:tab-a"]);
  const same = a!.peers.find((p) => p.id === "go");
  w.peers(false, ["r1:tab-b", "{}"]);
  expect(a!.peers.find((p) => p.id === "go")).toBe(same);
  expect(b!.peers.find((p) => p.me)?.id).toBe("r1:tab-b");
  w.take();
  b!.leave();
  await settle();
  expect(w.take()).toEqual([{ type: "presence", scope: "all", state: null, part: "tab-b" }]);
  expect(b!.peers).toEqual([]);
  w.worker.leave("tab-a");
  expect(w.take()).toEqual([{ type: "presence", scope: "all", state: null, part: "tab-a" }]);
});

test("updates are put together, the newest wins, and a cast goes behind them", async () => {
  const w = new World();
  const a = w.tabs[0]!.of<{ n: number }>("all");
  w.welcome();
  a.join({ n: 0 });
  await settle();
  w.take();
  for (let n = 1; n <= 500; n++) {
    a.update({ n });
    await vi.advanceTimersByTimeAsync(2);
  }
  await settle();
  const sent = w.take();
  expect(sent.length).toBeLessThan(35);
  expect(sent.at(-1)).toMatchObject({ state: '{"n":500}' });
  a.update({ n: 501 });
  await vi.advanceTimersByTimeAsync(0);
  a.cast([1]);
  await vi.advanceTimersByTimeAsync(0);
  expect(w.take().map((m) => m.type)).toEqual(["presence", "cast"]);
});

test("after an interruption everything is said again", async () => {
  const w = new World();
  const a = w.tabs[0]!.of("all");
  let changes = 0;
  a.onChange(() => changes++);
  w.welcome();
  a.join({ n: 1 });
  await settle();
  w.peers(true, ["r1:tab-a", '{"n":1}'], ["go", "{}"]);
  w.take();
  w.gone();
  expect(a.error?.message).toBe("the line is cut");
  expect(a.peers.length).toBe(2);
  a.update({ n: 2 });
  a.cast(1);
  await settle();
  expect(a.error?.code).toBe("offline");
  await vi.advanceTimersByTimeAsync(31_000);
  expect(a.peers).toEqual([]);
  w.welcome();
  expect(w.take()).toEqual([{ type: "presence", scope: "all", state: '{"n":2}', part: "tab-a" }]);
  expect(changes).toBeGreaterThan(3);
  // Another worker takes over: the tab tells it.
  w.take();
  w.tabs[0]!.reconnect();
  await settle();
  expect(w.take()).toEqual([{ type: "presence", scope: "all", state: '{"n":2}', part: "tab-a" }]);
});

test("casts reach the others, and what is declined its tab", async () => {
  const w = new World();
  const [a, b] = w.tabs.map((t) => t.of("all"));
  const heard: unknown[] = [];
  a!.onCast((c) => heard.push(["a", c.from, c.body]));
  b!.onCast(() => {
    throw new Error("an app's mistake");
  });
  b!.onCast((c) => heard.push(["b", c.from, c.body]));
  const reported = vi.fn();
  vi.stubGlobal("reportError", reported);
  w.welcome();
  a!.join();
  b!.join();
  await settle();
  w.worker.receive({ type: "heard", scope: "all", id: "r1:tab-a", principal: "", body: '{"hi":1}' });
  w.worker.receive({ type: "heard", scope: "other", id: "x", principal: "", body: "1" });
  w.worker.receive({ type: "heard", scope: "all", id: "go", principal: "", body: null });
  expect(heard).toEqual([
    ["b", "r1:tab-a", { hi: 1 }],
    ["a", "go", null],
    ["b", "go", null],
  ]);
  expect(reported).toHaveBeenCalledTimes(2);
  w.worker.receive({ type: "declined", scope: "all", part: "tab-a", code: "busy", message: "full", hint: "later" });
  expect(a!.error).toEqual({ code: "busy", message: "full", hint: "later" });
  expect(b!.error).toBeNull();
  a!.update({});
  expect(a!.error).toBeNull();
  vi.unstubAllGlobals();
});

test("with a grant goes who is there; once it is back both tabs are there again", async () => {
  const w = new World();
  const [a, b] = w.tabs.map((t) => t.of("all"));
  w.welcome();
  a!.join({ n: 1 });
  b!.join({ n: 2 });
  await settle();
  w.peers(true, ["r1:tab-a", '{"n":1}'], ["r1:tab-b", '{"n":2}'], ["go", "{}"]);
  w.take();
  const refused = { type: "declined", scope: "all", code: "forbidden", message: "not yours", hint: "" } as const;
  for (const part of ["tab-a", "tab-b"]) w.worker.receive({ ...refused, part });
  for (const tab of [a!, b!]) {
    expect(tab.error?.code).toBe("forbidden");
    expect(tab.peers).toEqual([]);
  }
  w.worker.gained("another");
  await settle();
  expect(w.take()).toEqual([]);
  w.worker.gained("all");
  await settle();
  expect(w.take()).toEqual([
    { type: "presence", scope: "all", state: '{"n":1}', part: "tab-a" },
    { type: "presence", scope: "all", state: '{"n":2}', part: "tab-b" },
  ]);
  w.peers(true, ["r1:tab-a", '{"n":1}'], ["r1:tab-b", '{"n":2}']);
  for (const tab of [a!, b!]) {
    expect(tab.error).toBeNull();
    expect(tab.peers).toHaveLength(2);
  }
});

test("what cannot be said is refused at once", () => {
  const a = new World().tabs[0]!.of("all");
  const code = (fn: () => void): string => {
    try {
      fn();
    } catch (err) {
      return err instanceof TidemarkError ? err.code : String(err);
    }
    return "";
  };
  expect(code(() => a.update({}))).toBe("usage");
  expect(code(() => a.cast(1))).toBe("usage");
  expect(code(() => a.join({ x: "y".repeat(4096) }))).toBe("too_large");
  expect(code(() => a.join([] as never))).toBe("usage");
  expect(code(() => a.join((() => 1) as never))).toBe("usage");
  a.join({ x: "é".repeat(2000) });
  expect(code(() => a.cast("é".repeat(8192)))).toBe("too_large");
});

test("a page that goes leaves at once in all scopes, and says its newest states when it is back", async () => {
  const w = new World();
  const [tab] = w.tabs;
  const a = tab!.of<{ n: number }>("all");
  tab!.of("project/1").join();
  tab!.of("project/2"); // it only looked there
  w.welcome();
  a.join({ n: 1 });
  await settle();
  w.take();
  a.update({ n: 2 });
  a.update({ n: 3 });
  tab!.rest();
  // No time passes: the page has none.
  expect(w.take()).toEqual([
    { type: "presence", scope: "all", state: null, part: "tab-a" },
    { type: "presence", scope: "project/1", state: null, part: "tab-a" },
  ]);
  await settle();
  expect(w.take()).toEqual([]);
  tab!.reconnect();
  await settle();
  expect(w.take()).toEqual([
    { type: "presence", scope: "all", state: '{"n":3}', part: "tab-a" },
    { type: "presence", scope: "project/1", state: "{}", part: "tab-a" },
  ]);
});
