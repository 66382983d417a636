import { type Change, DELETE, INSERT, UPDATE } from "../change.ts";
import type { Code } from "../codes.ts";
import { TidemarkError } from "../error.ts";
import { keyID } from "../key.ts";
import { getInt, keySeq, keySum } from "../meta/meta.ts";
import { scan } from "../row/row.ts";
import { keyOf, type Table } from "../schema.ts";
import { type Row, same, sameRow } from "../value.ts";
import { appendChanges } from "../wire/changes.ts";
import type { RangeSum } from "../wire/ranges.ts";
import { hashOf } from "../wire/wire.ts";
import { advance, partial } from "./apply.ts";
import { type Images, idOf, inOrder, synced } from "./base.ts";
import { flag, keyProven, keyRepair, store } from "./facts.ts";
import { checkFence } from "./identity.ts";
import { expelKeylessOf } from "./keyless.ts";
import { withoutMirrors } from "./mirror.ts";
import { compareKeys, within } from "./order.ts";
import { keepRejected } from "./reject.ts";
import type { Replica } from "./replica.ts";
import { seal } from "./seal.ts";
import { forgetSums, loadBase, newTally } from "./tally.ts";
import { engineTransaction, transaction } from "./transaction.ts";
import type { RangeRows } from "./verify.ts";

/**
 * Counts and sums confirmed rows as they are stored, pending laid aside: up to
 * and including the first bound, then up to the second, ..., then everything
 * behind the last.
 */
export function confirmedRanges(
  r: Replica,
  table: number,
  after: Row | null,
  upto: Row | null,
  bounds: readonly Row[],
): RangeSum[] {
  const list = Array.from({ length: bounds.length + 1 }, () => ({ count: 0, sum: 0n }));
  transaction(r, "compare", 0, () => {
    seal(r);
    const t = syncing(r, table);
    expelKeylessOf(r, t);
    let i = 0;
    confirmed(r, t, after, upto, (key, image, ordered) => {
      let at = ordered ? i : 0;
      while (at < bounds.length && compareKeys(t, key, bounds[at]!) > 0) at++;
      if (ordered) i = at;
      const into = list[at]!;
      into.count++;
      into.sum = BigInt.asUintN(64, into.sum + r.hasher.row(t, image));
    });
  });
  return list;
}

function syncing(r: Replica, table: number): Table {
  const t = synced(r.schema, table);
  if (!t) throw new TidemarkError("schema", `table ${table} does not sync here`);
  return t;
}

/** Passes the confirmed rows of a range: first those without pending, in key order, then those laid aside, in any order. */
function confirmed(
  r: Replica,
  t: Table,
  after: Row | null,
  upto: Row | null,
  fn: (key: Row, image: Row, ordered: boolean) => void,
): void {
  const base = loadBase(r.db, t);
  scan(r.db, t, after, upto, 0, (image) => {
    const key = keyOf(t, image);
    if (base.size === 0 || !base.has(keyID(t, key))) fn(key, image, true);
  });
  for (const image of base.values()) {
    if (!image) continue;
    const key = keyOf(t, image);
    if (within(t, key, after, upto)) fn(key, image, false);
  }
}

/**
 * Puts the server's rows of several ranges in place of what the replica holds
 * as confirmed, in one transaction; what it cannot explain is saved as rejected
 * with the given code first. Returns how many rows differed.
 */
export function repairAll(r: Replica, list: readonly RangeRows[], code: Code, now: number): number {
  return withoutMirrors(r, () =>
    engineTransaction(r, "repair", now, () => {
      checkFence(r);
      seal(r);
      const found = list.map((p) => differences(r, p));
      const theirs = found.flatMap((d) => d.theirs);
      if (theirs.length === 0) return 0;
      saveDifference(
        r,
        found.flatMap((d) => d.mine),
        code,
      );
      advance(r, { changes: () => [theirs], outcomes: [], seq: 0, schema: "" }).tally.save();
      // What differed was not in the sums as it was stored.
      for (const p of list) forgetSums(r.db, p.table);
      return theirs.length;
    }),
  );
}

/** Compares a range: theirs makes the replica's rows the server's, mine the other way round. */
function differences(r: Replica, p: RangeRows): { theirs: Change[]; mine: Change[] } {
  const t = syncing(r, p.table);
  const here: Images = new Map();
  const there: Images = new Map();
  confirmed(r, t, p.after, p.upto, (key, image) => here.set(idOf(t, key), image));
  for (const image of p.rows) there.set(idOf(t, keyOf(t, image)), image);
  const theirs: Change[] = [];
  const mine: Change[] = [];
  for (const id of inOrder(new Set([...here.keys(), ...there.keys()]))) {
    const a = here.get(id) ?? null;
    const b = there.get(id) ?? null;
    if (sameRow(a, b)) continue;
    theirs.push(stepTo(t, a, b));
    mine.push(stepTo(t, b, a));
  }
  return { theirs, mine };
}

/** The change that makes one image the other; one of the two is a row. */
function stepTo(t: Table, from: Row | null, to: Row | null): Change {
  const change = { table: t.id, columns: [], values: [], old: null, edits: null, madeAt: 0 };
  if (!to) return { ...change, op: DELETE, key: keyOf(t, from ?? []) };
  if (!from) return { ...change, op: INSERT, key: keyOf(t, to), values: [...to] };
  const columns = to.flatMap((v, i) => (same(v, from[i] ?? null) ? [] : [i]));
  return { ...change, op: UPDATE, key: keyOf(t, from), columns, values: columns.map((c) => to[c]!) };
}

/**
 * Keeps what the copy had. After a restore, rows that only the server has stand
 * apart: most of them are new there, and who asks for what the server lost does
 * not ask for them to be deleted.
 */
function saveDifference(r: Replica, mine: readonly Change[], code: Code): void {
  if (code !== "recovered") {
    keepDifference(r, mine, code, "of this copy differed from the server's without a cause that was recorded");
    return;
  }
  const had = mine.filter((c) => c.op !== DELETE);
  const lacked = mine.filter((c) => c.op === DELETE);
  const beyond = "of this copy went beyond what the server's file knows, which was put back from a backup";
  keepDifference(r, had, code, beyond);
  const extra = "that this copy did not have came with the server's backup, or are new since: a retry deletes them";
  keepDifference(r, lacked, code, extra);
}

function keepDifference(r: Replica, mine: readonly Change[], code: Code, why: string): void {
  if (mine.length === 0) return;
  const body = appendChanges(mine, false);
  const rows = mine.length === 1 ? "1 row" : `${mine.length} rows`;
  const rejected = {
    id: 0,
    n: 0,
    code,
    message: `${rows} ${why}`,
    table: "",
    key: null,
    columns: [],
    seq: getInt(r.db, keySeq),
    madeAt: r.now,
    at: r.now,
    schema: r.server.hash,
    changes: [],
  };
  keepRejected(r, rejected, hashOf(new Uint8Array(8), body), body);
}

/**
 * Recomputes the sums from the stored rows, because every row was just found
 * equal to the server's, and takes the mark for repair away.
 */
export function prove(r: Replica, now: number): void {
  transaction(r, "prove", now, () => {
    seal(r);
    r.db.run("DELETE FROM main._tm_digest");
    const tally = newTally(r);
    tally.load();
    tally.save();
    const sum = BigInt.asIntN(64, tally.total());
    store(r.db, { [keySum]: sum, [keyProven]: flag(!partial(r)), [keyRepair]: "" });
  });
}
