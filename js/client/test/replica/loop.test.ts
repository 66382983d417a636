import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import type { Outcome } from "../../src/change.ts";
import { TidemarkError } from "../../src/error.ts";
import { type Applied, nothing } from "../../src/replica/apply.ts";
import { Moved } from "../../src/replica/connection.ts";
import { resyncReason } from "../../src/replica/identity.ts";
import { type Event, STATES, type State } from "../../src/replica/loop.ts";
import { type Kind, kindOf, table } from "../../src/replica/loop-table.ts";
import { contentHash } from "../../src/wire/push.ts";
import type { Push, Up } from "../../src/wire/up.ts";
import { below, pushOf, seeded, TestLoop } from "./fake-engine.ts";
import { batch, down, refusal, sums, welcome } from "./messages.ts";
import { reach } from "./reach.ts";

const kinds = Object.keys(table) as Kind[]; // its own keys

const start: Event = { type: "start" };
const connected: Event = { type: "connected" };
const tick: Event = { type: "tick" };
const local: Event = { type: "local" };
const rewant: Event = { type: "rewant" };
const gone: Event = { type: "disconnected", error: new Error("gone") };

function outcomes(...list: [n: number, seq: number][]): Event {
  const made = list.map(
    ([n, seq]): Outcome => ({
      replica: "",
      n,
      hash: new Uint8Array(16),
      kind: "accepted",
      seq,
      code: "",
      message: "",
      table: "",
      key: null,
      columns: [],
      lost: [],
      over: [],
      renumbered: [],
    }),
  );
  return down({ type: "outcomes", list: made });
}

const codes = [
  "gap",
  "fork",
  "restored",
  "incarnation",
  "wrong_space",
  "protocol",
  "shutdown",
  "forbidden",
  "busy",
  "new",
];

/** One or more events of every kind. */
const samples: Record<Kind, Event[]> = {
  start: [start],
  connected: [connected],
  welcome: [welcome({ head: 3 }), welcome({ head: 3, resync: true })],
  schema: [down({ type: "schema", hash: "", body: "" })],
  outcomes: [outcomes(), outcomes([1, 0]), outcomes([1, 9]), outcomes([77, 0])],
  batch: [batch(0, 1), batch(0, 5, { more: true }), batch(3, 4), batch(0, 0)],
  ranges: [
    down({ type: "ranges", id: 1, seq: 0, list: [] }),
    down({ type: "ranges", id: 1, seq: 0, list: sums(1) }),
    down({ type: "ranges", id: 99, seq: 99, list: [] }),
  ],
  rows: [
    down({ type: "rows", id: 1, seq: 0, more: false, list: [], scopes: [] }),
    down({ type: "rows", id: 99, seq: 0, more: true, list: [], scopes: [] }),
  ],
  leases: [down({ type: "leases", list: [] }), down({ type: "leases", list: [{ table: 1, first: 5n, last: 9n }] })],
  scopes: [down({ type: "scopes", list: [], ask: 0 }), down({ type: "scopes", list: ["a", "b/1"], ask: 0 })],
  refusal: codes.flatMap((c) => [refusal(c), refusal(c, { fatal: true })]),
  garbage: [down(null)],
  disconnected: [{ type: "disconnected" }, gone, { type: "disconnected", error: new TidemarkError("forbidden", "no") }],
  local: [local],
  tick: [tick],
  rewant: [rewant],
  verify: [{ type: "verify" }],
  hangup: [{ type: "hangup" }],
};

const hasTimer = (s: State): boolean => s !== "offline" && s !== "auth needed" && s !== "stopped";

const pushesOf = (up: readonly Up[]): Push[] => up.filter((m) => m.type === "push");

test("the table is that of the vectors", () => {
  const text = readFileSync(new URL("../../../../spec/vectors/loop.json", import.meta.url), "utf8");
  const here = kinds.map((name) => ({
    name,
    in: Object.fromEntries(STATES.map((s, i) => [s, table[name][i]?.name])),
  }));
  expect(here).toEqual(JSON.parse(text));
});

test("samples are filed under their kind", () => {
  for (const k of kinds) {
    expect(samples[k].length).toBeGreaterThan(0);
    for (const event of samples[k]) expect(kindOf(event)).toBe(k);
  }
});

// Every pair of state and event is taken, with and without a failing file, and
// leads to a state that waits for something.
test.each(STATES)("every event in state %s", (s) => {
  for (const k of kinds) {
    for (const event of samples[k]) {
      for (const broken of [null, new Error("disk I/O error"), new Moved("the checkpoint moved")]) {
        const l = reach(s);
        l.copy.fail = broken;
        l.step(event);
        expect(l.timer > 0, `${k} leads to ${l.loop.state}`).toBe(hasTimer(l.loop.state));
      }
    }
  }
});

