import { vi } from "vitest";
import { atOnce, type Work } from "../../src/lite/work.ts";
import type { Replica } from "../../src/replica/replica.ts";
import { Address } from "../../src/sync/address.ts";
import { Shell } from "../../src/sync/shell.ts";
import { subprotocol } from "../../src/wire/wire.ts";
import type { FakeEngine } from "../replica/fake-engine.ts";
import { Origin, people } from "../replica/fixture.ts";

/** Sockets that were opened, the newest last. */
export const sockets: Line[] = [];

/** A WebSocket whose other end is the test. */
export class Line {
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
  /** Has the server say something. */
  say(data: string): void {
    this.onmessage!({ data });
  }
}

/** The longest pauses that there can be: it leaves the largest remainder by each of their spans. */
const rand = (n: number): Uint8Array => new Uint8Array(new BigUint64Array([(200_000_000n << 8n) - 1n]).buffer, 0, n);

/** A shell that waits for its first socket to open, and how many events its loop was given. */
export async function dialing(): Promise<{ shell: Shell; welcome: string; steps: () => number }> {
  const { r } = new Origin(people).clone();
  let steps = 0;
  const nothing = () => undefined;
  const shell = new Shell({
    ...{ replica: r, address: new Address("http://127.0.0.1/s"), transport: "websocket" },
    ...{ tokens: async () => "", renew: async () => "", rand, flush: nothing },
    ...{ enter: nothing, note: nothing, stepped: nothing },
    work: <T>(work: Work<T>, then: (result: T) => void) => {
      steps++;
      then(atOnce(work));
    },
    fault: (err: unknown) => {
      throw err;
    },
    presence: { receive: nothing, welcome: nothing, gone: nothing },
  });
  shell.nudge();
  await vi.advanceTimersByTimeAsync(0);
  const { schema } = r.hello();
  const welcome = `["w",1,"s","inc","term","r1","t",0,"${schema}","AQIDBAUGBwgJCgsMDQ4PEA",1,[],false,"",0]`;
  return { shell, welcome, steps: () => steps };
}

/** A shell whose server is the test: it gives the shell the events of a link. */
export function deaf(engine: FakeEngine): Shell {
  vi.stubGlobal("fetch", () => new Promise(() => {}));
  const nothing = () => undefined;
  return new Shell({
    replica: engine as unknown as Replica, // the loop and those who wait for it ask no more of it
    ...{ address: new Address("http://127.0.0.1/s"), transport: "http", tokens: async () => "", renew: async () => "" },
    ...{ rand: (n: number) => new Uint8Array(n), flush: nothing, enter: nothing, note: nothing, stepped: nothing },
    work: <T>(work: Work<T>, then: (result: T) => void) => then(atOnce(work)),
    fault: (err: unknown) => {
      throw err;
    },
    presence: { receive: nothing, welcome: nothing, gone: nothing },
  });
}

/** Opens the newest socket and has the server welcome it. */
export async function open(welcome: string): Promise<Line> {
  const line = sockets.at(-1)!;
  line.onopen!();
  await vi.advanceTimersByTimeAsync(0);
  line.say(welcome);
  return line;
}
