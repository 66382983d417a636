import type { Conflict, OutcomeInfo, PendingChangeset, RejectedChangeset, Risk, Status } from "../database.ts";
import type { WatchCost } from "../watch/watches.ts";
import { Redactor } from "./redact.ts";

/** What the inspector knows. */
export interface Findings {
  readonly at: number;
  readonly status: Status;
  readonly pending: readonly PendingChangeset[];
  readonly rejected: readonly RejectedChangeset[];
  readonly conflicts: readonly Conflict[];
  readonly outcomes: readonly { readonly at: number; readonly outcome: OutcomeInfo }[];
  readonly risks: readonly Risk[];
  readonly watches: readonly WatchCost[];
  /** Of the machine: names and numbers. */
  readonly environment: Readonly<Record<string, string | number | boolean>>;
}

/** A report for people who are to help, as JSON text: everything but the values. */
export function report(f: Findings): string {
  const r = new Redactor();
  const { server, space, replica, error, ...status } = f.status;
  const document = {
    report: "tidemark inspector",
    values: "taken out: types, lengths and numbered keys stand in their place",
    at: new Date(f.at).toISOString(),
    environment: f.environment,
    status: {
      ...status,
      server: server === "" ? "none" : "given",
      space: r.value(space),
      scopes: status.scopes.map((s) => ({ ...s, scope: r.scope(s.scope) })),
      replica,
      error: error && { ...error, message: r.message(error.message) },
    },
    pending: f.pending.map(({ cause, changes, ...p }) => ({
      ...p,
      cause: r.message(cause),
      changes: changes.map((c) => r.change(c)),
    })),
    rejected: f.rejected.map(({ key, message, changes, ...p }) => ({
      ...p,
      key: r.key(p.table, key),
      message: r.outcome(p.code, message),
      changes: changes.map((c) => r.change(c)),
    })),
    conflicts: f.conflicts.map(({ id, key, base, theirs, mine, theirsBy, mineBy, author, ...c }) => ({
      ...c,
      id: r.key("conflict", [id]),
      key: r.key(c.table, key),
      base: r.side(base),
      theirs: r.side(theirs),
      mine: r.side(mine),
      by: [theirsBy, mineBy, author].map((who) => r.key("person", [who])),
    })),
    outcomes: f.outcomes.map(({ at, outcome: { key, message, ...o } }) => ({
      at,
      ...o,
      key: r.key(o.table, key),
      message: r.outcome(o.code, message),
    })),
    risks: f.risks.map((k) => ({ ...k, message: r.message(k.message) })),
    watches: f.watches.map((w) => ({ ...w, sql: r.sql(w.sql) })),
  };
  return JSON.stringify(document, null, 2);
}
