import { type Change, DELETE, type Edit, INSERT, UPDATE } from "../change.ts";
import { each, type Work } from "../lite/work.ts";
import { apply, meet, natural } from "../merge/merge.ts";
import { editOf, groupOf, policyOf } from "../policy.ts";
import { columnNames, type Table } from "../schema.ts";
import { transform } from "../splice/algebra.ts";
import { diff } from "../splice/diff.ts";
import { parseEdit, patchBody } from "../splice/edit.ts";
import type { Patch } from "../splice/splice.ts";
import { type Row, same, type Value } from "../value.ts";
import { anchorRejected } from "./anchor.ts";
import { type Attempt, cellOf, readRow } from "./attempt.ts";
import { type Images, idOf, type RowID, rowsOf, synced, tableOf } from "./base.ts";
import { confirmedAfter, withColumns } from "./incoming.ts";
import { Misfit } from "./misfit.ts";
import { type PendingRecord, setView } from "./pending.ts";
import { unfold } from "./renumber.ts";
import { type RevisedCell, type Revision, revised } from "./revision.ts";

/** Begins a forecast when the confirmed rows are in the tables. */
export function* foresee(a: Attempt): Work<void> {
  const was: Images = new Map([...a.old].filter(([id]) => a.r.merging.has(tableOf(id))));
  if (was.size === 0) return;
  const f = new Forecast(a, was);
  const expected = new Map(was);
  yield* each(a.settle, ({ p, o }) => {
    if (o.kind !== "rejected") f.play(expected, unfold(a.r, p));
  });
  yield* each(expected, ([id, image]) => {
    const t = synced(a.r.schema, tableOf(id));
    if (t) f.compare(t, id, image, readRow(a, t, id));
  });
  a.forecast = f;
}

/**
 * Predicts, while pending is put back on rows that others changed, what the
 * server is going to make of it. The prediction is kept as the view of a pending
 * changeset; what is sent of it stays, and the server's word replaces it.
 *
 * It follows two histories of each row: what was, as readers saw it before, and
 * the tables, which hold the new confirmed rows with the pending changesets on top
 * that were put back so far.
 */
export class Forecast {
  readonly #a: Attempt;
  readonly #was: Images;
  /** Columns that others changed, and nothing of ours wrote over since. */
  readonly #met = new Map<RowID, Set<number>>();
  /** Rows that others deleted. */
  readonly #gone = new Set<RowID>();
  /** From what was to what is, by cell, where that is known. */
  #over: Map<string, Patch>;

  constructor(a: Attempt, was: Images) {
    this.#a = a;
    this.#was = was;
    this.#over = a.over;
  }

