import { expect, test } from "vitest";
import { type Down, decodeDown } from "../../src/wire/down.ts";
import { encodeUp, type Up } from "../../src/wire/up.ts";
import { bytes, type Case, changeOf, load, plainValue, spellings } from "./vectors.ts";

const none = (n: number): Uint8Array => new Uint8Array(n);

const empty: Record<string, Up | Down> = {
  Hello: {
    ...{ type: "hello", protocol: 0, space: "", incarnation: "", term: "", replica: "", ticket: "", schema: "" },
    ...{ seq: 0, sum: 0n, staged: "", settled: 0, readOnly: false, agent: "", clock: 0, token: "" },
    ...{ held: [], only: false, want: [], ask: 0 },
  },
  Push: { type: "push", n: 0, salt: none(8), was: null, seen: 0, schema: "", madeAt: 0, body: null, hash: none(16) },
  Ack: { type: "ack", seq: 0, cursor: "" },
  AskRanges: { type: "askRanges", id: 0, table: 0, after: null, upto: null, bounds: [] },
  AskRows: { type: "askRows", id: 0, table: 0, after: null, upto: null, limit: 0 },
  Token: { type: "token", token: "" },
  Presence: { type: "presence", scope: "", state: null, part: "" },
  Subscribe: { type: "subscribe", only: false, want: [], ask: 0 },
  Cast: { type: "cast", scope: "", body: "null", part: "" },
  Welcome: {
    ...{ type: "welcome", protocol: 0, space: "", incarnation: "", term: "", replica: "", ticket: "", head: 0 },
    ...{ schema: "", digestKey: none(16), time: 0, limits: { message: 0, changeset: 0, row: 0 }, resync: false },
    ...{ principal: "", expires: 0, scopes: [], ask: 0 },
  },
  Schema: { type: "schema", hash: "", body: "" },
  Outcomes: { type: "outcomes", list: [] },
  Batch: {
    ...{ type: "batch", from: 0, to: 0, term: "", schema: "", sum: 0n, more: false, cursor: "", changes: [], raw: "" },
    parts: [],
  },
  Ranges: { type: "ranges", id: 0, seq: 0, list: [] },
  Rows: { type: "rows", id: 0, seq: 0, more: false, list: [], scopes: [] },
  Leases: { type: "leases", list: [] },
  Refusal: { type: "refusal", code: "", message: "", hint: "", retry: 0, fatal: false },
  Renewed: { type: "renewed", expires: 0 },
  Peers: { type: "peers", scope: "", all: false, list: [] },
  Heard: { type: "heard", scope: "", id: "", principal: "", body: null },
  Scopes: { type: "scopes", list: [], ask: 0 },
  Declined: { type: "declined", scope: "", part: "", code: "", message: "", hint: "" },
};

const outcome = {
  ...{ replica: "", n: 0, hash: none(16), kind: "accepted", seq: 0, code: "", message: "", table: "", key: null },
  ...{ columns: [], lost: [], over: [], renumbered: [] },
};

/** Fields of a vector, by what each means. */
function fieldOf(name: string, v: unknown, message: string): unknown {
  // Vectors are JSON of known shape: a wrong one fails the comparison.
  const list = v as never[];
  switch (name) {
    case "sum":
      return BigInt(`0x${v}`);
    case "salt":
    case "hash":
    case "digest_key":
      return message === "Schema" ? v : bytes(String(v));
    case "body":
      return message === "Push" ? new TextEncoder().encode(String(v)) : v;
    case "was":
      return fieldsOf(v, "Name");
    case "after":
    case "upto":
    case "key":
      return list.map(plainValue);
    case "bounds":
      return list.map((row: string[]) => row.map(plainValue));
    case "changes":
      return list.map(changeOf);
    case "first":
    case "last":
    case "from":
    case "to":
      // The largest integer of a vector is beyond what JSON.parse keeps.
      return message === "Batch" ? v : BigInt(Number(v) === 2 ** 63 ? 2n ** 63n - 1n : Number(v));
    case "want":
      return list.map((w) => ({ priority: 0, ...fieldsOf(w, "Want") }));
    case "parts":
      return list.map((p) => ({ sum: 0n, changes: [], raw: "", ...fieldsOf(p, "Part") }));
    case "lost":
    case "over":
      return list.map((c) => ({ column: "", ...fieldsOf(c, "Cell") }));
    case "renumbered":
      return list.map((r) => fieldsOf(r, "Renumbered"));
    case "list":
      return list.map((x) => itemOf(x, message));
    default:
      return v;
  }
}

function itemOf(x: string[], message: string): unknown {
  switch (message) {
    case "Scopes":
      return x;
    case "Rows":
      return x.map(plainValue);
    case "Outcomes":
      return { ...outcome, ...fieldsOf(x, message) };
    case "Peers":
      return { principal: "", state: null, ...fieldsOf(x, message) };
    case "Ranges":
      return { count: 0, sum: 0n, ...fieldsOf(x, message) };
    default:
      return fieldsOf(x, message);
  }
}

function fieldsOf(fields: unknown, message: string): Record<string, unknown> {
  const camel = (name: string): string => name.replace(/_(.)/g, (_, c: string) => c.toUpperCase());
  const entries = Object.entries(fields ?? {});
  return Object.fromEntries(entries.map(([name, v]) => [camel(name), fieldOf(name, v, message)]));
}

type MessageCase = Case & { to: string; message?: string; fields?: unknown };
const cases = load<MessageCase>("messages.json");

test.each(cases.filter((c) => c.to === "server" && c.message))("to the server: $name", (c) => {
  const message = { ...empty[c.message!], ...fieldsOf(c.fields, c.message!) } as Up;
  expect(encodeUp(message)).toBe(c.wire);
});

test.each(cases.filter((c) => c.to === "replica"))("to a replica: $name", (c) => {
  const want = c.message ? { ...empty[c.message], ...fieldsOf(c.fields, c.message) } : undefined;
  const read = (text: string): unknown => {
    const m = decodeDown(text);
    if (m.type !== "batch") return m;
    for (const { raw } of [m, ...m.parts]) expect(text).toContain(raw);
    return { ...m, raw: "", parts: m.parts.map((p) => ({ ...p, raw: "" })) };
  };
  spellings(c, read, want);
});

test("every message has its vector", () => {
  const told = new Set(cases.flatMap((c) => c.message ?? []));
  expect(Object.keys(empty).filter((name) => !told.has(name))).toEqual([]);
  expect([...told].filter((name) => !(name in empty))).toEqual([]);
});
