import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { Address } from "../../src/sync/address.ts";
import { dialSocket } from "../../src/sync/socket.ts";
import { Ways } from "../../src/sync/transport.ts";
import { dialing, Line, open, sockets } from "./lines.ts";

const beat = '["o"]';

beforeEach(() => {
  sockets.length = 0;
  vi.useFakeTimers();
  vi.stubGlobal("WebSocket", Line);
});
afterEach(() => {
  vi.unstubAllGlobals();
  vi.useRealTimers();
});

/** Lets time go by as far as the server's words are apart, and has it say one. */
async function say(line: Line, ms: number, message: string): Promise<void> {
  await vi.advanceTimersByTimeAsync(ms);
  line.say(message);
}

test("beats keep an idle line and wake nobody; without them it is given up and dialed anew", async () => {
  const { shell, welcome, steps } = await dialing();
  const line = await open(welcome);
  const before = steps();
  // For twenty minutes; after thirty the loop begins anew by itself.
  for (let i = 0; i < 40; i++) await say(line, i % 2 ? 25_000 : 37_000, beat);
  expect([sockets.length, line.closed, shell.state, steps()]).toEqual([1, false, "idle", before]);
  await vi.advanceTimersByTimeAsync(80_000);
  expect([line.closed, shell.state, steps()]).toEqual([false, "idle", before]);
  await vi.advanceTimersByTimeAsync(10_000);
  expect([line.closed, shell.state, sockets.length]).toEqual([true, "backoff", 1]);
  await vi.advanceTimersByTimeAsync(1000);
  expect([shell.state, sockets.length]).toEqual(["dialing", 2]);
  line.say(welcome); // what was on its way after all is not heard
  line.onclose!(); // nor is this the end of the new one
  const next = await open(welcome);
  for (let i = 0; i < 20; i++) await say(next, 39_000, beat);
  expect([sockets.length, next.closed, shell.state]).toEqual([2, false, "idle"]);
  shell.stop();
});

test("whatever the server says counts as a beat", async () => {
  const { shell, welcome } = await dialing();
  const line = await open(welcome);
  for (let i = 0; i < 7; i++) {
    await say(line, 70_000, '["t",0]');
    await say(line, 70_000, '["n","all",true,[]]');
    await say(line, 70_000, '["o",[]]');
  }
  expect([sockets.length, line.closed, shell.live]).toEqual([1, false, true]);
  shell.stop();
});

test("lines that only ever swallow are given up for plain HTTP, where that may be used", async () => {
  const ways = new Ways();
  const events: string[] = [];
  for (let i = 0; i < 2; i++) {
    expect(ways.socket(Date.now())).toBe(true);
    const dialed = dialSocket(
      new Address("http://127.0.0.1/s"),
      (e) => events.push(e.type),
      ways,
      async () => "",
      new AbortController().signal,
    );
    await vi.advanceTimersByTimeAsync(0);
    sockets.at(-1)!.onopen!();
    expect("send" in (await dialed)).toBe(true);
    await vi.advanceTimersByTimeAsync(90_000);
  }
  expect(events).toEqual(["disconnected", "disconnected"]);
  expect(ways.socket(Date.now())).toBe(false);
});

test("a page whose timers run once a minute keeps its line", async () => {
  const { shell, welcome } = await dialing();
  const line = await open(welcome);
  const before = Date.now();
  for (let minute = 0; minute < 20; minute++) {
    // What came meanwhile waits in a queue behind the timers of a page that stood still.
    vi.setSystemTime(Date.now() + 50_000);
    await vi.advanceTimersByTimeAsync(10_000);
    line.say(beat);
    line.say(beat);
  }
  expect(Date.now() - before).toBe(20 * 60_000);
  expect([sockets.length, line.closed, shell.state]).toEqual([1, false, "idle"]);
  shell.stop();
});

test("a shell that is stopped watches no line", async () => {
  const { shell, welcome } = await dialing();
  await open(welcome);
  shell.stop();
  expect(vi.getTimerCount()).toBe(0);
});
