import type { Change, Outcome } from "../change.ts";
import type { AppCode, Code } from "../codes.ts";
import type { Record as ConflictRecord, Side } from "../conflict/conflict.ts";
import type {
  ChangeView,
  Conflict,
  ErrorInfo,
  OutcomeInfo,
  PendingChangeset,
  RejectedChangeset,
  Row,
  SqlValue,
} from "../database.ts";
import { TidemarkError } from "../error.ts";
import { describe } from "../replica/describe.ts";
import type { Pending } from "../replica/pending.ts";
import type { Rejected } from "../replica/reject.ts";
import type { Schema } from "../schema.ts";
import type { Row as Values } from "../value.ts";
import { shown } from "./statements.ts";

const cells = (row: Values | null): SqlValue[] => (row ?? []).map((v) => shown(v));

/** Changes as apps see them: values as in rows, edits that are no values in words. */
export function changesView(schema: Schema, changes: readonly Change[]): ChangeView[] {
  return describe(schema, changes, shown).map((view) => ({ set: {}, edit: {}, ...view }));
}

export function pendingView(schema: Schema, p: Pending): PendingChangeset {
  const { changes, ...rest } = p;
  return { ...rest, changes: changesView(schema, changes ?? []) };
}

export function rejectedView(schema: Schema, r: Rejected): RejectedChangeset {
  const { id, n, code, message, table, columns, seq, madeAt, at } = r;
  return {
    id,
    n,
    code,
    message,
    table,
    columns,
    seq,
    madeAt,
    at,
    key: cells(r.key),
    changes: changesView(schema, r.changes),
  };
}

export function outcomeInfo(o: Outcome): OutcomeInfo {
  const { n, kind, seq, message, table, columns } = o;
  // A newer server may have codes that this build does not know.
  return { n, kind, seq, code: o.code as Code | AppCode | "", message, table, key: cells(o.key), columns };
}

export function conflictView(c: ConflictRecord): Conflict {
  const { row: _, rows, ...rest } = c;
  const side = (name: "base" | "theirs" | "mine"): SqlValue | Row => (rows ? rowOf(rows[name]) : shown(c[name]));
  return { ...rest, key: cells(c.key), base: side("base"), theirs: side("theirs"), mine: side("mine") };
}

function rowOf(side: Side | null): Row | null {
  return side && Object.fromEntries([...side].map(([name, v]) => [name, shown(v)]));
}

export function errorInfo(err: unknown): ErrorInfo {
  if (err instanceof TidemarkError) return { code: err.code, message: err.message, hint: err.hint };
  return { code: "internal", message: err instanceof Error ? err.message : String(err), hint: "" };
}
