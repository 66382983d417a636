import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { IndexedDbStorage } from "../../src/storage/indexeddb.ts";
import { BLOCK, type PageFile } from "../../src/storage/pages.ts";
import { FakeIndexedDb } from "./fake-indexeddb.ts";
import { sqlite } from "./fixture.ts";

let idb: FakeIndexedDb;
let told: string[];
let places = 0;

beforeEach(() => {
  vi.useFakeTimers();
  idb = new FakeIndexedDb();
  told = [];
  vi.stubGlobal("indexedDB", idb);
  vi.stubGlobal("IDBKeyRange", { bound: () => null });
});
afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

const events = {
  slipped: () => told.push("slipped"),
  kept: () => told.push("kept"),
  taken: () => told.push("taken"),
};

async function opened(): Promise<IndexedDbStorage> {
  const opening = IndexedDbStorage.open(sqlite, "x", `idb-${++places}`, events);
  await vi.advanceTimersByTimeAsync(10);
  return await opening;
}

/** Writes a file; whether anybody was told that it is stored, once enough time went by. */
async function stores(s: IndexedDbStorage, at: string): Promise<boolean> {
  const parts = [new Uint8Array(512)];
  await s.write(at, async () => parts.shift());
  let stored = false;
  void s.flush()?.then(() => {
    stored = true;
  });
  await vi.advanceTimersByTimeAsync(10);
  return stored;
}

test("a commit takes the next number", async () => {
  const s = await opened();
  expect(idb.turns()).toEqual([1, 2]);
  expect(await stores(s, "/a")).toBe(true);
  expect([Math.max(...idb.turns()), told]).toEqual([3, []]);
});

test("what the browser ended goes on in memory, and is stored again", async () => {
  const s = await opened();
  idb.endNext = () => {};
  expect(await stores(s, "/a")).toBe(true);
  expect(told).toEqual(["slipped"]);
  await vi.advanceTimersByTimeAsync(1000);
  expect([Math.max(...idb.turns()), told]).toEqual([5, ["slipped", "kept"]]);
});

test("a page whose transaction was ended in favour of another's says nothing more", async () => {
  const s = await opened();
  // The other one takes the number that comes next, and one of its own.
  idb.endNext = () => {
    idb.take(3);
    idb.take(4);
  };
  expect(await stores(s, "/a")).toBe(false);
  await vi.advanceTimersByTimeAsync(60_000);
  expect([idb.turns(), told]).toEqual([[1, 2, 3, 4], ["taken"]]);
  expect(await stores(s, "/b")).toBe(false);
});

test("a place that another took meanwhile is not taken back", async () => {
  const s = await opened();
  idb.endNext = () => {};
  expect(await stores(s, "/a")).toBe(true);
  expect(told).toEqual(["slipped"]);
  idb.take(3);
  idb.take(4);
  await vi.advanceTimersByTimeAsync(60_000);
  expect([idb.turns(), told]).toEqual([
    [1, 2, 3, 4],
    ["slipped", "taken"],
  ]);
  expect(await stores(s, "/b")).toBe(false);
});

test("what is stored in portions is one commit, whatever is written meanwhile", async () => {
  const s = await opened();
  const byte = (n: number) => new Uint8Array(BLOCK).fill(n);
  const parts = Array.from({ length: 400 }, () => byte(1));
  await s.write("/a", async () => parts.shift());
  const stored = s.flush();
  // Half of it is on its way when the next commit writes all blocks.
  await Promise.resolve();
  await Promise.resolve();
  const file = Reflect.get(s, "held").get("/a") as PageFile;
  expect(file.lent.size).toBe(400);
  for (let i = 0; i < 400; i++) file.write(byte(2), i * BLOCK);
  await vi.advanceTimersByTimeAsync(10);
  await stored;
  expect(new Set(idb.blocks().map((b) => b[0]))).toEqual(new Set([1]));
  expect([idb.blocks().length, file.lent.size, file.dirty.size]).toEqual([400, 0, 400]);
  void s.flush();
  await vi.advanceTimersByTimeAsync(10);
  expect(new Set(idb.blocks().map((b) => b[0]))).toEqual(new Set([2]));
});
