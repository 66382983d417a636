import type { Seq } from "../change.ts";
import type { Code } from "../codes.ts";
import { atOnce, type Work } from "../lite/work.ts";
import { scan } from "../row/row.ts";
import { keyOf, type Schema, scoped, tableByID } from "../schema.ts";
import { type Row, sizeOf } from "../value.ts";
import type { RangeSum } from "../wire/ranges.ts";
import type { Rows } from "../wire/rows.ts";
import type { Up } from "../wire/up.ts";
import { type Event, type Loop, messageOf } from "./loop.ts";
import { anew, garbage } from "./loop-end.ts";
import { decide } from "./loop-session.ts";
import type { Replica } from "./replica.ts";
import { working } from "./transaction.ts";

// A verification compares count and sum of every table with the server's, and
// where they differ cuts the range in fanOut parts, again and again, until a
// part is small enough to be fetched whole. Rows are read as they are stored,
// so it also finds what capture never saw.
//
// The server sends every batch up to an answer's seq before the answer, so an
// answer normally speaks of the state that the replica has. One that does not
// is asked for again.
const fanOut = 16;
const leafRows = 64; // a range with no more rows than this, on either side, is fetched
const pageRows = 256; // rows asked for at once
const askedMax = 4; // questions on their way
const strayMax = 8; // answers for another seq before the session begins anew
const movedMax = 3; // after so many restarts ranges are repaired one by one
const repairMax = 32 << 20; // bytes of rows held before they are written

/** Verifications in a row that a session may fail to finish. */
export const checkTries = 3;

/** The result of comparing every row with the server. */
export interface VerifyReport {
  readonly seq: Seq;
  readonly tables: number;
  readonly rows: number;
  /** Rows that were repaired. */
  readonly differed: number;
  /** Rejected records made of what was there. */
  readonly saved: number;
}

/** The keys of a range: behind after, up to and including upto; null is open. */
interface Range {
  readonly table: number;
  readonly after: Row | null;
  readonly upto: Row | null;
}

/** The server's rows of one range. */
export interface RangeRows extends Range {
  readonly rows: readonly Row[];
  /** Parallel to `rows`, where scopes are declared. */
  readonly scopes: readonly (readonly string[])[];
}

/** What a verification asks of a replica; see repair.ts. */
export interface Comparer {
  readonly schema: Schema;
  status(): { readonly rejected: number };
  confirmedRanges(table: number, after: Row | null, upto: Row | null, bounds: readonly Row[]): Work<RangeSum[]>;
  splitKeys(table: number, after: Row | null, upto: Row | null, parts: number): Work<Row[]>;
  repairAll(list: readonly RangeRows[], code: Code, now: number): Work<number>;
  prove(now: number): Work<void>;
  /** Remembers the refusal that ended syncing, until the next welcome. */
  stop(code: Code): void;
}

/** A range to be compared (fetch false) or fetched. */
interface Question extends Range {
  readonly bounds: readonly Row[];
  readonly fetch: boolean;
  /** The first question about its table. */
  readonly whole: boolean;
}

/** A running verification. */
export class Check {
  readonly code: Code;
  report = { seq: 0, tables: 0, rows: 0, differed: 0, saved: 0 };
  todo: Question[];
  leaves: Question[] = []; // asked for when todo is empty, so that all can be repaired at one seq
  readonly asked = new Map<number, Question>();
  strays = 0;
  moves = 0;

  disturbed = false; // a batch that came meanwhile could not be applied as it stands
  rounds = 0; // comparisons begun anew because of that

  got: RangeRows[] = [];
  gotSeq: Seq = 0;
  bytes = 0;

  constructor(code: Code, todo: Question[]) {
    this.code = code;
    this.todo = todo;
  }
}

/** Asks for a verification as soon as the replica is at the head. */
export function want(l: Loop, code: Code): void {
  if (!l.wanted || code === "recovered") l.wantCode = code;
  l.wanted = true;
}

export function verify(l: Loop, now: number): void {
  later(l);
  decide(l, now, false);
}

export function later(l: Loop): void {
  l.checkFailures = 0; // those of earlier requests
  want(l, "uncaptured");
}

export function startCheck(l: Loop, now: number): void {
  l.check = new Check(l.wantCode, everything(l));
  if (l.check.todo.length === 0)
    atOnce(endCheck(l, l.check, now)); // without tables
  else ask(l, l.check);
}

function everything(l: Loop): Question[] {
  const open = { after: null, upto: null, bounds: [], fetch: false, whole: true };
  return l.e.schema.tables.filter((t) => t.out === "").map((t) => ({ table: t.id, ...open }));
}

/** Sends the next questions. */
function ask(l: Loop, c: Check): void {
  const messages: Up[] = [];
  while (c.asked.size < askedMax) {
    const q = c.todo.shift();
    if (!q) break;
    c.asked.set(++l.askID, q);
    messages.push(question(q, l.askID));
  }
  l.send(...messages);
}

function question({ table, after, upto, bounds, fetch }: Question, id: number): Up {
  const range = { id, table, after, upto };
  return fetch ? { type: "askRows", ...range, limit: pageRows } : { type: "askRanges", ...range, bounds };
}

/** Finds the question of an answer; null when there is nothing to do with it: it came twice, or speaks of another state. */
function answered(l: Loop, c: Check, id: number, seq: Seq): Question | null {
  const q = c.asked.get(id);
  if (!q) return null;
  c.asked.delete(id);
  if (seq === l.seq) return q;
  c.strays++;
  c.todo.push(q);
  return null;
}

