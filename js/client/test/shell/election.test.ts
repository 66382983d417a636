import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { Election } from "../../src/tabs/election.ts";

type Granted = () => unknown;

/** The browser's side of one request for the lock. */
interface Request {
  readonly steals: boolean;
  readonly aborted: () => boolean;
  /** The word that the lock is there arrives; returns whether it was kept. */
  grant(): boolean;
  /** The word that it is not, or not any more, arrives. */
  refuse(): Promise<void>;
}

let requests: Request[];
let heard: string[];

beforeEach(() => {
  requests = [];
  heard = [];
  const request = (_: string, options: LockOptions, granted: Granted): Promise<unknown> =>
    new Promise((_, reject) => {
      requests.push({
        steals: options.steal === true,
        aborted: () => options.signal?.aborted === true,
        grant: () => granted() !== undefined,
        refuse: async () => {
          reject(new DOMException("the lock was stolen, or given up", "AbortError"));
          await new Promise((resolve) => setTimeout(resolve));
        },
      });
    });
  vi.stubGlobal("navigator", { locks: { request } });
});
afterEach(() => vi.unstubAllGlobals());

const election = (): Election =>
  new Election(
    "x",
    () => heard.push("won"),
    () => heard.push("lost"),
  );

test("who is given the lock leads until it is stolen, and may stand again", async () => {
  const e = election();
  e.stand();
  e.stand();
  expect([requests.length, e.leads]).toEqual([1, false]);
  expect(requests[0]!.grant()).toBe(true);
  e.stand();
  e.steal();
  expect([requests.length, e.leads, heard]).toEqual([1, true, ["won"]]);
  await requests[0]!.refuse();
  expect([e.leads, heard]).toEqual([false, ["won", "lost"]]);
  e.stand();
  expect([requests.length, requests[1]!.grant(), heard]).toEqual([2, true, ["won", "lost", "won"]]);
});

test("a lock that comes when it was just stolen is given back, and the tab leads by the theft alone", async () => {
  for (const late of ["before", "behind"]) {
    requests = [];
    heard = [];
    const e = election();
    e.stand();
    e.steal();
    expect(requests.map((r) => [r.steals, r.aborted()])).toEqual([
      [false, true],
      [true, false],
    ]);
    // The first was granted when it was given up already: word of it, and of its end, comes at any time.
    if (late === "before") expect(requests[0]!.grant()).toBe(false);
    expect(requests[1]!.grant()).toBe(true);
    if (late === "behind") expect(requests[0]!.grant()).toBe(false);
    await requests[0]!.refuse();
    expect([e.leads, heard]).toEqual([true, ["won"]]);
    e.stand();
    expect(requests.length).toBe(2);
  }
});

test("who left does not lead, whatever comes then", async () => {
  const e = election();
  e.stand();
  e.leave();
  expect([requests[0]!.aborted(), requests[0]!.grant(), e.leads]).toEqual([true, false, false]);
  await requests[0]!.refuse();
  expect(heard).toEqual([]);
  e.stand();
  expect(requests[1]!.grant()).toBe(true);
  e.leave();
  await requests[1]!.refuse();
  expect([e.leads, heard]).toEqual([false, ["won"]]);
});
