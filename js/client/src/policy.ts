import type { Change, Edit } from "./change.ts";
import type { Policy, Table } from "./schema.ts";

/** The policy by which column c merges. */
export function policyOf(t: Table, c: number): Policy {
  return t.columns[c]!.policy || (t.policy.columns !== "append-only" && t.policy.columns) || "last-write";
}

/** The places of all columns that merge as one unit with c, in order; only c when it stands alone. */
export function groupOf(t: Table, c: number): number[] {
  const name = t.columns[c]!.group;
  return name ? t.columns.flatMap((x, i) => (x.group === name ? [i] : [])) : [c];
}

/** What an update means by its i-th column; null: it is set. */
export function editOf(c: Change, i: number): Edit | null {
  return c.edits?.[i] ?? null;
}
