import { expect, test } from "vitest";
import { type Change, INSERT } from "../../src/change.ts";
import type { Status } from "../../src/database.ts";
import { TidemarkError } from "../../src/error.ts";
import { atOnce } from "../../src/lite/work.ts";
import type { ScopeStatus } from "../../src/scope.ts";
import { encodeError } from "../../src/tabs/errors.ts";
import { Link } from "../../src/tabs/link.ts";
import type { Up } from "../../src/tabs/messages.ts";
import { mergeScopes, TabSubscription, wishOf } from "../../src/tabs/scopes.ts";
import type { Batch } from "../../src/wire/batch.ts";
import { eventsOf, leftOf, touchedTables } from "../../src/worker/news.ts";
import { notGranted, Scopes, subscribe, unsubscribe } from "../../src/worker/scopes.ts";
import { codeOf, newCopy } from "./fixture.ts";

const notes = "CREATE TABLE note (id INTEGER PRIMARY KEY, body TEXT)";
const scoped = () => newCopy(notes, { scopes: ["p"], declared: "x" }).copy.replica;
const list = (...scopes: string[]) => ({ type: "scopes", list: scopes, ask: 1 }) as const;

const put = (id: bigint, body: string): Change => ({
  ...{ table: 1, op: INSERT, key: [id], columns: [], values: [id, body], old: null, edits: null, madeAt: 0 },
});

function batch(more: boolean, ...scopes: [scope: string, ids: bigint[]][]): Batch {
  const parts = scopes.map(([scope, ids]) => ({ scope, sum: 0n, changes: ids.map((id) => put(id, "x")), raw: "" }));
  const head = { type: "batch", from: 0, to: 0, term: "t", schema: "", sum: 0n, raw: "" } as const;
  return { ...head, changes: [], more, cursor: more ? "c" : "", parts };
}

test("what is wanted grows and shrinks by name, and a copy that takes everything keeps what it has", () => {
  const r = scoped();
  const wants = (): unknown => {
    const { only, want } = r.wants();
    return [only, want.map((w) => `${w.scope} ${w.priority}`).join()];
  };
  subscribe(r, [{ scope: "p/1", priority: null }]);
  expect(wants()).toEqual([false, "p/1 0"]);
  subscribe(r, [{ scope: "p/1", priority: 3 }]);
  const told = r.wanted();
  subscribe(r, [{ scope: "p/1", priority: null }]);
  expect([wants(), r.wanted()]).toEqual([[false, "p/1 3"], told]);
  atOnce(r.takeScopes(list("p/1", "p/2", "p/3"), 1));
  unsubscribe(r, "p/2");
  expect(wants()).toEqual([true, "p/3 0,p/1 3"]);
  unsubscribe(r, "p/9");
  unsubscribe(r, "p/1");
  expect(wants()).toEqual([true, "p/3 0"]);
  expect(codeOf(() => subscribe(newCopy(notes).copy.replica, [{ scope: "p/1", priority: 0 }]))).toBe("usage");
});

test("the worker tells how far scopes are, and the same list until something changed", () => {
  const r = scoped();
  const s = new Scopes();
  atOnce(r.takeScopes(list("p/1", "p/2"), 1));
  const first = s.list(r);
  expect(s.list(r)).toBe(first);
  expect(first.map((x) => [x.scope, x.wanted, x.granted, x.ready, x.incoming])).toEqual([
    ["p/1", true, true, false, 0],
    ["p/2", true, true, false, 0],
  ]);
  const chunk = batch(true, ["p/1", [1n, 2n]], ["p/2", [3n]]);
  atOnce(r.apply(chunk, [], 2));
  s.staged(chunk);
  s.staged(batch(true, ["p/1", [4n]]));
  expect([s.list(r).map((x) => x.incoming), s.incoming]).toEqual([[3, 1], 4]);
  atOnce(r.apply(batch(false, ["p/1", []]), [], 3));
  s.changed();
  expect(s.infos(r).map((x) => [x.ready, x.rows, x.incoming])).toEqual([
    [true, 2, 0],
    [false, 1, 1],
  ]);
  atOnce(r.prove(3)); // no server told sums
});

