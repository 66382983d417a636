import type { Outcome } from "../change.ts";
import { each, type Work } from "../lite/work.ts";
import { sameBytes } from "../value.ts";
import type { Attempt } from "./attempt.ts";
import { loadPending, type PendingRecord, removePending } from "./pending.ts";
import { saveRejected } from "./reject.ts";

/** A pending changeset with its outcome. */
export interface Settlement {
  readonly p: PendingRecord;
  readonly o: Outcome;
}

/**
 * Finds the pending changesets that the job's outcomes are about, in order. An
 * outcome whose hash is another's settles nothing: it speaks of a changeset of
 * another copy of this file. One that is settled already came twice.
 */
export function match(a: Attempt): void {
  const seen = new Set<number>();
  for (const o of a.job.outcomes) {
    if (seen.has(o.n) || o.seq > a.job.seq) continue;
    const p = loadPending(a.db, o.n);
    if (!p || !sameBytes(p.hash, o.hash)) continue;
    seen.add(o.n);
    a.settle.push({ p, o });
  }
  a.leaving = seen;
  a.settle.sort((x, y) => x.p.n - y.p.n);
}

/** Takes settled changesets out of pending. */
export function settleAll(a: Attempt): Work<void> {
  return each(a.settle, ({ p, o }) => {
    if (o.kind === "rejected") saveRejected(a.r, p, o);
    removePending(a.db, p.n);
    a.out.settled.push(o);
  });
}
