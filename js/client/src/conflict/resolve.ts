import type { Code } from "../codes.ts";
import { CONFLICTS_TABLE, type Winner } from "../conflict.ts";
import { TidemarkError } from "../error.ts";
import type { Database } from "../lite/database.ts";
import { quote } from "../lite/quote.ts";
import * as row from "../row/row.ts";
import { columnNames, place, type Schema, sameName, type Table, tableNamed } from "../schema.ts";
import { type Row, same, type Value } from "../value.ts";
import { one, type Record, records, type Side } from "./conflict.ts";

/** What somebody decides: a side, a third value, or the side that lost. */
export type Decision = "theirs" | "mine" | "loser" | { readonly value: Value };

/**
 * Writes what was chosen and sets the record to resolved, inside the open
 * transaction: an ordinary edit. A side decides for all columns that merged as
 * one unit, a value for the column of the record alone. Returns whether
 * somebody changed the cell or row since; what was asked for is done all the same.
 */
export function resolve(db: Database, s: Schema, id: string, decision: Decision): boolean {
  const c = one(db, id);
  const t = tableNamed(s, c.table);
  if (!t) throw refusal(c, "not_found", `there is no table ${c.table} any more`);
  if (t.out) throw refusal(c, "schema", `table ${c.table} does not sync any more: ${t.out}`);
  if (!c.key) throw refusal(c, "corrupt", `the record of conflict ${id} cannot be read`);
  if (c.key.length !== t.key.length)
    throw refusal(c, "schema", `the key of table ${c.table} is not the one that the conflict names`);
  const known: Known = { db, c, t, key: c.key };
  if (typeof decision === "object") {
    if (c.rows)
      throw new TidemarkError("usage", "the conflict is about the whole row, which no single value can decide", {
        hint: "take mine or theirs",
      });
    return writeCells(known, [c], () => decision.value);
  }
  const side = decision === "loser" ? loser(c) : decision;
  return c.rows ? takeRow(known, c.rows, side) : writeCells(known, unit(known), (r) => r[side]);
}

/** A record, and where it belongs. */
interface Known {
  readonly db: Database;
  readonly c: Record;
  readonly t: Table;
  readonly key: Row;
}

function loser(c: Record): "theirs" | "mine" {
  if (c.winner !== "both") return c.winner === "mine" ? "theirs" : "mine";
  const message = `something of both sides lives in conflict ${c.id}, so neither of them is the one that lost`;
  throw new TidemarkError("usage", message, { hint: "take mine or theirs" });
}

function refusal(c: Record, code: Code, message: string): TidemarkError {
  const hint = `if nothing is to be done: UPDATE ${CONFLICTS_TABLE} SET state = 'resolved' WHERE id = '${c.id}'`;
  return new TidemarkError(code, message, { op: "resolve", table: c.table, hint });
}

/** The records of all columns that merged as one with this one. */
function unit({ db, c }: Known): Record[] {
  if (c.unit === "") return [c];
  const where =
    "seq = ?1 AND mine_by = ?2 AND tbl = ?3 AND row = ?4 AND unit = ?5 AND col IS NOT NULL ORDER BY length(id), id";
  return records(db, where, BigInt(c.seq), c.mineBy, c.table, c.row, c.unit);
}

function writeCells({ db, c, t, key }: Known, list: readonly Record[], value: (r: Record) => Value): boolean {
  const now = row.get(db, t, key);
  if (!now) throw refusal(c, "not_found", "the row is gone");
  const columns = list.map((r) => place(t, r.column));
  const gone = columns.indexOf(-1);
  if (gone >= 0) throw refusal(c, "not_found", `table ${c.table} has no column ${list[gone]!.column} any more`);
  row.update(db, t, key, columns, list.map(value));
  settle(db, list);
  return list.some((r, i) => cellMoved(r, now[columns[i]!]!));
}

/** Whether a cell holds something else than the conflict left in it, as far as that was recorded. */
function cellMoved(r: Record, now: Value): boolean {
  return r.state !== "resolved" && r.winner !== "both" && !same(now, r[r.winner]);
}

function settle(db: Database, list: readonly Record[]): void {
  for (const r of list) db.run(`UPDATE OR ABORT main.${CONFLICTS_TABLE} SET state = 'resolved' WHERE id = ?1`, r.id);
}

/** Makes one side of a conflict about a whole row true. */
function takeRow(k: Known, rows: NonNullable<Record["rows"]>, side: "theirs" | "mine"): boolean {
  const { db, c, t, key } = k;
  const want = rows[side];
  const left = sideLeft(rows, c.winner);
  const now = row.get(db, t, key);
  let moved = rowMoved(k, left, now);
  // SQLite gives the id of a deleted row to another one.
  const another = now !== null && left === null && c.state !== "resolved";
  if (want === null) {
    if (another)
      moved = false; // the row that the conflict is about stays deleted
    else if (now) row.remove(db, t, key);
  } else if (now === null) {
    putBack(k, [rows[side === "mine" ? "theirs" : "mine"], rows.base, want]);
  } else if (another) {
    throw new TidemarkError("unique", "a row with this key was inserted since, which may be another row", {
      table: t.name,
      columns: columnNames(t, t.key),
      hint: "the record shows the values: write them where they belong, then set the record to resolved",
    });
  } else {
    change(k, want, rows.base);
  }
  settle(db, [c]);
  return moved;
}

/** The side that the conflict left in the table. */
function sideLeft(rows: NonNullable<Record["rows"]>, winner: Winner): Side | null {
  return winner === "theirs" ? rows.theirs : rows.mine;
}

function rowMoved({ c, t }: Known, left: Side | null, now: Row | null): boolean {
  if (c.state === "resolved" || c.winner === "both") return false;
  if (left === null || now === null) return (left === null) !== (now === null);
  return [...left].some(([name, v]) => place(t, name) >= 0 && !same(now[place(t, name)]!, v));
}

/** Puts a row back: where what both started from is not known, the other side stands in for columns that the edit does not name. */
function putBack({ db, t, key }: Known, sides: readonly (Side | null)[]): void {
  const whole = new Map<number, Value>(t.key.map((at, i) => [at, key[i]!]));
  for (const side of sides) {
    for (const [name, v] of side ?? []) if (place(t, name) >= 0) whole.set(place(t, name), v);
  }
  const columns = [...whole.keys()].sort((a, b) => a - b);
  const names = columns.map((at) => quote(t.columns[at]!.name)).join(", ");
  const marks = columns.map((_, i) => `?${i + 1}`).join(", ");
  db.run(
    `INSERT OR ABORT INTO main.${quote(t.name)} (${names}) VALUES (${marks})`,
    ...columns.map((at) => whole.get(at)!),
  );
}

/** Writes the columns in which a side differs from what both started from. */
function change({ db, t, key }: Known, want: Side, base: Side | null): void {
  const columns: number[] = [];
  const values: Value[] = [];
  t.columns.forEach((column, at) => {
    const v = lookup(want, column.name);
    const before = base ? lookup(base, column.name) : undefined;
    if (v === undefined || (before !== undefined && same(before, v))) return;
    columns.push(at);
    values.push(v);
  });
  if (columns.length > 0) row.update(db, t, key, columns, values);
}

/** A column's value by the column's name, compared as SQLite does. */
function lookup(side: Side, column: string): Value | undefined {
  if (side.has(column)) return side.get(column);
  for (const [name, v] of side) if (sameName(name, column)) return v;
  return undefined;
}