  /** The table of a change, where policies matter in it. */
  #tableOf(c: Change): Table | null {
    return this.#a.r.merging.has(c.table) ? synced(this.#a.r.schema, c.table) : null;
  }

  /** Notes what others did to a row. */
  compare(t: Table, id: RowID, expected: Row | null, now: Row | null): void {
    if (now === null) {
      if (expected !== null) this.#gone.add(id);
      return;
    }
    const met = new Set<number>();
    for (let c = 0; c < now.length && c < t.columns.length; c++) {
      const as = expected?.[c];
      if (as === undefined || !same(as, now[c]!)) for (const other of groupOf(t, c)) met.add(other);
    }
    if (met.size > 0) this.#met.set(id, met);
  }

  /** Puts changes on images, each row on what it held before. An edit that does not fit leaves its row. */
  play(rows: Images, changes: readonly Change[]): void {
    const after: Images = new Map();
    for (const c of changes) {
      const t = this.#tableOf(c);
      if (!t || (c.op === UPDATE && c.columns.length === 0)) continue;
      const [from = "", to] = rowsOf(t, c);
      let image: Row | null;
      try {
        image = confirmedAfter(t, rows.get(from) ?? null, c);
      } catch {
        continue;
      }
      if ((to !== undefined || !image) && !after.has(from)) after.set(from, null);
      if (image) after.set(to ?? from, image);
    }
    for (const [id, image] of after) rows.set(id, image);
  }

  /** Goes past a changeset that is not put back: it is in the confirmed rows now, or it was rejected. */
  settled(n: number): void {
    this.#over = new Map();
    for (const { p, o } of this.#a.settle) {
      if (p.n !== n) continue;
      const changes = unfold(this.#a.r, p);
      if (o.kind === "rejected") anchorRejected(this.#a.r, p, this.#was);
      if (!p.suspended) this.play(this.#was, changes);
    }
  }

  /**
   * Makes the view of a pending changeset what the server is going to make of it.
   * A misfit says that the server is going to reject it.
   */
  adapt(p: PendingRecord): Misfit | null {
    const before = unfold(this.#a.r, p);
    const list: (Revision | null)[] = [];
    for (const c of before) {
      const v = this.#revise(c);
      if (v instanceof Misfit) {
        if (!p.suspended) this.play(this.#was, before);
        return v;
      }
      list.push(v);
    }
    if (list.some((v) => v !== null)) {
      const on = (changes: Change[] | null): Change[] =>
        (changes ?? []).map((c, i) => (list[i] ? revised(list[i], c) : c));
      setView(this.#a, p, on(p.raw));
      p.changes = on(before);
    }
    this.#written(p.changes ?? []);
    if (!p.suspended) this.play(this.#was, before);
    return null;
  }

  /** Takes cells off the list that changes of ours now write over: our later ones are made on them. */
  #written(changes: readonly Change[]): void {
    for (const c of changes) {
      const t = this.#tableOf(c);
      if (!t) continue;
      const ids = rowsOf(t, c);
      if (c.op === UPDATE && ids.length === 1) {
        for (const col of c.columns) this.#met.get(ids[0]!)?.delete(col);
        continue;
      }
      for (const id of ids) {
        this.#met.delete(id);
        this.#gone.delete(id);
      }
    }
  }

  /**
   * Tells whether the changeset that was adapted last is in the tables now. Patches
   * that lead from what was to what is hold on only when both have it.
   */
  putBack(p: PendingRecord, suspendedBefore: boolean): void {
    if (p.suspended || suspendedBefore) this.#over = new Map();
  }

  /** Predicts what becomes of one change; null: what it says. */
  #revise(c: Change): Revision | Misfit | null {
    const t = this.#tableOf(c);
    if (!t) return null;
    const id = idOf(t, c.key);
    const { onDelete } = t.policy;
    if (c.op === DELETE) {
      const stays = onDelete === "update-wins" || onDelete === "manual";
      return stays && this.#metIn(id).size > 0 ? { t, drop: true } : null;
    }
    if (c.op === INSERT) return null;
    return this.#gone.has(id) ? this.#comeBack(t, id, c) : this.#reviseColumns(t, id, c);
  }

  #metIn(id: RowID): ReadonlySet<number> {
    return this.#met.get(id) ?? new Set();
  }

  /** Predicts an update of a row that others deleted. */
  #comeBack(t: Table, id: RowID, c: Change): Revision | null {
    const was = this.#was.get(id);
    if (t.policy.onDelete !== "update-wins" || !was || c.columns.length === 0) return null;
    try {
      const insert = withColumns(t, was, c);
      return insert.length === t.columns.length ? { t, insert } : null;
    } catch {
      return null;
    }
  }

  #reviseColumns(t: Table, id: RowID, c: Change): Revision | Misfit | null {
    const met = this.#metIn(id);
    const cells = new Map<number, RevisedCell>();
    let now: Row | null = null;
    for (const [i, col] of c.columns.entries()) {
      const e = editOf(c, i);
      if (t.key.includes(col) || (e?.kind !== "t" && !met.has(col))) continue;
      now ??= readRow(this.#a, t, id);
      const was = this.#was.get(id);
      if (!now || !was) return null;
      if (e?.kind !== "t" && policyOf(t, col) === "reject") return stale(t, c, col);
      const to =
        e?.kind === "t"
          ? this.#reviseText(cellOf(id, col), was[col]!, now[col]!, e)
          : this.#reviseCell(t, col, was[col]!, now[col]!, c.values[i]!, e);
      if (to) cells.set(i, to);
    }
    return cells.size > 0 ? { t, cells } : null;
  }

  /** Carries an edit of a text over what became of the text since. */
  #reviseText(at: string, was: Value, now: Value, e: Edit): RevisedCell | null {
    if (same(was, now) || typeof was !== "string") return null;
    try {
      if (typeof now !== "string") return { value: apply(was, null, e) }; // it sets what its author saw in the end
      // What comes to the server later stands first.
      const [moved, rest] = transform(parseEdit(e.body).patch, this.#over.get(at) ?? diff(was, now), true);
      this.#over.set(at, rest);
      return { edit: { kind: "t", body: patchBody(moved, false) } };
    } catch {
      return null;
    }
  }

  /** Predicts how an update of a cell that others changed ends. */
  #reviseCell(t: Table, col: number, base: Value, theirs: Value, mine: Value, e: Edit | null): RevisedCell | null {
    const edit = e?.kind ? e : null;
    try {
      if (edit && theirs !== null) {
        apply(theirs, mine, edit);
        return null;
      }
    } catch {
      // then it meets what is there
    }
    const column = t.columns[col]!;
    // An edit was made under a policy that the column may have lost since.
    const policy = (edit && natural(edit.kind)) || policyOf(t, col);
    if (policy === "last-write" || policy === "latest-edit" || policy === "text") return null;
    if (policy === "first-write" || policy === "manual") return { drop: true };
    const merge = policy === "custom" ? this.#a.r.opts.merge?.[column.custom] : undefined;
    if (policy === "custom" && !merge) return null;
    try {
      const verdict = meet({ column, policy, base, based: true, theirs, mine, edit, merge });
      if (!edit && same(verdict.value, mine)) return null;
      return verdict.open || same(verdict.value, theirs) ? { drop: true } : { value: verdict.value };
    } catch {
      return null;
    }
  }
}

function stale(t: Table, c: Change, col: number): Misfit {
  return new Misfit({
    code: "stale",
    message: `${t.name}.${t.columns[col]!.name} was changed by somebody else meanwhile`,
    table: t.name,
    key: c.key,
    columns: columnNames(t, [col]),
  });
}
