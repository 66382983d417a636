import type { Outcome, Seq } from "../change.ts";
import type { Database } from "../lite/database.ts";
import { step, type Work } from "../lite/work.ts";
import * as meta from "../meta/meta.ts";
import { scoped, tableByID } from "../schema.ts";
import type { Row } from "../value.ts";
import type { Batch } from "../wire/down.ts";
import { Attempt, type Job, noJob, type Piece, QUICK, run, TooNarrow, type Way, WHOLE } from "./attempt.ts";
import { Moved } from "./connection.ts";
import { flag, keyContact, keyHead, keyProven, keyRepair, store } from "./facts.ts";
import { countInBlocks } from "./lease.ts";
import type { Pending } from "./pending.ts";
import type { Replica } from "./replica.ts";
import type { ScopeNews } from "./scope-list.ts";
import { partsOf, proveScopes, rowsIn } from "./scope-sums.ts";
import { scrubbed } from "./scrub.ts";
import { seal } from "./seal.ts";
import { clearStage, stage, staged, stagedCursor } from "./stage.ts";
import type { Tally } from "./tally.ts";
import { engineTransaction, transaction } from "./transaction.ts";

/** What a batch did. */
export interface Applied {
  seq: Seq;
  /** Ids of the tables whose rows changed, in order. */
  tables: number[];
  settled: Outcome[];
  suspended: Pending[];
  resumed: number[];
  /** Not empty: the copy differs from the server, and why. */
  repair: string;
  /** Kept for later, nothing is visible yet. */
  staged: boolean;
  /** The schema changed. */
  schema: boolean;
  /** Objects of a new schema that could not be made, each with its reason. */
  skipped: string[];
  /** That the batch or chunk told of, own ones included. */
  rows: number;

  // Where scopes are declared.

  scopes: ScopeNews[];
  /** Keys of rows that left this copy without being deleted, by table. */
  left: Map<number, Row[]>;
  /** Chunks that were kept came in with it. */
  gathered: boolean;
}

/**
 * Applies a batch, with the outcomes that it settles, in one transaction, and
 * rebases pending on top. A chunk with `more` set is staged. A schema that the
 * replica does not have must have come with `saveSchema` before. Moved means
 * that the checkpoint is not where the batch begins: say hello again.
 */
export function apply(r: Replica, b: Batch, outcomes: readonly Outcome[], now: number): Work<Applied> {
  if (b.more) return step(() => transaction(r, "apply", now, () => keep(r, b)));
  return scrubbed(r, () => engineTransaction(r, "apply", now, () => bring(r, b, outcomes)));
}

/** Settles outcomes whose seq the replica has already reached. */
export function settle(r: Replica, outcomes: readonly Outcome[], now: number): Work<Applied> {
  return scrubbed(r, () =>
    engineTransaction(r, "settle", now, function* () {
      const seq = meta.getInt(r.db, meta.keySeq);
      const a = yield* advance(r, { ...noJob, outcomes, seq });
      a.tally.save();
      a.out.seq = seq;
      return a.out;
    }),
  );
}

function keep(r: Replica, b: Batch): Applied {
  atCheckpoint(r, b.from);
  const parts = partsOf(r, b);
  stage(r, b);
  return { ...nothing(b.from), staged: true, rows: rowsIn(r, parts) };
}

/** What changed nothing. */
export function nothing(seq: Seq): Applied {
  return {
    seq,
    tables: [],
    settled: [],
    suspended: [],
    resumed: [],
    repair: "",
    staged: false,
    schema: false,
    skipped: [],
    scopes: [],
    left: new Map(),
    rows: 0,
    gathered: false,
  };
}

/** What two steps of one transaction did. */
export function joined(a: Applied, b: Applied): Applied {
  const left = new Map(a.left);
  for (const [t, rows] of b.left) left.set(t, [...(left.get(t) ?? []), ...rows]);
  return {
    ...b,
    tables: [...new Set([...a.tables, ...b.tables])].sort((x, y) => x - y),
    settled: [...a.settled, ...b.settled],
    suspended: [...a.suspended, ...b.suspended],
    resumed: [...a.resumed, ...b.resumed],
    repair: b.repair || a.repair,
    scopes: [...a.scopes, ...b.scopes],
    left,
  };
}

