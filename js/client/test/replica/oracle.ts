import { type Change, DELETE, INSERT, UPDATE } from "../../src/change.ts";
import { keyID } from "../../src/key.ts";
import type { Pending } from "../../src/replica/pending.ts";
import type { ForeignKey, Schema, Table } from "../../src/schema.ts";
import { type Row, sameRow, type Value } from "../../src/value.ts";

type Rows = Map<number, Map<string, Row>>;

/**
 * Says what a replica must show: the confirmed rows with the pending changesets
 * that fit on top, in order, each judged on a whole copy of the rows with every
 * constraint looked at. It shares no code with the engine.
 */
export class Oracle {
  readonly #schema: Schema;
  readonly #defaults: (column: string) => Value;
  #rows: Rows = new Map();

  /** confirmed maps `table:key` to rows; defaults gives what a column holds of a row that does not name it. */
  constructor(schema: Schema, confirmed: ReadonlyMap<string, Row | null>, defaults: (sql: string) => Value) {
    this.#schema = schema;
    this.#defaults = defaults;
    for (const t of schema.tables) this.#rows.set(t.id, new Map());
    for (const [id, image] of confirmed) {
      const cut = id.indexOf(":");
      if (image) this.#rows.get(Number(id.slice(0, cut)))!.set(id.slice(cut + 1), image);
    }
  }

  /** Puts pending on top and returns the numbers of those that do not fit. */
  fold(pending: readonly Pending[]): number[] {
    const misfits: number[] = [];
    const lost = new Set<string>(); // rows that a misfit would have brought
    for (const p of pending) {
      const before = this.#rows;
      if (this.play(p.changes!, lost) && this.holds()) continue;
      this.#rows = before;
      misfits.push(p.n);
      for (const c of p.changes!) {
        const to = this.#destination(this.#table(c), c);
        if (c.op === INSERT || to !== keyID(this.#table(c), c.key)) lost.add(`${c.table}:${to}`);
      }
    }
    return misfits;
  }

  #table(c: Change): Table {
    return this.#schema.tables.find((t) => t.id === c.table)!;
  }

  #destination(t: Table, c: Change): string {
    const key = t.key.map((place, i) => {
      const j = c.op === UPDATE ? c.columns.indexOf(place) : -1;
      return j >= 0 ? c.values[j]! : c.key[i]!;
    });
    return keyID(t, key);
  }

  /** False where a key is taken or a row is missing that a misfit would have brought. */
  play(changes: readonly Change[], lost: ReadonlySet<string>): boolean {
    const old = this.#rows;
    this.#rows = new Map([...old].map(([t, rows]) => [t, new Map(rows)]));
    for (const c of changes) {
      const t = this.#table(c);
      const id = keyID(t, c.key);
      if (c.op === DELETE || (c.op === UPDATE && this.#destination(t, c) !== id)) this.#rows.get(t.id)!.delete(id);
    }
    return changes.every((c) => c.op === DELETE || this.#arrive(old, c, lost));
  }

  #arrive(old: Rows, c: Change, lost: ReadonlySet<string>): boolean {
    const t = this.#table(c);
    const rows = this.#rows.get(t.id)!;
    const from = keyID(t, c.key);
    const to = this.#destination(t, c);
    let image = t.columns.map((column, i) => (i < c.values.length ? c.values[i]! : this.#defaults(column.default)));
    if (c.op === UPDATE) {
      const before = old.get(t.id)!.get(from);
      if (!before) return !lost.has(`${t.id}:${from}`);
      image = [...(from === to ? rows.get(from)! : before)];
      c.columns.forEach((col, i) => {
        image[col] = c.values[i]!;
      });
    }
    const there = rows.get(to);
    if (there && !(c.op === UPDATE && from === to)) return c.op === INSERT && sameRow(there, image);
    rows.set(to, image);
    return true;
  }

  /** Checks every unique value and every foreign key of every row. */
  holds(): boolean {
    return this.#schema.tables.every((t) => {
      const rows = [...this.#rows.get(t.id)!.values()];
      return (
        t.uniques.every((u) => {
          const seen = new Set<string>();
          const by = u.terms.map((term) => term.collation);
          const cols = u.terms.map((term) => term.column);
          return rows.every((image) => {
            const v = project(image, cols, by);
            if (v === null) return true;
            return !seen.has(v) && seen.add(v);
          });
        }) && t.foreignKeys.every((fk) => this.#refers(rows, fk))
      );
    });
  }

  #refers(rows: readonly Row[], fk: ForeignKey): boolean {
    const parent = this.#schema.tables.find((t) => t.name.toLowerCase() === fk.parent.toLowerCase())!;
    const to = fk.to.map((name) => parent.columns.findIndex((c) => c.name.toLowerCase() === name.toLowerCase()));
    const by = to.map((c) => parent.columns[c]!.collation);
    const there = new Set([...this.#rows.get(parent.id)!.values()].map((image) => project(image, to, by)));
    return rows.every((image) => {
      const v = project(image, fk.columns, by);
      return v === null || there.has(v);
    });
  }

  /** The rows by `table:key`. */
  images(): Map<string, Row | null> {
    const all = new Map<string, Row | null>();
    for (const [t, rows] of this.#rows) for (const [key, image] of rows) all.set(`${t}:${key}`, image);
    return all;
  }
}

/** Names the values of some columns, as SQLite compares them; null when one is NULL. */
function project(image: Row, cols: readonly number[], by: readonly string[]): string | null {
  const parts: string[] = [];
  for (const [i, c] of cols.entries()) {
    let v = image[c]!;
    if (v === null) return null;
    if (typeof v === "number" && Number.isInteger(v) && Math.abs(v) < 2 ** 63) v = BigInt(v);
    if (typeof v === "string" && by[i] === "NOCASE") v = v.replace(/[A-Z]/g, (x) => x.toLowerCase());
    if (typeof v === "string" && by[i] === "RTRIM") v = v.replace(/ +$/, "");
    parts.push(`${v instanceof Uint8Array ? "b" : typeof v}:${v instanceof Uint8Array ? v.join() : v}`);
  }
  return parts.join("|");
}
