import { afterEach, expect, test, vi } from "vitest";
import { Address } from "../../src/sync/address.ts";
import { FirstSync } from "../../src/worker/first-sync.ts";
import type { Host } from "../../src/worker/host.ts";

afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

const settled = (): Promise<void> => new Promise((done) => setTimeout(done));

test("a first sync that is paused and woken, however often, goes on once", async () => {
  const asked: AbortSignal[] = [];
  vi.stubGlobal("fetch", (_: string, { signal }: { signal: AbortSignal }) => {
    asked.push(signal);
    return new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
  });
  const host = {
    online: true,
    boot: { name: "x" },
    address: new Address("http://127.0.0.1/s"),
    copy: null,
    token: { get: async () => "" },
    progress: () => {},
    trouble: () => {},
  };
  const first = new FirstSync(host as unknown as Host); // what it needs before there is an answer
  first.run();
  await settled();
  const once = asked.length;
  expect(once).toBeGreaterThan(0);
  first.pause();
  first.wake();
  await settled();
  first.wake();
  await settled();
  expect(asked.filter((s) => !s.aborted)).toHaveLength(once);
  first.pause();
  await settled();
  expect(asked.filter((s) => !s.aborted)).toEqual([]);
});

test("rows that have come are not fetched again when something fails behind them", async () => {
  vi.useFakeTimers();
  const fetched = vi.fn();
  vi.stubGlobal("fetch", fetched);
  let ready = 0;
  let stored: () => void = () => {};
  const told: unknown[] = [];
  const host = {
    online: true,
    copy: { provisional: false },
    storage: { flush: () => new Promise<void>((resolve) => (stored = resolve)) },
    progress: () => {},
    trouble: (err: unknown) => told.push(err),
    ready: () => {
      if (++ready === 1) throw new Error("a failure");
    },
  };
  const first = new FirstSync(host as unknown as Host); // what it needs when the rows are there
  first.run();
  stored();
  await vi.advanceTimersByTimeAsync(0);
  expect([ready, told]).toEqual([1, [new Error("a failure")]]);
  await vi.advanceTimersByTimeAsync(1000);
  // It is paused and begun again while it stores: the rows are there once.
  const before = stored;
  first.pause();
  first.wake();
  before();
  stored();
  await vi.advanceTimersByTimeAsync(60_000);
  expect([ready, fetched.mock.calls]).toEqual([2, []]);
});