test("a session pushes and settles", () => {
  const l = reach("greeting");
  expect(l.sent()[0]?.type).toBe("hello");
  l.copy.unsealed = 2;
  l.must(welcome({ head: 1 }), local);
  // Local changes do not wait for catch-up.
  expect(pushesOf(l.sent())).toHaveLength(2);
  expect(l.loop.state).toBe("catching up");
  // The outcomes come first, each settles with its batch.
  l.must(outcomes([1, 2]), outcomes([2, 3]));
  expect(l.copy.settledOnes).toHaveLength(0);
  l.must(batch(0, 1), batch(1, 2));
  expect(l.copy.settledOnes).toHaveLength(1);
  expect(l.loop.state).toBe("pushing");
  l.must(batch(2, 3));
  expect(l.loop.state).toBe("idle");
  expect(l.loop.settled()).toBe(true);
});

test("the window bounds what is in flight", () => {
  const l = new TestLoop(1, { pushBytes: 250 });
  l.copy.unsealed = 10;
  l.must(start, connected, welcome());
  expect(l.loop.flying.size).toBe(3);
  for (let n = 1; n <= 10; n++) {
    l.must(outcomes([n, 0]));
    expect(l.loop.flying.size).toBeLessThanOrEqual(3);
  }
  expect(l.copy.settledOnes).toHaveLength(10);
  expect(l.loop.state).toBe("idle");
});

// What the server would not take goes up by its hash alone, and what comes
// behind it goes up whole.
test.each([
  { message: 0, changeset: 5000, row: 0 },
  { message: 5000 + 1024, changeset: 0, row: 0 },
])("a body that is too large is withheld: %o", (limits) => {
  const l = reach("greeting");
  const big = pushOf(1, new Uint8Array(5001));
  l.copy.waiting = [big, pushOf(2, new Uint8Array(5000))];
  l.sent();
  l.must(welcome({ limits }));
  const [first, second] = pushesOf(l.sent());
  expect(first?.body).toBeNull();
  expect(first?.hash).toEqual(contentHash(big));
  expect(second?.body).toHaveLength(5000);
  expect(l.copy.waiting[0]?.body).toHaveLength(5001);
});

test("batches that do not fit", () => {
  const l = reach("idle");
  l.must(batch(0, 1), batch(0, 1));
  expect([l.loop.state, l.loop.seq]).toEqual(["idle", 1]);
  const { dials } = l;
  l.must(batch(2, 3));
  expect([l.loop.state, l.dials]).toEqual(["dialing", dials + 1]);
});

// Beginning anew without a pause is for honest surprises. A server that
// surprises for ever is a failure.
test("beginning anew is bounded", () => {
  const l = reach("idle");
  const paused = (): boolean => l.loop.state === "backoff";
  for (let i = 0; i < 6 && !paused(); i++) {
    l.must(refusal("gap"));
    if (!paused()) l.must(connected, welcome({ head: 5 }));
  }
  expect(l.loop.state).toBe("backoff");
});

test("a fork takes a new name before it says hello", () => {
  const l = reach("greeting");
  l.sent();
  l.must(refusal("fork"), connected);
  expect([l.copy.renamed, l.loop.state, l.sent().length]).toEqual([1, "greeting", 1]);
});

test("a greeting of another replica is not taken", () => {
  const l = reach("greeting");
  const hello = l.copy.hello();
  l.copy.hello = () => ({ ...hello, replica: "mine" });
  l.must(welcome({ replica: "yours" }));
  expect(l.loop.state).toBe("dialing");
});

test("a restored server is compared whole", () => {
  const l = reach("idle");
  l.copy.seq = 9;
  l.copy.unsealed = 1;
  l.must(tick, connected);
  l.sent();
  l.must(refusal("restored"), connected);
  expect(l.sent()[0]).toMatchObject({ type: "hello", seq: 0, term: "" });
  l.must(welcome({ head: 4, resync: true }));
  expect([l.loop.state, l.loop.check?.code]).toEqual(["verifying", "recovered"]);
  expect(pushesOf(l.sent())).toHaveLength(0);
  l.must(down({ type: "ranges", id: 1, seq: 4, list: sums(1) }));
  expect([l.loop.state, l.copy.proved]).toEqual(["pushing", 1]);
});