export function* ranges(l: Loop, now: number, event: Event): Work<void> {
  const a = messageOf<"ranges">(event);
  const c = l.check;
  if (!c) return;
  const q = answered(l, c, a.id, a.seq);
  if (!q) {
    yield* proceed(l, c, now);
    return;
  }
  if (q.fetch || a.list.length !== q.bounds.length + 1) {
    garbage(l);
    return;
  }
  const mine = yield* l.e.confirmedRanges(q.table, q.after, q.upto, q.bounds);
  if (q.whole) {
    c.report.tables++;
    c.report.rows += a.list[0]!.count;
  }
  for (const [i, m] of mine.entries()) {
    const theirs = a.list[i]!;
    if (m.count === theirs.count && m.sum === theirs.sum) continue;
    yield* descend(l, c, part(q, i), Math.min(m.count, theirs.count));
  }
  yield* proceed(l, c, now);
}

/** The i-th of the ranges that the bounds cut. */
function part({ table, after, upto, bounds }: Question, i: number): Range {
  return { table, after: bounds[i - 1] ?? after, upto: bounds[i] ?? upto };
}

function* descend(l: Loop, c: Check, p: Range, count: number): Work<void> {
  const bounds = count > leafRows ? yield* l.e.splitKeys(p.table, p.after, p.upto, fanOut) : [];
  if (bounds.length > 0) c.todo.push({ ...p, bounds, fetch: false, whole: false });
  else c.leaves.push(leaf(p));
}

function leaf({ table, after, upto }: Range): Question {
  return { table, after, upto, bounds: [], fetch: true, whole: false };
}

export function* rows(l: Loop, now: number, event: Event): Work<void> {
  const a = messageOf<"rows">(event);
  const c = l.check;
  if (!c) return;
  const q = answered(l, c, a.id, a.seq);
  if (!q) {
    yield* proceed(l, c, now);
    return;
  }
  const t = tableByID(l.e.schema, q.table);
  if (!q.fetch || !t || a.list.some((r) => r.length !== t.columns.length) || !belong(l, a)) {
    garbage(l);
    return;
  }
  let upto = q.upto;
  if (a.more) {
    const last = a.list.at(-1);
    if (!last) {
      garbage(l);
      return;
    }
    upto = keyOf(t, last);
    c.leaves.push(leaf({ ...q, after: upto }));
  }
  yield* keep(l, c, { table: q.table, after: q.after, upto, rows: a.list, scopes: a.scopes }, now);
  yield* proceed(l, c, now);
}

/** Whether it is said of all rows in which scopes they are, if there are any. */
function belong(l: Loop, { list, scopes }: Rows): boolean {
  if (!scoped(l.e.schema)) return scopes.length === 0;
  return scopes.length === list.length && scopes.every((of) => of.length > 0);
}

/**
 * Holds fetched rows until all are there, so that readers never see a half
 * repaired copy. Rows of an earlier seq are fetched again; where the server
 * never rests, and where they are too many to hold, ranges are written as they
 * come.
 */
function* keep(l: Loop, c: Check, piece: RangeRows, now: number): Work<void> {
  if (c.got.length > 0 && c.gotSeq !== l.seq) {
    c.moves++;
    c.leaves.push(...c.got.map(leaf));
    c.got = [];
    c.bytes = 0;
  }
  c.got.push(piece);
  c.gotSeq = l.seq;
  for (const r of piece.rows) for (const v of r) c.bytes += sizeOf(v);
  if (c.moves > movedMax || c.bytes > repairMax) yield* repair(l, c, now);
}

function* repair(l: Loop, c: Check, now: number): Work<void> {
  if (c.got.length === 0) return;
  const before = l.e.status().rejected;
  c.report.differed += yield* l.e.repairAll(c.got, c.code, now);
  c.report.saved += Math.max(0, l.e.status().rejected - before);
  c.got = [];
  c.bytes = 0;
}

/**
 * Asks what is left, fetches what differs once everything is compared, and ends
 * the verification when nothing is left.
 */
function* proceed(l: Loop, c: Check, now: number): Work<void> {
  if (c.strays > strayMax) {
    anew(l, "gap", `answers of the server are not of checkpoint ${l.seq}`);
    return;
  }
  if (c.todo.length === 0 && c.asked.size === 0) {
    c.todo = c.leaves;
    c.leaves = [];
  }
  if (c.todo.length === 0 && c.asked.size === 0) yield* endCheck(l, c, now);
  else ask(l, c);
  decide(l, now, true);
}

function* endCheck(l: Loop, c: Check, now: number): Work<void> {
  yield* repair(l, c, now);
  const todo = everything(l);
  if (c.disturbed && c.rounds < checkTries && todo.length > 0) {
    // What was compared before the batch came may differ since.
    c.disturbed = false;
    c.rounds++;
    c.report.tables = c.report.rows = 0;
    c.todo = todo;
    ask(l, c);
    return;
  }
  yield* l.e.prove(now);
  c.report.seq = l.seq;
  l.fruitless = c.report.differed > 0 ? 0 : l.fruitless + 1;
  l.check = null;
  l.wanted = false;
  l.checkFailures = 0;
  l.unsent = true;
  l.notify({ verify: c.report });
}

/** Picks keys that cut a range of the local table in parts of about equal size. */
export function splitKeys(r: Replica, table: number, after: Row | null, upto: Row | null, parts: number): Work<Row[]> {
  return working(r, "compare", 0, function* () {
    const t = tableByID(r.schema, table);
    const bounds: Row[] = [];
    if (!t) return bounds;
    let n = 0;
    yield* scan(r.db, t, after, upto, 0, () => {
      n++;
    });
    const part = Math.ceil(n / parts);
    let i = 0;
    yield* scan(r.db, t, after, upto, 0, (row) => {
      if (++i % part === 0 && i < n) bounds.push(keyOf(t, row));
    });
    return bounds;
  });
}
