import { type Change, DELETE } from "../change.ts";
import type { Code } from "../codes.ts";
import { TidemarkError } from "../error.ts";
import { keyID } from "../key.ts";
import { each, type Work } from "../lite/work.ts";
import { getInt, keySeq, keySum } from "../meta/meta.ts";
import { scan } from "../row/row.ts";
import { keyOf, scoped, type Table } from "../schema.ts";
import type { Row } from "../value.ts";
import { appendChanges } from "../wire/changes.ts";
import type { RangeSum } from "../wire/ranges.ts";
import { hashOf } from "../wire/wire.ts";
import { advance, partial } from "./apply.ts";
import { noJob } from "./attempt.ts";
import { idOf, synced } from "./base.ts";
import { type Differences, find } from "./differences.ts";
import { flag, keyProven, keyRepair, store } from "./facts.ts";
import { expelKeylessOf } from "./keyless.ts";
import { membersOf } from "./member.ts";
import { withoutMirrors } from "./mirror.ts";
import { compareKeys, within } from "./order.ts";
import { keepRejected } from "./reject.ts";
import type { Replica } from "./replica.ts";
import { seal } from "./seal.ts";
import { forgetSums, loadBase, newTally } from "./tally.ts";
import { engineTransaction, working } from "./transaction.ts";
import type { RangeRows } from "./verify.ts";

/**
 * Counts and sums confirmed rows as they are stored, pending laid aside: up to
 * and including the first bound, then up to the second, ..., then everything
 * behind the last. Where scopes are declared a sum also counts of each row in
 * which scopes it is.
 */
export function confirmedRanges(
  r: Replica,
  table: number,
  after: Row | null,
  upto: Row | null,
  bounds: readonly Row[],
): Work<RangeSum[]> {
  return working(r, "compare", 0, function* () {
    const list = Array.from({ length: bounds.length + 1 }, () => ({ count: 0, sum: 0n }));
    seal(r);
    const t = syncing(r, table);
    expelKeylessOf(r, t);
    const member = memberHashes(r);
    let i = 0;
    yield* confirmed(r, t, after, upto, (key, image, ordered) => {
      let at = ordered ? i : 0;
      while (at < bounds.length && compareKeys(t, key, bounds[at]!) > 0) at++;
      if (ordered) i = at;
      const into = list[at]!;
      into.count++;
      into.sum = BigInt.asUintN(64, into.sum + r.hasher.row(t, image) + member(t, key));
    });
    return list;
  });
}

export function syncing(r: Replica, table: number): Table {
  const t = synced(r.schema, table);
  if (!t) throw new TidemarkError("schema", `table ${table} does not sync here`);
  return t;
}

/** Passes the confirmed rows of a range: first those without pending, in key order, then those laid aside, in any order. */
export function* confirmed(
  r: Replica,
  t: Table,
  after: Row | null,
  upto: Row | null,
  fn: (key: Row, image: Row, ordered: boolean) => void,
): Work<void> {
  const base = loadBase(r.db, t);
  yield* scan(r.db, t, after, upto, 0, (image) => {
    const key = keyOf(t, image);
    if (base.size === 0 || !base.has(keyID(t, key))) fn(key, image, true);
  });
  yield* each(base.values(), (image) => {
    const key = image && keyOf(t, image);
    if (key && within(t, key, after, upto)) fn(key, image, false);
  });
}

/**
 * Puts the server's rows of several ranges in place of what the replica holds
 * as confirmed, in one transaction; what it cannot explain is saved as rejected
 * with the given code first. Returns how many rows differed.
 */
export function repairAll(r: Replica, list: readonly RangeRows[], code: Code, now: number): Work<number> {
  return withoutMirrors(r, () =>
    engineTransaction(r, "repair", now, function* () {
      seal(r);
      const d: Differences = { n: 0, theirs: [], mine: [] };
      for (const p of list) yield* find(r, d, p);
      if (d.n === 0) return 0;
      saveDifference(r, d.mine, code);
      const { tally } = yield* advance(r, { ...noJob, changes: () => d.theirs });
      // What differed was not in the sums as it was stored.
      if (tally.scopes) yield* tally.countScopes();
      tally.save();
      if (!tally.scopes) for (const p of list) forgetSums(r.db, p.table);
      return d.n;
    }),
  );
}

/** Sums, for a row, the hashes of the scopes that it is in. */
function memberHashes(r: Replica): (t: Table, key: Row) => bigint {
  if (!scoped(r.server)) return () => 0n;
  const names = new Map<number, string>();
  r.db.each("SELECT i, name FROM main._tm_scope", (s) => names.set(s.int(0), s.text(1)));
  return (t, key) => {
    let sum = 0n;
    for (const s of membersOf(r.db, idOf(t, key))) sum += r.hasher.member(t.id, keyID(t, key), names.get(s) ?? "");
    return sum;
  };
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
export function prove(r: Replica, now: number): Work<void> {
  return working(r, "prove", now, function* () {
    seal(r);
    r.db.run("DELETE FROM main._tm_digest");
    const tally = newTally(r);
    if (tally.scopes) yield* tally.countScopes();
    yield* tally.load();
    tally.save();
    const sum = BigInt.asIntN(64, tally.total());
    store(r.db, { [keySum]: sum, [keyProven]: flag(!partial(r)), [keyRepair]: "" });
  });
}
