import { afterEach, beforeEach, expect, test, vi } from "vitest";
import type { Shell } from "../../src/sync/shell.ts";
import { dialing, Line, open, sockets } from "./lines.ts";

beforeEach(() => {
  sockets.length = 0;
  vi.useFakeTimers();
  vi.stubGlobal("WebSocket", Line);
});
afterEach(() => {
  vi.unstubAllGlobals();
  vi.useRealTimers();
});

/** A shell with a session in which nothing is left to do. */
async function idle(): Promise<Shell> {
  const { shell, welcome } = await dialing();
  await open(welcome);
  expect(shell.state).toBe("idle");
  return shell;
}

test("a device that slept begins a new session, whatever its socket says", async () => {
  const shell = await idle();
  await vi.advanceTimersByTimeAsync(70_000);
  expect([sockets.length, shell.state]).toEqual([1, "idle"]);
  vi.setSystemTime(Date.now() + 3_600_000);
  await vi.advanceTimersByTimeAsync(10_000);
  expect([sockets.length, sockets[0]!.closed, shell.state]).toEqual([2, true, "dialing"]);
  shell.stop();
});

test("a device that slept while nothing may go out dials nobody", async () => {
  const shell = await idle();
  shell.step({ type: "hangup" });
  vi.setSystemTime(Date.now() + 3_600_000);
  await vi.advanceTimersByTimeAsync(10_000);
  expect([sockets.length, shell.state]).toEqual([1, "offline"]);
  shell.stop();
});
