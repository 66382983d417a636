import { CONFLICTS_TABLE, type ConflictState, type Winner } from "../conflict.ts";
import { TidemarkError } from "../error.ts";
import type { Database } from "../lite/database.ts";
import type { Statement } from "../lite/statement.ts";
import type { Value } from "../value.ts";
import { decodeValue, decodeValues } from "../wire/value.ts";

/** A row by the names of its columns. */
export type Side = ReadonlyMap<string, Value>;

/** One record: two edits that met, of one cell or of one row. */
export interface Record {
  readonly id: string;
  readonly state: ConflictState;
  readonly table: string;
  /** null where the record cannot be read. */
  readonly key: Value[] | null;
  /** "": the whole row is meant, and the sides are in `rows`. */
  readonly column: string;
  readonly unit: string;
  readonly policy: string;
  readonly winner: Winner;
  readonly base: Value;
  readonly theirs: Value;
  readonly mine: Value;
  readonly rows: { readonly base: Side | null; readonly theirs: Side | null; readonly mine: Side | null } | null;
  readonly theirsBy: string;
  readonly mineBy: string;
  readonly author: string;
  readonly madeAt: number;
  readonly at: number;
  readonly seq: number;
  /** The key as the record has it. */
  readonly row: string;
}

const COLUMNS = `id, state, tbl, row, coalesce(col, ''), col IS NULL, coalesce(unit, ''), policy, winner, base, theirs, mine,
  coalesce(theirs_by, ''), mine_by, author, made_at, at, seq`;

/** Reads the records that a condition selects; a file without the table has none. */
export function records(db: Database, where: string, ...args: Value[]): Record[] {
  const list: Record[] = [];
  if (!exists(db)) return list;
  db.each(`SELECT ${COLUMNS} FROM main.${CONFLICTS_TABLE} WHERE ${where}`, (s) => list.push(scan(s)), ...args);
  return list;
}

/** Lists the records in these states, the oldest first. */
export function list(db: Database, states: readonly ConflictState[], table = "", limit = 0): Record[] {
  const marks = states.map(() => "?").join(", ");
  const where = `state IN (${marks}) AND (? = '' OR tbl = ? COLLATE NOCASE) ORDER BY seq, length(id), id`;
  return records(db, limit > 0 ? `${where} LIMIT ${Math.trunc(limit)}` : where, ...states, table, table);
}

/** Reads one record. */
export function one(db: Database, id: string): Record {
  const found = records(db, "id = ?1", id)[0];
  if (found) return found;
  throw new TidemarkError("not_found", `there is no conflict ${id}`, {
    hint: "records go when the time is over for which their table keeps them",
  });
}

/** Counts the records that wait for a decision. */
export function countOpen(db: Database): number {
  return exists(db) ? db.int(`SELECT count(*) FROM main.${CONFLICTS_TABLE} WHERE state = 'open'`) : 0;
}

function exists(db: Database): boolean {
  return db.int("SELECT count(*) FROM main.sqlite_schema WHERE type = 'table' AND name = ?1", CONFLICTS_TABLE) > 0;
}

/** The table can be written by any program: what cannot be read has no key. */
function scan(s: Statement): Record {
  const whole = s.int(5) !== 0;
  let key: Value[] | null = null;
  let rows: Record["rows"] = null;
  try {
    key = decodeValues(s.text(3));
    if (whole) rows = { base: side(s.value(9)), theirs: side(s.value(10)), mine: side(s.value(11)) };
  } catch {
    key = null;
    rows = whole ? { base: null, theirs: null, mine: null } : null;
  }
  return {
    id: s.text(0),
    state: s.text(1) as ConflictState, // a server writes no others
    table: s.text(2),
    row: s.text(3),
    key,
    column: s.text(4),
    unit: s.text(6),
    policy: s.text(7),
    winner: s.text(8) as Winner, // likewise
    base: whole ? null : s.value(9),
    theirs: whole ? null : s.value(10),
    mine: whole ? null : s.value(11),
    rows,
    theirsBy: s.text(12),
    mineBy: s.text(13),
    author: s.text(14),
    madeAt: s.int(15),
    at: s.int(16),
    seq: s.int(17),
  };
}

function side(v: Value): Side | null {
  if (v === null) return null;
  return new Map(Object.entries(JSON.parse(String(v))).map(([name, raw]) => [name, decodeValue(JSON.stringify(raw))]));
}