// A comparison that a crash cut short still saves what the server lost under
// the right name.
test("a resync is remembered", () => {
  const l = reach("greeting");
  l.copy.repair = resyncReason;
  l.must(welcome());
  expect([l.loop.state, l.loop.check?.code]).toEqual(["verifying", "recovered"]);
});

test.each(["incarnation", "wrong_space", "protocol"])("refusal %s stops", (code) => {
  const l = reach("pushing");
  l.must(refusal(code, { fatal: true }));
  expect([l.loop.state, l.copy.stopped, l.copy.waiting.length]).toEqual(["stopped", code, 2]);
  l.must(start);
  expect(l.loop.state).toBe("dialing");
});

test("a message that came broken is sent again; it stops nothing", () => {
  const l = reach("pushing");
  l.must(refusal("protocol"));
  expect([l.loop.state, l.copy.stopped]).toEqual(["backoff", ""]);
});

test("a welcome of another server stops", () => {
  const l = reach("greeting");
  l.copy.welcome = () => {
    throw new TidemarkError("wrong_space", "another space");
  };
  l.step(welcome());
  expect([l.loop.state, l.copy.stopped]).toEqual(["stopped", "wrong_space"]);
});

test.each([
  [refusal("shutdown", { retry: 5000 }), 5000],
  [refusal("shutdown", { retry: 1e9 }), 600_000],
  [{ type: "disconnected", retryAfter: 4000 } satisfies Event, 4000],
  [{ type: "disconnected", retryAfter: 1e9 } satisfies Event, 600_000],
])("it comes back when it was told: %#", (event, atLeast) => {
  const l = reach("idle");
  l.must(event);
  expect(l.loop.state).toBe("backoff");
  expect(l.timer).toBeGreaterThanOrEqual(atLeast);
  expect(l.timer).toBeLessThanOrEqual(atLeast + 1000);
});

test("the backoff grows, is capped and reset", () => {
  const l = new TestLoop(3);
  const { minDelay, maxDelay } = l.loop.opts;
  l.must(start);
  let longest = 0;
  for (let i = 0; i < 200; i++) {
    l.must(gone);
    expect(l.timer).toBeGreaterThan(0);
    expect(l.timer).toBeLessThanOrEqual(Math.min(maxDelay, minDelay * 2 ** i));
    longest = Math.max(longest, l.timer);
    l.must(tick);
  }
  expect(longest).toBeGreaterThan(maxDelay / 2);
  expect(l.loop.retries).toBe(200);
  // A session that only begins is no success, one that holds is.
  l.must(connected, welcome(), gone);
  expect(l.loop.attempts).toBe(201);
  l.must(tick, connected, welcome());
  l.clock += maxDelay;
  l.must(gone);
  expect(l.timer).toBeLessThanOrEqual(minDelay);
  // And so is one that brings something.
  l.must(tick, gone, tick, gone, tick, connected, welcome({ head: 1 }), batch(0, 1), gone);
  expect(l.timer).toBeLessThanOrEqual(minDelay);
});

// A writer that never rests must not hide a server that never answers.
test("local writes do not wind the timer up", () => {
  const l = reach("pushing");
  l.timer = 1000;
  l.copy.unsealed = 1;
  l.must(local);
  expect(l.timer).toBe(1000);
});

test("errors of the file hang up and come back", () => {
  const l = reach("idle");
  l.copy.fail = new Error("database or disk is full");
  l.step(batch(0, 1));
  expect([l.loop.state, String(l.loop.fault)]).toEqual(["backoff", "Error: database or disk is full"]);
  l.must(tick, connected, welcome({ head: 1 }), batch(0, 1));
  expect([l.loop.state, l.loop.seq]).toEqual(["idle", 1]);
});

// Whatever comes in whatever order, the loop waits for something and does not
// throw.
test.each([1, 2, 3])("random events, seed %i", (seed) => {
  const rand = seeded(seed);
  const l = reach("idle");
  for (let i = 0; i < 4000; i++) {
    const list = samples[kinds[below(rand, kinds.length)]!];
    if (below(rand, 50) === 0) l.copy.fail = new Error("disk I/O error");
    if (below(rand, 10) === 0) l.copy.unsealed++;
    const event = list[below(rand, list.length)]!;
    l.step(event);
    expect(l.timer > 0, `step ${i}: after ${JSON.stringify(kindOf(event))} in ${l.loop.state}`).toBe(
      hasTimer(l.loop.state),
    );
  }
});

const listedTo = (ask: number, ...list: string[]): Event => down({ type: "scopes", list, ask });
const listed = (...list: string[]): Event => listedTo(0, ...list);
const part = (scope: string) => ({ scope, sum: 0n, changes: [], raw: "" });

