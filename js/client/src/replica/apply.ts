import type { Outcome, Seq } from "../change.ts";
import type { Database } from "../lite/database.ts";
import * as meta from "../meta/meta.ts";
import { scoped, tableByID } from "../schema.ts";
import type { Row } from "../value.ts";
import type { Batch } from "../wire/down.ts";
import { Attempt, type Job, noJob, type Piece, QUICK, run, TooNarrow, type Way, WHOLE } from "./attempt.ts";
import { Moved } from "./connection.ts";
import { flag, keyContact, keyHead, keyProven, keyRepair, store } from "./facts.ts";
import { checkFence } from "./identity.ts";
import { countInBlocks } from "./lease.ts";
import type { Pending } from "./pending.ts";
import type { Replica } from "./replica.ts";
import type { ScopeNews } from "./scope-list.ts";
import { partsOf, proveScopes } from "./scope-sums.ts";
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

  // Where scopes are declared.

  scopes: ScopeNews[];
  /** Keys of rows that left this copy without being deleted, by table. */
  left: Map<number, Row[]>;
  /** Changes in the chunk that was kept. */
  stagedRows: number;
  /** Chunks that were kept came in with it. */
  gathered: boolean;
}

/**
 * Applies a batch, with the outcomes that it settles, in one transaction, and
 * rebases pending on top. A chunk with `more` set is staged. A schema that the
 * replica does not have must have come with `saveSchema` before. Moved means
 * that the checkpoint is not where the batch begins, or that somebody else
 * holds the sync lease: say hello again.
 */
export function apply(r: Replica, b: Batch, outcomes: readonly Outcome[], now: number): Applied {
  if (b.more) return transaction(r, "apply", now, () => keep(r, b));
  return scrubbed(r, () => engineTransaction(r, "apply", now, () => bring(r, b, outcomes)));
}

/** Settles outcomes whose seq the replica has already reached. */
export function settle(r: Replica, outcomes: readonly Outcome[], now: number): Applied {
  return scrubbed(r, () =>
    engineTransaction(r, "settle", now, () => {
      checkFence(r);
      const seq = meta.getInt(r.db, meta.keySeq);
      const a = advance(r, { ...noJob, outcomes, seq });
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
  const stagedRows = parts.reduce((n, p) => n + p.changes.length, 0);
  return { ...nothing(b.from), staged: true, stagedRows };
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
    stagedRows: 0,
    gathered: false,
  };
}

function bring(r: Replica, b: Batch, outcomes: readonly Outcome[]): Applied {
  atCheckpoint(r, b.from);
  const parts = partsOf(r, b);
  const gathered = stagedCursor(r.db, b.from) !== "";
  function* changes(): Generator<Piece> {
    yield* staged(r.db, b.from);
    for (const p of parts) yield { scope: p.scope, message: -1, changes: p.changes };
  }
  const a = advance(r, { changes, leave: [], outcomes, seq: b.to, schema: b.schema });
  arrive(r, b, a);
  a.out.gathered = gathered;
  return a.out;
}

/** Makes sure that nobody else moved the file meanwhile. */
function atCheckpoint(r: Replica, from: Seq): void {
  checkFence(r);
  const seq = meta.getInt(r.db, meta.keySeq);
  if (seq !== from) throw new Moved(`the changes begin at seq ${from}, the file is at ${seq}`);
}

/** Moves the checkpoint and proves it. */
function arrive(r: Replica, b: Batch, a: Attempt): void {
  clearStage(r.db);
  prove(r, b, a);
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
function prove(r: Replica, b: Batch, a: Attempt): void {
  if (scoped(r.server)) {
    proveScopes(r, b, a);
    return;
  }
  const whole = a.damage.length === 0;
  const cut = partial(r);
  if (whole && !cut && a.tally.total() !== b.sum) countAnew(r, a.tally);
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
export function countAnew(r: Replica, tally: Tally): void {
  if (meta.get(r.db, keyRepair) !== "") return;
  if (tally.scopes) {
    tally.countScopes();
    return;
  }
  for (const t of r.schema.tables) if (t.out === "") tally.count(t);
}

/** Whether a table left syncing only here, so that no sum of the server's can be compared. */
export function partial(r: Replica): boolean {
  return r.schema.tables.some((t) => t.out !== "" && tableByID(r.server, t.id)?.out === "");
}

/**
 * Seals, then does the job in the narrowest way that holds. A way that proves
 * too narrow is undone and the next wider one taken.
 */
export function advance(r: Replica, job: Job): Attempt {
  seal(r);
  let way: Way = job.schema !== "" && job.schema !== r.server.hash ? WHOLE : QUICK;
  for (;;) {
    const a = new Attempt(r, way, job);
    try {
      r.db.savepoint("advance", () => run(a));
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
