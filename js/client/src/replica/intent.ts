import type { RowChange } from "../capture/segment.ts";
import { type Change, DELETE, type Edit, INSERT, UPDATE } from "../change.ts";
import type { Database } from "../lite/database.ts";
import { intent } from "../merge/merge.ts";
import { get } from "../meta/meta.ts";
import { groupOf, policyOf } from "../policy.ts";
import type { Schema, Table } from "../schema.ts";
import { diff } from "../splice/diff.ts";
import { editBody, parseEdit } from "../splice/edit.ts";
import { type Row, same, type Value } from "../value.ts";
import type { Attempt } from "./attempt.ts";
import { baseImage, idOf, type RowID, rowArgs, rowsOf, synced, tableOf } from "./base.ts";
import { keyRepair } from "./facts.ts";
import type { Replica } from "./replica.ts";

/** What the engine has to know of a table's policies. Tables that are not listed set values and take them as they come. */
export interface Merging {
  /** Columns that merge as text. */
  readonly text: readonly number[];
  /** Columns whose updates are more than a value, the text ones too. */
  readonly edits: readonly number[];
  readonly grouped: boolean;
}

export function mergingOf(s: Schema): Map<number, Merging> {
  const all = new Map<number, Merging>();
  for (const t of s.tables) {
    if (t.out !== "") continue;
    const free = t.columns.map((_, c) => c).filter((c) => !t.key.includes(c));
    const alone = free.filter((c) => t.columns[c]!.group === "");
    const text = alone.filter((c) => policyOf(t, c) === "text");
    const edits = alone.filter((c) => ["text", "counter", "set", "json"].includes(policyOf(t, c)));
    const grouped = alone.length < free.length;
    if (predicts(t) || grouped || edits.length > 0) all.set(t.id, { text, edits, grouped });
  }
  return all;
}

/**
 * Whether a table has policies by which a pending change may end in another way
 * than by being put on top of what others did.
 */
function predicts(t: Table): boolean {
  const other = t.columns.some((_, c) => !["last-write", "latest-edit"].includes(policyOf(t, c)));
  return other || (t.policy.onDelete !== "" && t.policy.onDelete !== "delete-wins");
}

/**
 * Says of each update what its author meant, by the policies of its columns:
 * changes are those of rows, in the same order.
 */
export function intents(r: Replica, rows: readonly RowChange[], changes: readonly Change[]): void {
  changes.forEach((c, i) => {
    const m = r.merging.get(c.table);
    if (!m || c.op !== UPDATE) return;
    const { table, before, after } = rows[i]!;
    if (m.grouped && before && after) wholeGroups(table, c, before, after);
    const edits = c.columns.map((col, at) => (m.edits.includes(col) ? intentOf(r, table, c, col, at) : null));
    if (edits.some((e) => e !== null)) c.edits = edits;
  });
}

/** Adds the columns that merge as one with those that changed. */
function wholeGroups(t: Table, c: Change, before: Row, after: Row): void {
  const all = new Set(c.columns);
  for (const col of c.columns) for (const other of groupOf(t, col)) if (!t.key.includes(other)) all.add(other);
  if (all.size === c.columns.length) return;
  c.columns = [...all].sort((x, y) => x - y);
  c.values = c.columns.map((col) => after[col]!);
  c.old = c.columns.map((col) => before[col]!);
}

/** What an update that has its before-image means by one of its columns; null: it sets it. */
function intentOf(r: Replica, t: Table, c: Change, col: number, at: number): Edit | null {
  const old = c.old?.[at] ?? null;
  const e = intent(policyOf(t, col), old, c.values[at]!);
  return e?.kind === "t" ? inContext(r, idOf(t, c.key), col, String(old), e) : e;
}

/**
 * Says of an edit of a text which text its author saw: the confirmed one, unless
 * pending changesets of ours wrote the cell; then what the newest of them left,
 * and where that moved since, what was shown. While the copy is known to differ
 * from the server's, its author saw a text that the server cannot know: then the
 * edit sets the text, and what it overwrites is recorded.
 */
function inContext(r: Replica, id: RowID, col: number, shown: string, e: Edit): Edit | null {
  if (get(r.db, keyRepair) !== "") return null;
  const last = r.db.get(
    `SELECT x.n, x.moved FROM main._tm_text x JOIN main._tm_pending p ON p.n = x.n
      WHERE x.t = ?1 AND x.key = ?2 AND x.col IN (-1, ?3) AND p.suspended = 0 ORDER BY x.n DESC LIMIT 1`,
    ...rowArgs(id),
    BigInt(col),
  );
  if (!last) return e;
  const after = Number(last[0]);
  const moved = last[1] !== 0n;
  const confirmed = moved ? textAt(baseImage(r.db, id) ?? null, col) : "";
  if (confirmed === null) return null;
  const { patch } = parseEdit(e.body);
  return { kind: "t", body: editBody({ patch, after, on: moved ? diff(confirmed, shown) : null }) };
}

/** The text of a cell, "" where there is none; null: it is not one that patches can be made of. */
function textAt(image: Row | null, col: number): string | null {
  const v: Value = image?.[col] ?? "";
  if (typeof v === "string") return v;
  return typeof v === "object" && "bytes" in v ? null : "";
}

/** Remembers which cells that merge as text a changeset wrote. */
export function noteTexts(r: Replica, n: number, changes: readonly Change[]): void {
  for (const c of changes) {
    const text = r.merging.get(c.table)?.text ?? [];
    const t = synced(r.schema, c.table);
    if (!t || text.length === 0 || c.op === DELETE) continue;
    const [id, to] = rowsOf(t, c);
    const cols = c.op === INSERT || to ? [-1] : c.columns.filter((col) => text.includes(col));
    for (const col of cols) noteText(r.db, to ?? id!, col, n);
  }
}

function noteText(db: Database, id: RowID, col: number, n: number): void {
  const sql = "INSERT OR REPLACE INTO main._tm_text (t, key, col, n) VALUES (?1, ?2, ?3, ?4)";
  db.run(sql, ...rowArgs(id), BigInt(col), BigInt(n));
}

/** Looks which texts of a row readers see differently now. */
export function noteMoved(a: Attempt, id: RowID, before: Row | null, now: Row | null): void {
  for (const col of a.r.merging.get(tableOf(id))?.text ?? []) {
    const [was, is] = [before?.[col], now?.[col]];
    if (was === undefined || is === undefined || !same(was, is)) textMoved(a.db, id, col);
  }
}

/**
 * Remembers that readers see another text than the one that pending changesets
 * left: the next edit of it has to say what it was made on.
 */
export function textMoved(db: Database, id: RowID, col: number): void {
  const sql = "UPDATE main._tm_text SET moved = 1 WHERE t = ?1 AND key = ?2 AND col IN (-1, ?3)";
  db.run(sql, ...rowArgs(id), BigInt(col));
}
