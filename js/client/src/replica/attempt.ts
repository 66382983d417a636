import type { Change, Outcome, Seq } from "../change.ts";
import { TidemarkError } from "../error.ts";
import { parseKeyID } from "../key.ts";
import type { Database } from "../lite/database.ts";
import type { Work } from "../lite/work.ts";
import { get } from "../row/row.ts";
import type { Move } from "../schema/compare.ts";
import type { Schema, Table } from "../schema.ts";
import type { Patch } from "../splice/splice.ts";
import type { Row } from "../value.ts";
import { type Applied, nothing } from "./apply.ts";
import { anyBase, type Images, keyIDOf, type RowID } from "./base.ts";
import { confirm } from "./confirm.ts";
import type { Forecast } from "./forecast.ts";
import { Held } from "./held.ts";
import type { Source } from "./member.ts";
import { Fallen } from "./misfit.ts";
import { rebase } from "./rebase.ts";
import { forgetRenumbered, renumber } from "./renumber.ts";
import type { Replica } from "./replica.ts";
import { noteLeft } from "./scrub.ts";
import { match, type Settlement } from "./settle.ts";
import { newTally, type Tally } from "./tally.ts";

/** Undoes nothing. It holds when the confirmed rows meet no pending, or only confirm what settled changesets show. */
export const QUICK = 0;
/**
 * Undoes the pending changesets that touch the confirmed rows and those that
 * share rows with them, and so on. It holds while no unique value and no
 * foreign key reaches from them to the others.
 */
export const CONNECTED = 1;
/** Undoes all pending: always right. */
export const WHOLE = 2;

/** How much of pending is undone to write confirmed rows, from narrow to wide. */
export type Way = typeof QUICK | typeof CONNECTED | typeof WHOLE;

/** Ends an attempt: pending is concerned beyond its rows. */
export class TooNarrow {
  readonly take: Way;
  readonly why: string;

  constructor(take: Way, why: string) {
    this.take = take;
    this.why = why;
  }
}

/** Confirmed changes that come from one place. */
export interface Piece extends Source {
  readonly changes: readonly Change[];
}

/** What one transaction does to the confirmed rows. */
export interface Job {
  /** Confirmed changes, in order; may be read more than once. */
  readonly changes: () => Iterable<Piece>;
  /** Rows that are in no scope any more. */
  readonly leave: readonly RowID[];
  readonly outcomes: readonly Outcome[];
  /** Where the replica is afterwards. */
  readonly seq: Seq;
  /** Schema at seq, "" when it stays. */
  readonly schema: string;
}

/** A visible change of a row in a table that foreign keys link with pending. */
interface Step {
  readonly t: Table;
  readonly before: Row | null;
  readonly after: Row | null;
}

/** Does a job in one way, inside a savepoint. */
export class Attempt {
  readonly r: Replica;
  readonly db: Database;
  readonly job: Job;
  readonly way: Way;
  readonly out: Applied = nothing(0);
  /** Whose visible rows changed. */
  readonly tables = new Set<number>();
  readonly tally: Tally;
  readonly settle: Settlement[] = [];
  /** Numbers of the changesets that leave pending in this job. */
  leaving: ReadonlySet<number> = new Set();
  /** What could not be written although it is confirmed. */
  readonly damage: string[] = [];

  /** Tables that pending touches. */
  readonly pending = new Set<number>();
  /** Tables that suspended changesets may depend on. */
  suspended: ReadonlySet<number> = new Set();
  /** Pending is short enough to be tried as a whole. */
  short = false;
  readonly held: Held;
  readonly steps: Step[] = [];

  /** Rows of pending that got other ids, by the old and the new ones. */
  readonly renamed = new Set<RowID>();
  /** What the tables showed of rows laid back. */
  readonly undone: Images = new Map();
  /** What was confirmed of them. */
  readonly old: Images = new Map();
  /** What confirmed changes did to texts of rows laid back, by `cellOf`. */
  readonly over = new Map<string, Patch>();
  /** Texts that were replaced as a whole. */
  readonly replaced = new Set<string>();

  /** What becomes of pending; null where policies do not matter. */
  forecast: Forecast | null = null;
  /** Suspended in this rebase. */
  readonly down = new Fallen();

