import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { atOnce, type Work } from "../../src/lite/work.ts";
import { Address } from "../../src/sync/address.ts";
import { Shell } from "../../src/sync/shell.ts";
import { subprotocol } from "../../src/wire/wire.ts";
import { Origin, people } from "../replica/fixture.ts";

/** Sockets that were opened, the newest last. */
let sockets: Line[] = [];

class Line {
  readonly protocol = subprotocol;
  closed = false;
  onopen: (() => void) | null = null;
  onmessage: ((e: { data: string }) => void) | null = null;
  onclose: (() => void) | null = null;
  constructor() {
    sockets.push(this);
  }
  send(): void {}
  close(): void {
    this.closed = true;
  }
}

beforeEach(() => {
  sockets = [];
  vi.useFakeTimers();
  vi.stubGlobal("WebSocket", Line);
});
afterEach(() => {
  vi.unstubAllGlobals();
  vi.useRealTimers();
});

/** A shell with a session in which nothing is left to do. */
async function idle(): Promise<Shell> {
  const { r } = new Origin(people).clone();
  const nothing = () => undefined;
  const shell = new Shell({
    ...{ replica: r, address: new Address("http://127.0.0.1/s"), transport: "websocket" },
    ...{ tokens: async () => "", renew: async () => "", rand: (n: number) => new Uint8Array(n), flush: nothing },
    ...{ enter: nothing, note: nothing, stepped: nothing },
    work: <T>(work: Work<T>, then: (result: T) => void) => then(atOnce(work)),
    fault: (err: unknown) => {
      throw err;
    },
    presence: { receive: nothing, welcome: nothing, gone: nothing },
  });
  shell.nudge();
  await vi.advanceTimersByTimeAsync(0);
  sockets[0]!.onopen!();
  await vi.advanceTimersByTimeAsync(0);
  const { schema } = r.hello();
  const data = `["w",1,"s","inc","term","r1","t",0,"${schema}","AQIDBAUGBwgJCgsMDQ4PEA",1,[],false,"",0]`;
  sockets[0]!.onmessage!({ data });
  expect(shell.state).toBe("idle");
  return shell;
}

test("a device that slept begins a new session, whatever its socket says", async () => {
  const shell = await idle();
  await vi.advanceTimersByTimeAsync(120_000);
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
