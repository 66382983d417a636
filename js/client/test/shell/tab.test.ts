import { expect, onTestFinished, test, vi } from "vitest";
import type { Choice } from "../../src/database.ts";
import { codeOf } from "../../src/error.ts";
import { unknown } from "../../src/status.ts";
import { Link } from "../../src/tabs/link.ts";
import type { Up } from "../../src/tabs/messages.ts";
import { Tab, type TabHost } from "../../src/tabs/tab.ts";

/** The database of a tab, and what it says to the worker. */
function newTab(): { tab: Tab; said: string[] } {
  const said: string[] = [];
  const link = new Link("tab", 1000, (_, up: Up) => said.push(up.type === "call" ? up.method : up.type));
  link.follow("w1");
  const tab = new Tab({ name: "x", bigint: false, link, status: unknown } as TabHost); // what calls need of it
  said.length = 0;
  return { tab, said };
}

test("values that SQLite cannot hold do not leave the tab, whatever they are for", async () => {
  const { tab, said } = newTab();
  // Also what types forbid.
  for (const value of [Number.NaN, "half \ud83d", 2n ** 64n, undefined, {}] as number[]) {
    const choice: Choice = { value };
    const right = { table: "t", column: "c", value: 1, key: [1] };
    expect(await tab.resolve("id", choice).catch(codeOf)).toBe("usage");
    expect(await tab.editAndRetry(1, [right, { ...right, value }]).catch(codeOf)).toBe("usage");
    expect(await tab.editAndRetry(1, [{ ...right, key: [value] }]).catch(codeOf)).toBe("usage");
    expect(await tab.exec("SELECT ?", [value]).catch(codeOf)).toBe("usage");
    expect(() => tab.watch("SELECT ?", [value], () => {})).toThrow();
  }
  expect(said).toEqual([]);
});

test("a transaction of which one step had no answer fails by that, and is not run again", async () => {
  vi.useFakeTimers();
  onTestFinished(() => void vi.useRealTimers());
  const { tab, said } = newTab();
  const seen: unknown[] = [];
  const done = tab
    .transaction(async (tx) => {
      seen.push(await tx.exec("INSERT INTO t VALUES (1)").catch(codeOf));
      seen.push(await tx.query("SELECT 1").catch(codeOf));
    })
    .catch(codeOf);
  await vi.advanceTimersByTimeAsync(1000);
  expect([await done, seen]).toEqual(["busy", ["busy", "busy"]]);
  expect(said).toEqual(["transaction", "cancel", "rollback"]);
});
