import { TidemarkError } from "../error.ts";
import { keyID, rowID } from "../key.ts";
import type { Database } from "../lite/database.ts";
import type { Statement } from "../lite/statement.ts";
import { get } from "../row/row.ts";
import { type Schema, type Table, tableByID } from "../schema.ts";
import type { Row, Value } from "../value.ts";
import { BLANK, GROUP, KEY_REST, MARK, type Mark, SLOTS } from "./capture.ts";
import { type Layout, layoutOf } from "./layout.ts";
import { type Move, net } from "./move.ts";
import { TIME_SHIFT } from "./record.ts";
import { apply } from "./state.ts";

/**
 * What a transaction did to one row. `before` or `after` is null when the row
 * was not there; their keys differ when the row moved.
 */
export interface RowChange {
  readonly table: Table;
  readonly before: Row | null;
  readonly after: Row | null;
  /** When it was edited last, Unix milliseconds; 0 unless the table keeps that. */
  editedAt: number;
}

/** What one transaction did, rows in the order in which it first touched them. */
export interface Segment {
  /** null: not written between `begin` and `end`. */
  readonly mark: Mark | null;
  readonly rows: RowChange[];
}

/**
 * Nets the log into transactions, oldest first: own transactions by their
 * marks, what was written before, between and after them as one segment each.
 * Rows that did not change in the end are left out, segments without rows too.
 */
export function segments(db: Database, s: Schema): Segment[] {
  return new Pass(db, s).run().reverse();
}

/** What the pass knows of a row. */
export interface RowState {
  readonly id: string;
  readonly table: Table;
  /** At the point that the pass has reached; null: the row is absent. */
  now: Row | null;

  // Since the pass came into this segment.
  segment: number;
  /** At the segment's end. */
  after: Row | null;
  /** The oldest record that names the row. */
  first: number;
  /** When a column that keeps the newest edit was edited last, by the newest record that says so. */
  at: number;
  /** The same of all its columns. */
  last: number;
}

/** A log record as it is read. */
export interface Entry {
  readonly n: number;
  readonly op: number;
  readonly group: number;
  readonly mask: number;
  /** When it was written, where the table keeps that. */
  readonly at: number;
  readonly table: Table;
  readonly layout: Layout;
  readonly key: Value[];
  readonly cells: Value[];
}

/** Columns of the query that reads the log, before the slots. */
const slot = 5;

/** Reads the log backward. */
export class Pass {
  readonly db: Database;
  readonly rows = new Map<string, RowState>();
  /** Absent columns of younger tables' rows. */
  readonly defaults = new Map<Table, Row>();
  /** The segment that the pass is in. */
  number = 1;
  touched: RowState[] = [];
  /** Newest first. */
  moves: Move[] = [];
  /** What the last TO named. */
  arrival = "";

  readonly #schema: Schema;
  #mark: Mark | null = null;
  #floor = 0; // rowid of the own transaction's first record, 0 outside of one
  #rest: Value[] = []; // of the key of the record that comes next
  readonly #done: Segment[] = []; // newest first

  constructor(db: Database, schema: Schema) {
    this.db = db;
    this.#schema = schema;
  }

  /** The segments, newest first. */
  run(): Segment[] {
    const sql = `SELECT n, t, op, m & ${(1 << TIME_SHIFT) - 1}, m >> ${TIME_SHIFT}, v0, v1, v2, v3, v4, v5, v6, v7, v8, v9
      FROM main._tm_log ORDER BY n DESC`;
    this.db.each(sql, (s) => this.#read(s));
    this.#open(null, 0);
    return this.#done;
  }

  #read(s: Statement): void {
    const n = s.int(0);
    const code = s.int(2);
    if (code === MARK) {
      this.#open(...readMark(s, n));
      return;
    }
    if (this.#mark && n < this.#floor) this.#open(null, 0);
    if (code === BLANK) return;
    const table = tableByID(this.#schema, s.int(1));
    const rest = this.#rest;
    this.#rest = [];
    if (!table || table.out) return;
    const layout = layoutOf(table);
    const op = code % GROUP;
    const group = (code - op) / GROUP;
    if (op === KEY_REST) {
      this.#rest = [...values(s, 0, Math.min(SLOTS, layout.rest.length - SLOTS * group)), ...rest];
      return;
    }
    const inline = layout.inline.length;
    const key = [...values(s, 0, inline), ...rest];
    if (key.length !== table.key.length) throw damaged(n);
    const cells = values(s, inline, layout.groups[group]?.length ?? 0);
    apply(this, { n, op, group, mask: s.int(3), at: s.int(4), table, layout, key, cells });
  }

  /** Makes sure that the row's state is known and that the segment knows what the row was at its end. */
  touch(e: Entry): RowState {
    const id = rowID(e.table.id, keyID(e.table, e.key));
    let r = this.rows.get(id);
    if (!r) {
      const now = get(this.db, e.table, e.key);
      r = { id, table: e.table, now, segment: 0, after: null, first: 0, at: 0, last: 0 };
      this.rows.set(id, r);
    }
    if (r.segment !== this.number) {
      Object.assign(r, { segment: this.number, after: r.now, at: 0, last: 0 });
      this.touched.push(r);
    }
    r.first = e.n;
    return r;
  }

  /** Ends the segment that the pass comes from and begins an older one. */
  #open(mark: Mark | null, floor: number): void {
    const rows = net(this);
    if (rows.length > 0) this.#done.push({ mark: this.#mark, rows });
    this.#mark = mark;
    this.#floor = floor;
    this.touched = [];
    this.moves = [];
    this.number++;
  }
}

function values(s: Statement, from: number, n: number): Value[] {
  const out: Value[] = [];
  for (let i = 0; i < n; i++) out.push(s.value(slot + from + i));
  return out;
}

function readMark(s: Statement, n: number): [Mark, number] {
  const first = s.int(slot);
  const mark = { first, salt: s.blob(slot + 1), madeAt: s.int(slot + 2), seen: s.int(slot + 3) };
  return [mark, Math.min(first, n)];
}

function damaged(n: number): TidemarkError {
  return new TidemarkError("corrupt", `record ${n} of _tm_log is incomplete`, {
    op: "read the capture log",
    hint: "something else wrote _tm_log",
  });
}
