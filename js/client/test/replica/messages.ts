import type { Event } from "../../src/replica/loop.ts";
import type { Said } from "../../src/wire/down.ts";
import type { RangeSum } from "../../src/wire/ranges.ts";

type Fields<K extends Said["type"]> = Partial<Extract<Said, { type: K }>>;

export function down(message: Said | null): Event {
  return { type: "received", message };
}

export function welcome(fields: Fields<"welcome"> = {}): Event {
  return down({
    type: "welcome",
    protocol: 1,
    space: "",
    incarnation: "",
    term: "",
    replica: "",
    ticket: "",
    head: 0,
    schema: "",
    digestKey: new Uint8Array(16),
    time: 0,
    limits: { message: 0, changeset: 0, row: 0 },
    resync: false,
    principal: "",
    expires: 0,
    scopes: [],
    ask: 0,
    ...fields,
  });
}

export function refusal(code: string, fields: Fields<"refusal"> = {}): Event {
  return down({ type: "refusal", code, message: "why", hint: "", retry: 0, fatal: false, ...fields });
}

export function batch(from: number, to: number, fields: Fields<"batch"> = {}): Event {
  return down({
    type: "batch",
    from,
    to,
    term: "",
    schema: "",
    sum: 0n,
    more: false,
    cursor: "",
    changes: [],
    raw: "",
    parts: [],
    ...fields,
  });
}

export function sums(n: number): RangeSum[] {
  return Array.from({ length: n }, () => ({ count: 0, sum: 0n }));
}
