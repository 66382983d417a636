import { expect } from "vitest";
import type { Event, State } from "../../src/replica/loop.ts";
import type { Table } from "../../src/schema.ts";
import { TestLoop } from "./fake-engine.ts";
import { refusal, welcome } from "./messages.ts";

const start: Event = { type: "start" };
const connected: Event = { type: "connected" };

/** Two columns, the first of which is the key. */
export const twoColumns: Table = {
  id: 1,
  name: "t",
  sql: "",
  columns: ["a", "b"].map((name) => ({
    name,
    type: "",
    affinity: 0,
    collation: "BINARY",
    notNull: false,
    default: "",
    policy: "",
    custom: "",
    group: "",
  })),
  key: [0],
  rowidAlias: false,
  withoutRowid: false,
  strict: false,
  autoincrement: false,
  uniques: [],
  foreignKeys: [],
  out: "",
  policy: { columns: "", onDelete: "", onInsert: "", onUnique: "", keep: "", keepFor: 0, maxSkew: 0, lease: 0 },
};

const ways: Record<State, Event[]> = {
  offline: [],
  dialing: [start],
  greeting: [start, connected],
  "catching up": [start, connected, welcome({ head: 5 })],
  idle: [start, connected, welcome()],
  pushing: [start, connected, welcome()],
  verifying: [start, connected, welcome(), { type: "verify" }],
  backoff: [start, { type: "disconnected" }],
  "auth needed": [start, connected, refusal("forbidden")],
  stopped: [start, connected, refusal("incarnation", { fatal: true })],
};

/** Brings a new loop into a state by the way that leads there. */
export function reach(s: State): TestLoop {
  const l = new TestLoop();
  l.copy.schema = { hash: "", tables: [twoColumns], objects: [], scopes: [], public: [], declared: "", guards: [] };
  if (s === "pushing") l.copy.unsealed = 2;
  l.must(...ways[s]);
  expect(l.loop.state).toBe(s);
  return l;
}
