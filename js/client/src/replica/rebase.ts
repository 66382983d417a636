import { violation } from "../lite/failure.ts";
import { each, type Work } from "../lite/work.ts";
import type { Table } from "../schema.ts";
import { type Row, sameRow } from "../value.ts";
import { type Attempt, checkSteps, narrow, readRow, visible, WHOLE } from "./attempt.ts";
import { baseImage, dropBase, type RowID, rowArgs, setBase, synced, tableOf } from "./base.ts";
import { concerned } from "./closure.ts";
import { fit } from "./fit.ts";
import { foresee } from "./forecast.ts";
import { bringIn } from "./incoming.ts";
import { noteMoved } from "./intent.ts";
import { forbidden, loseArrivals } from "./lost.ts";
import { Misfit } from "./misfit.ts";
import type { PendingRecord } from "./pending.ts";
import { RowWriter } from "./put.ts";
import { reconcileObjects, reconcileOut, reconcileTables } from "./reconcile.ts";
import { built, noteTaken, numberGone, stand, unfolded } from "./renumber.ts";
import { settleAll } from "./settle.ts";

/**
 * Puts rows back to what is confirmed, brings the confirmed rows in, settles,
 * and puts pending back on top.
 */
export function* rebase(a: Attempt): Work<void> {
  reconcileOut(a);
  const { ns, ids } = yield* concerned(a);
  yield* layBack(a, ids);
  yield* reconcileTables(a);
  yield* bringIn(a, null);
  reconcileObjects(a);
  yield* settleAll(a);
  loseArrivals(a);
  yield* keepConfirmed(a, ids);
  yield* foresee(a);
  yield* putBack(a, ns);
  yield* compareShown(a, ids);
}

/** Sets rows to their confirmed images. */
function* layBack(a: Attempt, ids: readonly RowID[]): Work<void> {
  const w = new RowWriter(a.db, true);
  yield* each(ids, (id) => {
    const t = synced(a.r.schema, tableOf(id));
    if (!t) return;
    const now = readRow(a, t, id);
    const confirmed = baseImage(a.db, id) ?? null;
    a.undone.set(id, now);
    a.old.set(id, confirmed);
    if (!sameRow(now, confirmed)) w.set(t, id, now, confirmed);
  });
  yield* w.finishing((t, _id, _after, why) => refusedConfirmed(a, t, why));
}

/**
 * Judges the refusal of a confirmed row: a pending one is in its way, or, when
 * there is none, the copy differs from the server.
 */
export function refusedConfirmed(a: Attempt, t: Table, why: unknown): void {
  const message = violation(why)?.message ?? "";
  narrow(a, WHOLE, message);
  a.damage.push(`a confirmed row of ${t.name} cannot be written: ${message}`);
}

/**
 * Keeps the new confirmed images of rows that pending still touches. The
 * tables show them at this moment.
 */
function keepConfirmed(a: Attempt, ids: readonly RowID[]): Work<void> {
  return each(ids, (id) => {
    const t = synced(a.r.schema, tableOf(id));
    if (t && stillPending(a, id)) setBase(a.db, id, readRow(a, t, id));
    else dropBase(a.db, id);
  });
}

/** Whether a pending changeset touches a row. */
export function stillPending(a: Attempt, id: RowID): boolean {
  const query = "SELECT EXISTS (SELECT 1 FROM main._tm_pending_row WHERE t = ?1 AND key = ?2)";
  return a.db.int(query, ...rowArgs(id)) !== 0;
}

/** Finds out which rows readers see differently after the rebase. */
function* compareShown(a: Attempt, ids: readonly RowID[]): Work<void> {
  yield* each(ids, (id) => {
    const t = synced(a.r.schema, tableOf(id));
    if (!t) return;
    const now = readRow(a, t, id);
    const before: Row | null = a.undone.get(id) ?? null;
    if (sameRow(before, now)) return;
    noteMoved(a, id, before, now);
    visible(a, t, before, now);
  });
  checkSteps(a);
}

/** Applies pending changesets in order, each if it fits. */
function putBack(a: Attempt, ns: readonly number[]): Work<void> {
  return each(ns, (n) => {
    if (a.leaving.has(n)) {
      a.forecast?.settled(n);
      return;
    }
    const p = unfolded(a.r, n);
    if (p) putBackOne(a, p);
  });
}

function putBackOne(a: Attempt, p: PendingRecord): void {
  const was = p.suspended;
  const m = tryOne(a, p);
  if (!m) {
    stand(a, p);
    resume(a, p);
  } else {
    narrow(a, WHOLE, m.is.message);
    a.down.add(a.r.schema, p.n, p.changes ?? []);
    noteTaken(a, p);
    suspend(a, p, m.cause());
  }
  a.forecast?.putBack(p, was);
}

/** Puts a changeset on top as the server is expected to take it, or says why it does not fit. */
function tryOne(a: Attempt, p: PendingRecord): Misfit | null {
  if (p.suspended && p.cause === "stale") {
    // What they changed stays changed: only the server's word is to come.
    return new Misfit({ code: "stale", message: "somebody else changed the same meanwhile" });
  }
  const m = forbidden(a, p) ?? numberGone(a, p) ?? built(a, p) ?? a.forecast?.adapt(p) ?? null;
  if (m) return m;
  try {
    a.db.savepoint("fit", () => fit(a, p.changes ?? [], false));
    return null;
  } catch (err) {
    if (err instanceof Misfit) return err;
    throw err;
  }
}

function suspend(a: Attempt, p: PendingRecord, cause: string): void {
  const was = p.suspended;
  if (was && p.cause === cause) return;
  p.suspended = true;
  p.cause = cause;
  if (!was) a.out.suspended.push(p.public());
  markPending(a, p);
}

function resume(a: Attempt, p: PendingRecord): void {
  if (!p.suspended) return;
  p.suspended = false;
  p.cause = "";
  a.out.resumed.push(p.n);
  markPending(a, p);
}

function markPending(a: Attempt, p: PendingRecord): void {
  a.db.run(
    "UPDATE main._tm_pending SET suspended = ?1, cause = ?2 WHERE n = ?3",
    p.suspended ? 1n : 0n,
    p.cause,
    BigInt(p.n),
  );
}
