import fc from "fast-check";
import { expect } from "vitest";
import type { Outcome } from "../../src/change.ts";
import type { Database } from "../../src/lite/database.ts";
import { violation } from "../../src/lite/failure.ts";
import type { Images } from "../../src/replica/base.ts";
import type { Value } from "../../src/value.ts";
import type { Batch } from "../../src/wire/down.ts";
import { integrity } from "../integrity.ts";
import { type Device, expectRows, Origin, tellSchema } from "./fixture.ts";
import { Oracle } from "./oracle.ts";

/** What a step does. */
const kinds = ["local", "own", "server", "judge", "refuse", "deliver", "crash", "settle", "migrate"] as const;
type Kind = (typeof kinds)[number];

/** One step of a world: what happens, and the seed of the dice that say how. */
export interface Step {
  readonly kind: Kind;
  readonly seed: number;
}

/** A seed: as likely large as small, and none is simpler than another. */
export const seeds = fc.noShrink(fc.noBias(fc.nat(2 ** 31 - 1)));

const weights: Readonly<Record<Kind, number>> = {
  local: 4,
  own: 4,
  server: 4,
  judge: 3,
  refuse: 1,
  deliver: 5,
  crash: 1,
  settle: 1,
  migrate: 1,
};

/** Any course of events. */
export const courses = fc.array(
  fc.record({
    kind: fc.oneof(...kinds.map((kind) => ({ weight: weights[kind], arbitrary: fc.constant(kind) }))),
    seed: seeds,
  }),
  { minLength: 40, maxLength: 80, size: "max" },
);

/** Dice that fall the same way for the same seed. */
export class Dice {
  #state: number;

  constructor(seed: number) {
    this.#state = seed;
  }

  /** A number below limit (mulberry32, Tommy Ettinger). */
  n(limit: number): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0;
    let x = Math.imul(this.#state ^ (this.#state >>> 15), this.#state | 1);
    x ^= x + Math.imul(x ^ (x >>> 7), x | 61);
    return ((x ^ (x >>> 14)) >>> 0) % limit;
  }

  pick(...list: string[]): string {
    return list[this.n(list.length)]!;
  }
}

/** Writes a random statement. */
export type Statements = (d: Dice) => string;

/** One replica and its server, and what the oracle says of them after every step. */
export class World {
  readonly o: Origin;
  readonly d: Device;
  readonly #statement: Statements;
  readonly #columns: readonly string[];
  /** The server's rows at each seq. */
  readonly #states: Images[];
  readonly #batches: Batch[] = [];
  #outcomes: Outcome[] = [];
  #judged = 0;
  /** Rebases undo no more than they must. */
  readonly #narrow: boolean;

  /** columns are what migrations add, as "table column definition". */
  constructor(ddl: string, statement: Statements, columns: readonly string[], start: number, narrow: boolean) {
    this.o = new Origin(ddl);
    this.#statement = statement;
    this.#columns = columns;
    this.#narrow = narrow;
    const dice = new Dice(start);
    for (let i = 0; i < 15; i++) this.#some(this.o.db, dice);
    this.o.rows = this.o.read();
    this.#states = [this.o.rows];
    this.d = this.o.clone();
    if (narrow) this.d.r.exact = 0;
  }

