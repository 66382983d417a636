import fc from "fast-check";
import { expect, test } from "vitest";
import { quote } from "../../src/lite/quote.ts";
import { begin, commit, touched } from "../../src/replica/write.ts";
import type { Table } from "../../src/schema.ts";
import { RawText, type Value } from "../../src/value.ts";
import { type Cell, type Cells, sameCells } from "../../src/watch/difference.ts";
import { readsOf } from "../../src/watch/reads.ts";
import { touchedBy } from "../../src/watch/touched.ts";
import { type Patch, type Touched, Watches } from "../../src/watch/watches.ts";
import { kinds } from "../capture/kinds.ts";
import { Writer } from "../capture/writer.ts";
import { type Device, Origin } from "../replica/fixture.ts";

const shown = (v: Value): Cell =>
  typeof v === "bigint" && Number.isSafeInteger(Number(v)) ? Number(v) : v instanceof RawText ? v.bytes : v;
const stored = (c: Cell): Value => (Number.isSafeInteger(c) && !Object.is(c, -0) ? BigInt(c as number) : c);

/** The worker's live queries of a real replica, and what a tab would have put together. */
class Screen {
  readonly #d: Device;
  readonly watches: Watches;
  readonly #shown = new Map<number, { sql: string; params: Cells; rows: Cells[] }>();

  constructor(d: Device) {
    this.#d = d;
    this.watches = new Watches({
      query: (sql, params) => this.#query(sql, params),
      reads: (sql) => readsOf(d.db, d.r.schema, sql),
      table: (name) => {
        const t = d.r.schema.tables.find((t) => t.name === name)!;
        return { columns: t.columns.map((c) => c.name), key: t.key.map((k) => t.columns[k]!.name) };
      },
      now: () => 0,
    });
  }

  #query(sql: string, params: Cells): Cells[] {
    const rows: Cells[] = [];
    this.#d.db.each(sql, (s) => rows.push(s.row().map(shown)), ...params.map(stored));
    return rows;
  }

  watch(sql: string, params: Cells): void {
    const p = this.watches.add("a", { sql, params });
    expect(p.error, sql).toBeUndefined();
    this.#shown.set(p.id, { sql, params, rows: [...p.whole!.rows] });
  }

  run(): void {
    for (const p of this.watches.run()) this.#take(p);
  }

  #take(p: Patch): void {
    const q = this.#shown.get(p.id)!;
    expect(p.error, q.sql).toBeUndefined();
    q.rows = p.parts!.flatMap(([at, what]) => (typeof what === "number" ? q.rows.slice(at, at + what) : [what]));
  }

  /** Every result is what the query gives. */
  check(why: string): void {
    for (const { sql, params, rows } of this.#shown.values()) {
      const want = this.#query(sql, params);
      const same = rows.length === want.length && rows.every((r, i) => sameCells(r, want[i]!));
      if (!same) expect(rows, `${sql} of ${params}\nafter ${why}`).toEqual(want);
    }
  }
}

/** Queries of one table that are followed row by row, and some that are not. */
function watchAll(s: Screen, t: Table, w: Writer): void {
  const name = quote(t.name);
  const column = (): string => quote(w.pick(t.columns).name);
  const key = t.key.map((k) => quote(t.columns[k]!.name)).join();
  const param = (): Cell => w.pick<Cell>([0, 1, 2, 3, "a", "A", "b", "1", null]);
  s.watch(`SELECT * FROM ${name} ORDER BY ${key}`, []);
  s.watch(`SELECT * FROM ${name} WHERE ${column()} = ? ORDER BY ${column()}, ${key}`, [param()]);
  s.watch(`SELECT ${key}, ${column()} FROM ${name} WHERE ${column()} IS NOT ? ORDER BY ${key} LIMIT 3`, [param()]);
  s.watch(
    `SELECT ${key} FROM ${name} WHERE ${column()} = ? AND ${column()} IS NOT 7 ORDER BY ${column()} DESC, ${key}`,
    [param()],
  );
  s.watch(`SELECT count(*), count(${column()}) FROM ${name}`, []);
  s.watch(`SELECT max(${column()}) FROM ${name} WHERE ${column()} > ?`, [param()]);
}

/** What a batch touched, as the host of the worker decides it. */
function touchedByBatch(
  d: Device,
  changes: Parameters<typeof touchedBy>[1],
  tables: readonly number[],
  settled: number,
): Touched {
  const whole = d.r.schema.tables
    .filter((t) => tables.includes(t.id))
    .map((t) => [t.name, { columns: null, keys: null }] as const);
  if (settled > 0 || d.db.int("SELECT count(*) FROM _tm_pending") > 0) return new Map(whole);
  return touchedBy(d.r.schema, changes);
}

test.for(Object.keys(kinds))("live queries follow what is captured and what comes: %s", (kind) => {
  const numRuns = 4;
  fc.assert(
    fc.property(fc.gen(), (g) => {
      const o = new Origin(kinds[kind]!);
      const w = new Writer(g, o.schema);
      const write = (db: Device["db"], list: ReturnType<Writer["next"]>): string => {
        for (const { sql, args } of list) {
          try {
            db.run(sql, ...args);
          } catch {
            // A constraint says no: the statement did nothing. An error can also end the transaction.
            if (!db.inTransaction) break;
          }
        }
        return list.map((m) => m.sql).join("; ");
      };
      for (let i = 0; i < 15; i++) write(o.db, w.next());
      o.commit();
      const d = o.clone();
      const s = new Screen(d);
      for (const t of o.schema.tables) watchAll(s, t, w);
      s.check("the start");
      for (let i = 0; i < 12; i++) {
        let did = "";
        if (w.below(3) === 0) {
          did = `from the server: ${write(o.db, w.next())}`;
          const b = o.commit();
          const a = d.apply(b);
          s.watches.commit(touchedByBatch(d, b.changes, a.tables, a.settled.length));
        } else {
          begin(d.r);
          for (let n = 1 + w.below(3); n > 0 && d.db.inTransaction; n--) did += write(d.db, w.next());
          let done = false;
          try {
            commit(d.r, i);
            done = true;
          } catch {
            // A deferred constraint says no: all is undone.
          }
          if (done) s.watches.commit(touched(d.r));
          if (w.below(4) > 0) d.r.seal(i);
        }
        if (w.below(3) === 0) continue;
        s.run();
        s.check(did);
      }
      s.run();
      s.check("the end");
      d.close();
      o.close();
    }),
    { numRuns, endOnFailure: true },
  );
});
