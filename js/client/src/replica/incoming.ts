import { type Change, INSERT, UPDATE } from "../change.ts";
import { TidemarkError } from "../error.ts";
import { violation } from "../lite/failure.ts";
import { each, type Work } from "../lite/work.ts";
import { apply } from "../merge/merge.ts";
import { get } from "../row/row.ts";
import { keyOf, scoped, type Table } from "../schema.ts";
import { compose } from "../splice/algebra.ts";
import { parseBody } from "../splice/edit.ts";
import { type Row, sameRow, type Value } from "../value.ts";
import { type Attempt, CONNECTED, cellOf, meets, narrow, visible, WHOLE } from "./attempt.ts";
import { baseImage, forgets, type Images, idOf, type RowID, synced, wellFormed } from "./base.ts";
import { leave, part, type Source } from "./member.ts";
import { RowWriter } from "./put.ts";
import { refusedConfirmed } from "./rebase.ts";

/** Where what is confirmed of a row that pending touches is kept instead of being written. */
export interface Aside {
  readonly rows: Images;
  /** Ends the attempt where the row may not change. */
  readonly check: (id: RowID) => void;
}

/** The confirmed rows of a job on their way into the tables. */
export interface Incoming {
  readonly a: Attempt;
  readonly w: RowWriter;
  readonly aside: Aside | null;

  // Where scopes are declared.

  /** Whose changes are being taken, and the rows that it changed. */
  message: number;
  readonly once: Set<RowID>;
  readonly numbers: Map<string, number>;
  /** Rows that left a scope. */
  readonly leaving: Set<RowID>;
}

/** Writes the job's confirmed rows. Where aside is given, rows that pending touches are not written but kept there. */
export function* bringIn(a: Attempt, aside: Aside | null): Work<void> {
  const w = new RowWriter(a.db, true);
  const sets = { once: new Set<RowID>(), numbers: new Map<string, number>(), leaving: new Set<RowID>() };
  const in_: Incoming = { a, w, aside, message: 0, ...sets };
  for (const piece of a.job.changes()) {
    let t: Table | null = null;
    yield* each(piece.changes, (c) => {
      if (t?.id !== c.table) t = synced(a.r.schema, c.table);
      if (t) take(in_, piece, t, c);
    });
  }
  yield* leave(in_);
  yield* w.finishing((t, _id, after, why) => {
    refusedConfirmed(a, t, why);
    if (after) a.tally.change(t, after, null); // the sums count it already
  });
}

/** Applies one confirmed change. */
function take(in_: Incoming, from: Source, t: Table, c: Change): void {
  const declared = scoped(in_.a.r.server);
  if (!wellFormed(t, c) && !(declared && forgets(t, c)))
    throw new TidemarkError("protocol", `a change of ${t.name} does not fit the table`);
  if (declared) part(in_, from, t, c);
  else change(in_, t, idOf(t, c.key), c);
}

/** Makes of a row what a confirmed change says. */
export function change({ a, w, aside }: Incoming, t: Table, id: RowID, c: Change): void {
  const shown = w.shown(id);
  if (shown !== undefined) {
    follow(a, w, t, id, shown, c);
    return;
  }
  if (aside && a.pending.has(t.id) && a.held.has(id)) {
    aside.check(id);
    putAside(a, t, id, c, aside.rows);
    return;
  }
  if (a.suspended.has(t.id)) narrow(a, WHOLE, "a suspended changeset may depend on it");
  noteText(a, t, id, c);
  follow(a, w, t, id, get(a.db, t, c.key), c);
}

function putAside(a: Attempt, t: Table, id: RowID, c: Change, rows: Images): void {
  const image = rows.has(id) ? rows.get(id)! : (baseImage(a.db, id) ?? null);
  const after = madeOf(a, t, image, c);
  if (after === undefined) return;
  if (after && after.length < t.columns.length) narrow(a, CONNECTED, "a row of an older schema");
  rows.set(id, after);
  a.tally.change(t, image, after);
}

/** Makes of a row what a confirmed change makes of it. */
function follow(a: Attempt, w: RowWriter, t: Table, id: RowID, before: Row | null, c: Change): void {
  const after = madeOf(a, t, before, c);
  if (after !== undefined && !sameRow(before, after)) write(a, w, t, id, before, after);
}

/**
 * What a confirmed change makes of a row. Undefined where the server edited a
 * text that is another one here: the copy is marked for repair, and the row
 * stays as it is until the server's comes.
 */
function madeOf(a: Attempt, t: Table, before: Row | null, c: Change): Row | null | undefined {
  try {
    return confirmedAfter(t, before, c);
  } catch (err) {
    a.damage.push(`a row of ${t.name} is not what the server edited: ${err instanceof Error ? err.message : err}`);
    return undefined;
  }
}

function write(a: Attempt, w: RowWriter, t: Table, id: RowID, before: Row | null, made: Row | null): void {
  try {
    w.set(t, id, before, made);
  } catch (err) {
    if (!violation(err)) throw err;
    refusedConfirmed(a, t, err);
    return;
  }
  const short = made !== null && made.length < t.columns.length;
  const after = short ? get(a.db, t, keyOf(t, made)) : made;
  a.tally.change(t, before, after);
  if (a.undone.has(id)) meets(a, t);
  else visible(a, t, before, after);
}

/** Keeps what the server's edits did to texts that pending edits too. */
function noteText(a: Attempt, t: Table, id: RowID, c: Change): void {
  const text = a.r.merging.get(t.id)?.text;
  if (!text || text.length === 0 || !a.undone.has(id)) return;
  for (const col of text) noteOver(a, cellOf(id, col), col, c);
}

function noteOver(a: Attempt, at: string, col: number, c: Change): void {
  const i = c.columns.indexOf(col);
  if (c.op === UPDATE && i < 0) return;
  const before = a.over.get(at);
  a.over.delete(at);
  const edit = c.op === UPDATE ? c.edits?.[i] : null;
  if (edit?.kind === "t" && !a.replaced.has(at)) {
    try {
      const p = parseBody(edit.body);
      a.over.set(at, before ? compose(before, p) : p);
      return;
    } catch {
      // Then the two texts have to be compared.
    }
  }
  a.replaced.add(at);
}

/**
 * What a confirmed change makes of a row; null is no row. An update of a row
 * that is not here leaves it absent; the sums will tell. Throws when an edit
 * does not fit what its column holds.
 */
export function confirmedAfter(t: Table, before: Row | null, c: Change): Row | null {
  if (c.op === INSERT) return c.values;
  return c.op === UPDATE && before ? withColumns(t, before, c) : null;
}

/** A copy of an image with an update's columns set or edited. Throws when an edit does not fit what the column holds. */
export function withColumns(t: Table, image: Row, c: Change): Value[] {
  const after = [...image];
  for (let i = 0; i < c.columns.length; i++) {
    const col = c.columns[i]!;
    if (col < 0 || col >= after.length || i >= c.values.length) continue;
    const e = c.edits?.[i];
    if (!e || e.kind === "") {
      after[col] = c.values[i]!;
      continue;
    }
    try {
      after[col] = apply(after[col]!, c.values[i]!, e);
    } catch (cause) {
      const why = cause instanceof Error ? cause.message : String(cause);
      throw new Error(`column ${t.columns[col]!.name}: ${why}`, { cause });
    }
  }
  return after;
}