function* bring(r: Replica, b: Batch, outcomes: readonly Outcome[]): Work<Applied> {
  atCheckpoint(r, b.from);
  const parts = partsOf(r, b);
  const gathered = stagedCursor(r.db, b.from) !== "";
  function* changes(): Generator<Piece> {
    yield* staged(r.db, b.from);
    for (const p of parts) yield { scope: p.scope, message: -1, changes: p.changes };
  }
  const a = yield* advance(r, { changes, leave: [], outcomes, seq: b.to, schema: b.schema });
  yield* arrive(r, b, a);
  a.out.gathered = gathered;
  a.out.rows = rowsIn(r, parts);
  return a.out;
}

/** Makes sure that nobody else moved the file meanwhile. */
function atCheckpoint(r: Replica, from: Seq): void {
  const seq = meta.getInt(r.db, meta.keySeq);
  if (seq !== from) throw new Moved(`the changes begin at seq ${from}, the file is at ${seq}`);
}

/** Moves the checkpoint and proves it. */
function* arrive(r: Replica, b: Batch, a: Attempt): Work<void> {
  clearStage(r.db);
  yield* prove(r, b, a);
  const head = meta.getInt(r.db, keyHead);
  // A table that was made anew counts from the beginning.
  if (a.next) countInBlocks(r);
  a.out.seq = b.to;
  store(r.db, {
    [meta.keySeq]: BigInt(b.to),
    [meta.keyTerm]: b.term,
    [keyHead]: BigInt(Math.max(head, b.to)),
    [keyContact]: BigInt(r.now),
  });
}

/**
 * Compares the sums at a checkpoint. Incremental sums can be wrong where
 * something changed a row behind capture's back and the row was then written
 * again; so before the copy is called different, its rows are counted anew.
 */
function* prove(r: Replica, b: Batch, a: Attempt): Work<void> {
  if (scoped(r.server)) {
    yield* proveScopes(r, b, a);
    return;
  }
  const whole = a.damage.length === 0;
  const cut = partial(r);
  if (whole && !cut && a.tally.total() !== b.sum) yield* countAnew(r, a.tally);
  a.tally.save();
  const sum = a.tally.total();
  const proven = whole && !cut && sum === b.sum;
  if (!proven && !(whole && cut)) a.out.repair = a.damage[0] ?? `the rows differ from the server's at seq ${b.to}`;
  store(r.db, {
    [meta.keySum]: BigInt.asIntN(64, sum),
    [keyProven]: flag(proven),
    ...((proven || a.out.repair !== "") && { [keyRepair]: a.out.repair }),
  });
}

/**
 * Counts every table, unless the copy is marked for repair already: then all
 * rows are going to be compared anyway.
 */
export function* countAnew(r: Replica, tally: Tally): Work<void> {
  if (meta.get(r.db, keyRepair) !== "") return;
  if (tally.scopes) {
    yield* tally.countScopes();
    return;
  }
  for (const t of r.schema.tables) if (t.out === "") yield* tally.count(t);
}

/** Whether a table left syncing only here, so that no sum of the server's can be compared. */
export function partial(r: Replica): boolean {
  return r.schema.tables.some((t) => t.out !== "" && tableByID(r.server, t.id)?.out === "");
}

/**
 * Seals, then does the job in the narrowest way that holds. A way that proves
 * too narrow is undone and the next wider one taken.
 */
export function* advance(r: Replica, job: Job): Work<Attempt> {
  seal(r);
  let way: Way = job.schema !== "" && job.schema !== r.server.hash ? WHOLE : QUICK;
  for (;;) {
    const a = new Attempt(r, way, job);
    try {
      yield* r.db.trying("advance", () => run(a));
    } catch (err) {
      if (!(err instanceof TooNarrow)) throw err;
      way = err.take;
      continue;
    }
    touch(a);
    return a;
  }
}

/** Counts up the tables whose rows changed, for other processes, and lists them. */
export function touch(a: Attempt): void {
  a.out.tables = countTouched(a.db, a.tables);
}

/** Counts tables up in _tm_touch and lists them in order. */
export function countTouched(db: Database, tables: Iterable<number>): number[] {
  const ids = [...tables].sort((x, y) => x - y);
  for (const id of ids) {
    db.run(
      `INSERT OR REPLACE INTO main._tm_touch (t, counter)
        VALUES (?1, 1 + coalesce((SELECT counter FROM main._tm_touch WHERE t = ?1), 0))`,
      BigInt(id),
    );
  }
  return ids;
}
