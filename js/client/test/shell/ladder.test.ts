import { afterEach, expect, test, vi } from "vitest";
import { climb } from "../../src/storage/ladder.ts";
import { sqlite } from "./fixture.ts";

afterEach(() => {
  vi.unstubAllGlobals();
});

test("an IndexedDB that does not work keeps nobody from files that do", async () => {
  const broken = () => Promise.reject(new Error("internal error opening backing store"));
  vi.stubGlobal("indexedDB", { databases: broken });
  // As much of SQLite as a private file system needs.
  const api = { ...sqlite.api, installOpfsSAHPoolVfs: async () => ({}) };
  const events = { slipped: () => {}, kept: () => {}, taken: () => {} };
  const found = await climb({ ...sqlite, api } as unknown as typeof sqlite, "x", "opfs", events, () => {});
  expect([found.storage.level, found.reason, found.older]).toEqual(["opfs", "", null]);
});