  /** Rows that the job deletes. */
  readonly died = new Set<RowID>();
  /** Rows that leave the copy without being deleted, with their keys. */
  readonly left = new Map<RowID, Row>();

  /** The schema that the job brings, with its body and what changes; null when it stays. */
  next: { readonly schema: Schema; readonly body: Uint8Array; readonly move: Move } | null = null;

  constructor(r: Replica, way: Way, job: Job) {
    this.r = r;
    this.db = r.db;
    this.way = way;
    this.job = job;
    this.tally = newTally(r);
    this.held = new Held(r.db);
  }
}

/** A job that changes nothing, for retries. */
export const noJob: Job = { changes: () => [], leave: [], outcomes: [], seq: 0, schema: "" };

/** Names a cell in maps. */
export function cellOf(id: RowID, col: number): string {
  return `${col}|${id}`;
}

/** Does the job. Throws TooNarrow where the way is. */
export function* run(a: Attempt): Work<void> {
  yield* a.tally.load();
  match(a);
  renumber(a);
  survey(a);
  yield* a.way === QUICK ? confirm(a) : rebase(a);
  noteLeft(a);
  forgetRenumbered(a);
}

/** Finds out which tables pending concerns. */
function survey(a: Attempt): void {
  const { db, r } = a;
  if (!anyBase(db)) return;
  // SQLite compiles a statement anew for each run where a limit is bound.
  const n = db.int(`SELECT count(*) FROM (SELECT 1 FROM main._tm_pending LIMIT ${r.exact + 1})`);
  a.short = n <= r.exact;
  for (const t of r.schema.tables) {
    if (db.int("SELECT EXISTS (SELECT 1 FROM main._tm_base WHERE t = ?1)", BigInt(t.id)) !== 0) a.pending.add(t.id);
  }
  const suspended = new Set<number>();
  db.each(
    `SELECT DISTINCT r.t FROM main._tm_pending p JOIN main._tm_pending_row r ON r.n = p.n WHERE p.suspended = 1`,
    (s) => suspended.add(s.int(0)),
  );
  a.suspended = r.refs.widen(suspended);
}

/** Ends the attempt unless it is wide enough. */
export function narrow(a: Attempt, take: Way, why: string): void {
  if (a.way < take) throw new TooNarrow(take, why);
}

/** Reads a row as the tables show it. */
export function readRow(a: Attempt, t: Table, id: RowID): Row | null {
  return get(a.db, t, keyOfRow(t, id));
}

function keyOfRow(t: Table, id: RowID): Row {
  try {
    return parseKeyID(keyIDOf(id));
  } catch (cause) {
    throw new TidemarkError("corrupt", `bookkeeping of ${t.name}`, { cause });
  }
}

/** Notes that a row of the tables changed. */
export function visible(a: Attempt, t: Table, before: Row | null, after: Row | null): void {
  a.tables.add(t.id);
  if (a.way === WHOLE || a.pending.size === 0) return;
  if (a.r.refs.linked(t.id, a.pending)) a.steps.push({ t, before, after });
  meets(a, t);
}

/**
 * Judges a row that changed in a table whose unique values or foreign keys
 * pending may depend on. Looking at the end state alone finds every changeset
 * that cannot stand, but not one that could not have stood at its turn and is
 * made good by a later one. While pending is short, all of it is tried again,
 * which is exact; when it is long, the server's word has to do.
 */
export function meets(a: Attempt, t: Table): void {
  if (!a.short || a.way === WHOLE) return;
  if ((t.uniques.length > 0 && a.pending.has(t.id)) || a.r.refs.linked(t.id, a.pending)) {
    narrow(a, WHOLE, `constraints of ${t.name}`);
  }
}

/**
 * Looks whether a foreign key that does not hold now reaches a pending
 * changeset that was left alone. A key that breaks among confirmed rows only
 * is the server's business.
 */
export function checkSteps(a: Attempt): void {
  for (const s of a.steps) {
    const b = a.r.refs.check(a.db, s.t, s.before, s.after);
    if (b) narrow(a, WHOLE, `foreign key of ${b.ref.child.name}`);
  }
}
