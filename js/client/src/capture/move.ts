import { type Row, sameRow } from "../value.ts";
import type { Pass, RowChange, RowState } from "./segment.ts";

/**
 * Says where a row went; netting follows the moves forward to learn which row
 * at the end is which row of the beginning.
 */
export interface Move {
  readonly kind: "appears" | "disappears" | "moved";
  readonly id: string;
  /** Of "moved" only. */
  readonly to: string;
}

/** Compares the two ends of the pass's segment. */
export function net(p: Pass): RowChange[] {
  const out: RowChange[] = [];
  const add = (r: RowState, before: Row | null, after: Row | null, editedAt: number) => {
    if (!sameRow(before, after)) out.push({ table: r.table, before, after, editedAt });
  };
  p.touched.sort(order);
  const { from, left } = links(p);
  for (const r of p.touched) {
    const before = left.has(r.id) ? null : r.now; // else told as the beginning of the row that left
    const at = r.at || r.last;
    const o = p.rows.get(from.get(r.id) ?? "");
    if (!o) {
      add(r, before, r.after, at);
      continue;
    }
    add(r, before, null, at); // what was here made room
    add(r, o.now, r.after, Math.max(at, o.at || o.last));
  }
  return out;
}

/** Puts rows in the order of their oldest record. */
function order(a: RowState, b: RowState): number {
  if (a.first !== b.first) return a.first - b.first;
  return a.table.id - b.table.id || (a.id < b.id ? -1 : 1);
}

/**
 * Finds the rows that ended under another key than they began with: `from`
 * gives each its old place, `left` lists the places that they left. Where the
 * same row stands at both ends, nothing moved that anyone could see.
 */
function links(p: Pass): { from: Map<string, string>; left: Set<string> } {
  const from = new Map<string, string>();
  const left = new Set<string>();
  if (!p.moves.some((m) => m.kind === "moved")) return { from, left };
  const origin = origins(p.moves);
  for (const r of p.touched) {
    const o = origin.get(r.id);
    if (o === undefined || o === r.id || left.has(o)) continue;
    if (!p.rows.get(o)?.now || !r.after || (r.now && sameRow(r.now, r.after))) continue;
    from.set(r.id, o);
    left.add(o);
  }
  return { from, left };
}

/**
 * For the rows that were moved or made, which key they had when the segment
 * began; "" means that they are new. A row that is not listed has always been
 * where it is.
 */
function origins(moves: readonly Move[]): Map<string, string> {
  const at = new Map<string, string>();
  for (let i = moves.length - 1; i >= 0; i--) {
    const m = moves[i]!;
    if (m.kind !== "moved") at.set(m.id, "");
    else if (m.id !== m.to) {
      at.set(m.to, at.get(m.id) ?? m.id);
      at.set(m.id, "");
    }
  }
  return at;
}