test("scopes that are granted are waited for until they are whole", () => {
  const l = reach("greeting");
  l.must(welcome({ scopes: ["a", "b"] }));
  expect(l.loop.state).toBe("catching up");
  l.must(batch(0, 0, { parts: [part("a")] }));
  expect(l.loop.state).toBe("catching up");
  expect(l.loop.settled()).toBe(false);
  l.must(batch(0, 3, { more: true, parts: [part("b")] }), batch(0, 3, { parts: [part("b")] }));
  expect(l.loop.state).toBe("idle");
  expect(l.loop.settled()).toBe(true);
  l.must(listed("a", "b", "c"));
  expect(l.loop.state).toBe("catching up");
  l.must(listed("a"));
  expect(l.loop.state).toBe("idle");
});

test("what is wanted is told once, and its answer waited for", () => {
  const l = reach("idle");
  l.sent();
  const asked = (): Up[] => l.sent().filter((m) => m.type === "subscribe");
  l.must(rewant, local);
  expect(asked()).toEqual([]);
  const { copy } = l;
  copy.only = true;
  copy.want = [{ scope: "a", priority: 2 }];
  copy.subscribed = 1;
  l.must(rewant, rewant, local);
  expect(asked()).toEqual([{ type: "subscribe", only: true, want: copy.want, ask: 1 }]);
  expect([l.loop.state, copy.heard]).toEqual(["catching up", 0]);
  // A list that was on its way does not answer it.
  l.must(listedTo(0));
  expect([l.loop.state, copy.heard]).toEqual(["catching up", 0]);
  // Somebody subscribes once more: the first answer is not that to the second question.
  copy.subscribed = 2;
  l.must(local);
  expect(asked().length).toBe(1);
  l.must(listedTo(1));
  expect([l.loop.state, copy.heard, l.loop.settled()]).toEqual(["catching up", 1, false]);
  l.must(listedTo(2));
  expect([l.loop.state, copy.heard, l.loop.settled()]).toEqual(["idle", 2, true]);
  // A hello says it too.
  copy.subscribed = 3;
  l.must({ type: "disconnected" }, start, connected);
  expect(asked()).toEqual([]);
  l.must(welcome({ ask: 3 }));
  expect([copy.heard, asked()]).toEqual([3, []]);
  // Over plain HTTP every round trip greets: one that began before the question does not answer it.
  copy.subscribed = 4;
  l.must(rewant, welcome({ ask: 3 }));
  expect([l.loop.state, copy.heard]).toEqual(["catching up", 3]);
  l.must(welcome({ ask: 4 }));
  expect([l.loop.state, copy.heard]).toEqual(["idle", 4]);
});

test("a list of scopes makes staged chunks void and a comparison begin anew", () => {
  const l = reach("verifying");
  expect(l.loop.check).not.toBeNull();
  l.sent();
  l.must(listed("a"));
  expect([l.loop.check, l.loop.state]).toEqual([null, "catching up"]);
  l.must(batch(0, 0, { parts: [part("a")] }));
  expect(l.loop.state).toBe("verifying");
  expect(l.sent().some((m) => m.type === "askRanges")).toBe(true);

  const other = reach("idle");
  other.must(batch(0, 5, { more: true }));
  expect(other.loop.staging).toBe(true);
  other.must(listed());
  expect(other.loop.staging).toBe(false);
});

test("a schema that brings other tables makes a comparison begin anew", () => {
  const l = reach("verifying");
  const compared = l.loop.check;
  l.sent();
  l.copy.bySchema = { ...nothing(0), schema: true };
  l.must(down({ type: "schema", hash: "", body: "" }));
  expect(l.loop.state).toBe("verifying");
  expect(l.loop.check).not.toBe(compared);
  expect(l.sent().some((m) => m.type === "askRanges")).toBe(true);
});

test.each(["catching up", "idle", "pushing", "verifying"] as const)(
  "what leaves because a schema shows that nothing was listed is told, %s",
  (s) => {
    const l = reach(s);
    const compared = l.loop.check;
    const schema = down({ type: "schema", hash: "", body: "" });
    const lost: Applied = { ...nothing(0), scopes: [{ scope: "a/1", state: "lost", rows: 2, unwanted: false }] };
    l.copy.bySchema = lost;
    l.notes = [];
    l.must(schema);
    expect(l.notes[0]?.applied).toBe(lost);
    if (compared) expect(l.loop.check).not.toBe(compared);
    l.notes = [];
    l.must(schema);
    expect(l.notes).toEqual([]);
  },
);