  get #seq(): number {
    return this.d.r.status().seq;
  }

  /** Runs a random transaction; one that a constraint refuses is rolled back. */
  #some(db: Database, dice: Dice): void {
    try {
      db.transaction(() => this.#statements(db, dice));
    } catch (err) {
      if (!violation(err)) throw err;
    }
  }

  #statements(db: Database, dice: Dice): void {
    for (let i = dice.n(3); i >= 0; i--) db.script(this.#statement(dice));
  }

  step({ kind, seed }: Step): void {
    const dice = new Dice(seed);
    switch (kind) {
      case "local":
        this.#some(this.d.db, dice);
        break;
      case "own":
        try {
          this.d.own(() => this.#statements(this.d.db, dice));
        } catch (err) {
          if (!violation(err)) throw err;
        }
        break;
      case "server":
        this.#some(this.o.db, dice);
        this.#accept(this.o.commit());
        break;
      case "judge":
      case "refuse":
        this.#judge(kind === "refuse");
        break;
      case "deliver":
        this.#deliver(dice);
        break;
      case "crash":
        this.d.crash();
        break;
      case "settle":
        this.d.settle(...this.#due(this.#seq));
        break;
      case "migrate":
        this.#migrate(dice);
    }
    this.check();
  }

  #accept(b: Batch): void {
    this.#batches.push(b);
    this.#states.push(this.o.rows);
  }

  /** Lets the server answer the next pending changeset, or refuse it. */
  #judge(refuse: boolean): void {
    this.d.seal();
    const p = this.d.pending().find((x) => x.n > this.#judged);
    if (!p) return;
    this.#judged = p.n;
    if (refuse) {
      this.#outcomes.push(this.d.rejection(p.n, this.o.seq));
      return;
    }
    const { outcome, batch } = this.o.judge(p.n, this.d.hash(p.n), p.changes!);
    if (batch) this.#accept(batch);
    this.#outcomes.push(outcome);
  }

  #due(seq: number): Outcome[] {
    const later = this.#outcomes.findIndex((o) => o.seq > seq);
    return this.#outcomes.splice(0, later < 0 ? this.#outcomes.length : later);
  }

  /** Adds a column to a table of the server. */
  #migrate(dice: Dice): void {
    const at = dice.n(this.#columns.length);
    const [table, column] = this.#columns[at]!.split(" ", 2);
    if (this.o.schema.tables.some((t) => t.name === table && t.columns.some((c) => c.name === column))) return;
    this.o.alter(`ALTER TABLE ${table} ADD COLUMN ${this.#columns[at]!.slice(table!.length)}`);
    this.#some(this.o.db, dice);
    tellSchema(this.o, this.d);
    this.#accept(this.o.commit());
  }

  /** Brings some batches as one, at once or in chunks. A new schema begins another one. */
  #deliver(dice: Dice): void {
    const from = this.#seq;
    const schema = this.#batches[from]?.schema;
    if (schema === undefined) return;
    let to = from + 1;
    for (let more = dice.n(3); more > 0 && this.#batches[to]?.schema === schema; more--) to++;
    const parts = this.#batches.slice(from, to);
    const changes = parts.flatMap((b) => b.changes);
    const last = parts.at(-1)!;
    while (dice.n(3) === 0 && changes.length > 1) {
      const chunk = changes.splice(0, 1 + dice.n(changes.length - 1));
      expect(this.d.apply({ ...last, from, changes: chunk, more: true, cursor: "c" }).staged).toBe(true);
      if (dice.n(4) === 0) this.d.crash();
    }
    this.d.applyWell({ ...last, from, changes }, ...this.#due(to));
  }

  /** Compares the replica with the oracle. */
  check(): void {
    const { d } = this;
    d.seal();
    const confirmed = this.#states[this.#seq]!;
    const list = d.pending();
    const oracle = new Oracle(d.r.schema, confirmed, (sql) => this.#default(sql));
    if (this.#narrow) {
      for (const p of list) if (!p.suspended) oracle.play(p.changes!, new Set());
      expect(oracle.holds()).toBe(true);
    } else {
      const misfits = oracle.fold(list);
      expect(list.filter((p) => p.suspended).map((p) => p.n)).toEqual(misfits);
    }
    expectRows(d.rows(), oracle.images());
    d.checkBase(confirmed);
  }

  #default(sql: string): Value {
    return sql === "" ? null : this.o.db.get(`SELECT ${sql}`)![0]!;
  }

  /** Gives the memory of both databases back. */
  close(): void {
    this.o.close();
    this.d.close();
  }

  /** Answers and delivers everything: the copy must equal the server. */
  finish(): void {
    const { d, o } = this;
    d.seal();
    for (const _ of d.pending()) this.#judge(false);
    while (this.#seq < this.#batches.length) this.#deliver(new Dice(1));
    d.settle(...this.#due(this.#seq));
    this.check();
    expect(d.pending()).toEqual([]);
    expectRows(d.rows(), o.rows);
    if (this.#batches.length > 0) expect(d.r.status()).toMatchObject({ proven: true, repair: "", out: new Map() });
    integrity(d.r);
  }
}
