import { afterEach, expect, test, vi } from "vitest";
import { type Change, INSERT } from "../../src/change.ts";
import { atOnce, type Work } from "../../src/lite/work.ts";
import type { Replica } from "../../src/replica/replica.ts";
import { Address } from "../../src/sync/address.ts";
import { Shell } from "../../src/sync/shell.ts";
import { FakeEngine } from "../replica/fake-engine.ts";
import { batch, welcome } from "../replica/messages.ts";

afterEach(() => {
  vi.unstubAllGlobals();
});

const row = (n: bigint): Change => ({
  ...{ table: 1, op: INSERT, key: [n], columns: [], values: [n], old: null, edits: null, madeAt: 0 },
});

test("a sync tells how many rows came, in chunks and at once", async () => {
  vi.stubGlobal("fetch", () => new Promise(() => {})); // nobody answers: the test speaks for the server
  const nothing = () => undefined;
  const engine = new FakeEngine();
  const shell = new Shell({
    replica: engine as unknown as Replica, // the loop and sync ask no more of it
    ...{ address: new Address("http://127.0.0.1/s"), transport: "http", tokens: async () => "", renew: async () => "" },
    ...{ rand: (n: number) => new Uint8Array(n), flush: nothing, enter: nothing, note: nothing, stepped: nothing },
    work: <T>(work: Work<T>, then: (result: T) => void) => then(atOnce(work)),
    fault: (err: unknown) => {
      throw err;
    },
    presence: { receive: nothing, welcome: nothing, gone: nothing },
  });
  const synced = shell.sync(new AbortController().signal);
  shell.step({ type: "connected" });
  shell.step(welcome({ head: 2 }));
  shell.step(batch(0, 2, { more: true, cursor: "c", changes: [row(1n), row(2n)] }));
  shell.step(batch(0, 2, { changes: [row(3n)] }));
  expect(await synced).toEqual({ seq: 2, accepted: 0, merged: 0, rejected: 0, rows: 3 });
  shell.stop();
});