test("news of scopes, and what of them live queries hear", () => {
  const { copy } = newCopy(notes, { scopes: ["p"], declared: "x" });
  const { replica: r } = copy;
  atOnce(r.takeScopes(list("p/1", "p/2"), 1));
  const b = batch(false, ["p/1", [1n, 2n ** 60n]], ["p/2", [2n]]);
  const ready = atOnce(r.apply(b, [], 2));
  expect(eventsOf(r, ready, 0)).toEqual([
    { type: "scope", scope: { scope: "p/1", state: "ready", rows: 2, unwanted: false } },
    { type: "scope", scope: { scope: "p/2", state: "ready", rows: 1, unwanted: false } },
  ]);
  expect(touchedTables(r, ready, b).get("note")?.keys).toEqual([[1], [2n ** 60n], [2]]);
  expect(touchedTables(r, { ...ready, gathered: true }, b).get("note")?.keys).toBeNull();
  const lost = atOnce(r.takeScopes(list("p/2"), 3))!;
  expect(eventsOf(r, lost, 0)).toEqual([
    { type: "scope", scope: { scope: "p/1", state: "lost", rows: 2, unwanted: false } },
  ]);
  expect(leftOf(r.schema, lost)).toEqual(new Map([["note", [[1], [2n ** 60n]]]]));
  atOnce(r.prove(3));
});

test("what is no scope, and no priority, is refused at once", () => {
  for (const scope of ["", undefined, 7] as string[]) expect(codeOf(() => wishOf({ scope }))).toBe("usage");
  for (const priority of [0.5, Number.NaN, 2 ** 60]) {
    expect(codeOf(() => wishOf({ scope: "p/1", priority }))).toBe("usage");
  }
  expect(wishOf({ scope: "p/1", priority: -2 })).toEqual({ scope: "p/1", priority: -2 });
});

const status = (scope: string, more: Partial<ScopeStatus> = {}): ScopeStatus => ({
  ...{ scope, wanted: true, granted: true, ready: false, priority: 0, incoming: 0 },
  ...more,
});

test("scopes that did not change stay the same objects", () => {
  const old = [status("a"), status("b")];
  expect(mergeScopes(old, structuredClone(old))).toBe(old);
  const now = mergeScopes(old, [status("a"), status("b", { incoming: 4 })]);
  expect([now[0] === old[0], now[1]?.incoming]).toEqual([true, 4]);
  expect(mergeScopes(old, [status("b")])[0]).toBe(old[1]);
  expect(mergeScopes(old, [])).toEqual([]);
});

/** A tab's way to the worker, and what it has said. */
function newLink(): { link: Link; said: Up[]; answer: (error?: unknown) => void } {
  const said: (Up & { leader: string })[] = [];
  const link = new Link("tab", 1000, (leader, up) => said.push({ ...up, leader }));
  const answer = (error?: unknown): void => {
    const up = said.at(-1)!;
    if (up.type !== "call") throw new Error("no call");
    const to = { type: "answer", tab: "tab", id: up.id } as const;
    link.take(error === undefined ? { ...to, result: null } : { ...to, error: encodeError(error) });
  };
  return { link, said, answer };
}

const turn = (): Promise<void> => new Promise((done) => setTimeout(done));

test("a subscription waits over the death of a leader, and gives up when its signal says so", async () => {
  const { link, said, answer } = newLink();
  const db = { status: { scopes: [] as ScopeStatus[] } as unknown as Status, onStatus: () => () => {} };
  const over = new AbortController();
  const sub = new TabSubscription(link, db, "p/1", { signal: over.signal });
  expect(said).toEqual([]); // nobody leads yet
  link.follow("w1");
  expect(said.at(-1)).toMatchObject({ method: "subscribe", args: [{ scope: "p/1", priority: null }], again: false });
  answer();
  await turn();
  expect(said.at(-1)).toMatchObject({ method: "whole", args: "p/1", leader: "w1" });
  link.follow("w2");
  expect(said.at(-1)).toMatchObject({ method: "whole", leader: "w2", again: true });
  answer();
  await sub.ready;

  const refused = new TabSubscription(link, db, "p/2", {});
  answer();
  await turn();
  answer(notGranted("p/2"));
  const err = await refused.ready.catch((e: unknown) => e);
  expect(err instanceof TidemarkError && [err.code, err.hint]).toEqual(["forbidden", notGranted("").hint]);

  const given = new TabSubscription(link, db, "p/3", { signal: over.signal });
  answer();
  await turn();
  over.abort(new Error("enough"));
  await expect(given.ready).rejects.toThrow("enough");
  expect(said.at(-1)).toMatchObject({ type: "cancel" });
});
