import { type Change, DELETE, INSERT } from "../change.ts";
import { TidemarkError } from "../error.ts";
import { atOnce, step } from "../lite/work.ts";
import { keyOf, place, type Table, tableNamed } from "../schema.ts";
import type { Row, Value } from "../value.ts";
import { appendChanges } from "../wire/changes.ts";
import { placed } from "./anchor.ts";
import { apart } from "./apart.ts";
import { touch } from "./apply.ts";
import { Attempt, noJob, WHOLE } from "./attempt.ts";
import { idOf, synced, wellFormed } from "./base.ts";
import { fit } from "./fit.ts";
import { Misfit } from "./misfit.ts";
import { dropRejected, oneRejected, type Rejected } from "./reject.ts";
import { renumberRetry } from "./renumber-retry.ts";
import type { Replica } from "./replica.ts";
import { pendNow, seal } from "./seal.ts";
import { rowsOfSketch } from "./sketch.ts";
import { engineTransaction } from "./transaction.ts";

/**
 * Applies a rejected changeset to the tables once more, as a new local
 * transaction, and drops the rejected record in the same one. apart splits it
 * into the smallest parts that stand alone, each its own changeset; parts that
 * do not fit stay rejected. It returns how many parts were made.
 *
 * A counter is counted again, a set and an object are changed again in what
 * they hold now; an edit of a text is made where its surroundings are found.
 * The app's triggers do not fire: what they did the first time is part of the
 * changeset.
 */
export function retry(r: Replica, id: number, inParts: boolean, now: number): number {
  return retryAs(r, id, now, (rej) => {
    if (!inParts) return [rej.changes];
    canRetry(r, rej.changes);
    return apart(r, rej.changes);
  });
}

/**
 * Applies other changes in place of those of a rejected changeset, as retry
 * does, and drops the record.
 */
export function editAndRetry(r: Replica, id: number, changes: readonly Change[], now: number): number {
  return retryAs(r, id, now, () => {
    if (changes.length === 0) {
      throw new TidemarkError("usage", "there are no changes", { hint: "discard the changeset instead" });
    }
    return [changes.map((c) => keyed(r, c))];
  });
}

/** Makes sure that a change that somebody wrote by hand can be one. */
function keyed(r: Replica, c: Change): Change {
  const t = synced(r.schema, c.table);
  if (!t) return c; // canRetry says so
  if (c.op === INSERT && t.key.some((at) => at >= c.values.length)) {
    throw new TidemarkError("usage", `a row of ${t.name} without its key`, { table: t.name });
  }
  const out = c.op === INSERT ? { ...c, key: keyOf(t, c.values) } : c;
  if (!wellFormed(t, out)) {
    throw new TidemarkError("usage", `a change does not fit table ${t.name}`, { table: t.name, key: out.key });
  }
  return out;
}

/** Gives a column of a rejected changeset another value. */
export interface Replacement {
  readonly table: string;
  /** Of the change, as it stands in the record. */
  readonly key: Row;
  readonly column: string;
  readonly value: Value;
}

/** editAndRetry with the record's own changes, in which some values are others. */
export function replaceAndRetry(r: Replica, id: number, edits: readonly Replacement[], now: number): number {
  return retryAs(r, id, now, (rej) => {
    const changes = [...rej.changes];
    for (const e of edits) replace(r, changes, e);
    return [changes];
  });
}

/** Sets the value in the change that inserts or updates the row. */
function replace(r: Replica, changes: Change[], e: Replacement): void {
  const t = tableNamed(r.schema, e.table);
  const col = t ? place(t, e.column) : -1;
  if (!t || col < 0) throw new TidemarkError("usage", `there is no column ${e.table}.${e.column}`);
  const row = idOf(t, e.key);
  const i = changes.findIndex((c) => c.table === t.id && c.op !== DELETE && idOf(t, c.key) === row);
  if (i < 0) {
    throw new TidemarkError("not_found", `the changeset writes no such row of ${t.name}`, {
      table: t.name,
      key: e.key,
      hint: "exporting the changeset shows its rows",
    });
  }
  changes[i] = withValue(t, changes[i]!, col, e.value);
}

function withValue(t: Table, c: Change, col: number, v: Value): Change {
  const values = [...c.values];
  if (c.op === INSERT) {
    while (values.length <= col) values.push(null);
    values[col] = v;
    return { ...c, values, key: keyOf(t, values) };
  }
  const columns = [...c.columns];
  const edits = c.edits && [...c.edits];
  let i = columns.indexOf(col);
  if (i < 0) i = columns.push(col) - 1;
  values[i] = v;
  if (edits) edits[i] = null;
  return { ...c, columns, values, edits };
}

/** Makes local transactions of the parts that stand for a rejected changeset. */
function retryAs(
  r: Replica,
  id: number,
  now: number,
  partsOf: (rej: Rejected) => readonly (readonly Change[])[],
): number {
  const work = engineTransaction(r, "retry", now, () =>
    step(() => {
      if (r.readOnly) throw new TidemarkError("read_only", "this copy is read-only");
      seal(r);
      const rej = oneRejected(r, id);
      const asked = partsOf(rej);
      for (const part of asked) canRetry(r, part);
      const { made, rest } = retryParts(r, renumberRetry(r, rej, asked));
      if (rest.length === 0) dropRejected(r, rej.id);
      else rewriteRejected(r, rej.id, rest);
      return made;
    }),
  );
  return atOnce(work);
}

function canRetry(r: Replica, changes: readonly Change[]): void {
  if (changes.every((c) => synced(r.schema, c.table))) return;
  throw new TidemarkError("schema", "a table of this changeset does not sync any more", {
    hint: "exporting it writes it out as JSON",
  });
}

/**
 * Makes a pending changeset of each part that fits. Where there is only one
 * part, its misfit is the error.
 */
function retryParts(r: Replica, parts: readonly (readonly Change[])[]): { made: number; rest: Change[] } {
  const a = new Attempt(r, WHOLE, noJob);
  const rest: Change[] = [];
  let made = 0;
  for (const part of parts) {
    try {
      if (retryPart(a, part)) made++;
    } catch (err) {
      if (!(err instanceof Misfit)) throw err;
      if (parts.length === 1) throw err.public();
      rest.push(...part);
    }
  }
  touch(a);
  return { made, rest };
}

/** Whether the part changed anything. */
function retryPart(a: Attempt, part: readonly Change[]): boolean {
  return a.db.savepoint("retry", () => {
    const rows = rowsOfSketch(fit(a, placed(a, part), true));
    if (rows.length === 0) return false;
    for (const c of rows) a.tables.add(c.table.id);
    pendNow(a.r, rows);
    return true;
  });
}

/** Puts other changes into a record. */
export function rewriteRejected(r: Replica, id: number, changes: readonly Change[]): void {
  r.db.run("UPDATE main._tm_rejected SET body = ?1 WHERE id = ?2", appendChanges(changes), BigInt(id));
}
