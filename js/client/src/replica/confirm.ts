import { type Change, INSERT } from "../change.ts";
import { each, type Work } from "../lite/work.ts";
import { type Row, sameRow } from "../value.ts";
import { type Attempt, CONNECTED, checkSteps, narrow } from "./attempt.ts";
import { baseImage, dropBase, type Images, idOf, inOrder, keyAfter, type RowID, setBase, synced } from "./base.ts";
import { bringIn, confirmedAfter } from "./incoming.ts";
import { stillPending } from "./rebase.ts";
import { unfold } from "./renumber.ts";
import { settleAll } from "./settle.ts";

/**
 * The quick way. Rows without pending are written. Rows with pending must be
 * exactly what the settled changesets already show; then nothing that a reader
 * can see changes, and only bookkeeping is left to do.
 */
export function* confirm(a: Attempt): Work<void> {
  const foretold = yield* foretell(a);
  const now: Images = new Map();
  const check = (id: RowID): void => {
    if (!foretold.has(id)) narrow(a, CONNECTED, "a row with pending changed");
  };
  yield* bringIn(a, { rows: now, check });
  yield* each(foretold, ([id, want]) => {
    const image = now.has(id) ? now.get(id)! : (baseImage(a.db, id) ?? null);
    if (!sameRow(want, image)) narrow(a, CONNECTED, "a settled change is not confirmed");
  });
  yield* settleAll(a);
  yield* dropSettled(a, foretold);
  checkSteps(a);
}

/** Folds the settled changesets over the confirmed images of their rows. */
function* foretell(a: Attempt): Work<Images> {
  const rows: Images = new Map();
  for (const { p, o } of a.settle) {
    if (o.kind === "rejected" || p.suspended) narrow(a, CONNECTED, "a changeset has to be undone");
    yield* each(unfold(a.r, p), (c) => foretellChange(a, rows, c));
  }
  return rows;
}

function foretellChange(a: Attempt, rows: Images, c: Change): void {
  const t = synced(a.r.schema, c.table);
  if (!t) return;
  if (c.op === INSERT && c.values.length < t.columns.length) {
    narrow(a, CONNECTED, "a changeset of an older schema");
  }
  const from = idOf(t, c.key);
  const to = idOf(t, keyAfter(t, c));
  for (const id of [from, to]) if (!rows.has(id)) rows.set(id, baseImage(a.db, id) ?? null);
  let after: Row | null = null;
  try {
    after = confirmedAfter(t, rows.get(from) ?? null, c);
  } catch (err) {
    narrow(a, CONNECTED, String(err));
  }
  if (from !== to) rows.set(from, null);
  rows.set(to, after);
}

/** Moves the confirmed images of settled rows on. */
function dropSettled(a: Attempt, foretold: Images): Work<void> {
  return each(inOrder(foretold.keys()), (id) => {
    if (stillPending(a, id)) setBase(a.db, id, foretold.get(id) ?? null);
    else dropBase(a.db, id);
  });
}
