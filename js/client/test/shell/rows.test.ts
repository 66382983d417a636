import { afterEach, expect, test, vi } from "vitest";
import { type Change, INSERT } from "../../src/change.ts";
import { FakeEngine } from "../replica/fake-engine.ts";
import { batch, welcome } from "../replica/messages.ts";
import { deaf } from "./lines.ts";

afterEach(() => {
  vi.unstubAllGlobals();
});

const row = (n: bigint): Change => ({
  ...{ table: 1, op: INSERT, key: [n], columns: [], values: [n], old: null, edits: null, madeAt: 0 },
});

test("a sync tells how many rows came, in chunks and at once", async () => {
  const shell = deaf(new FakeEngine());
  const synced = shell.sync(new AbortController().signal);
  shell.step({ type: "connected" });
  shell.step(welcome({ head: 2 }));
  shell.step(batch(0, 2, { more: true, cursor: "c", changes: [row(1n), row(2n)] }));
  shell.step(batch(0, 2, { changes: [row(3n)] }));
  expect(await synced).toEqual({ seq: 2, accepted: 0, merged: 0, rejected: 0, rows: 3 });
  shell.stop();
});
