import { type Change, DELETE, INSERT, type Seq } from "../../src/change.ts";
import type { KeyID } from "../../src/key.ts";
import { keyID } from "../../src/key.ts";
import { meet, apply as put } from "../../src/merge/merge.ts";
import { editOf, groupOf, policyOf } from "../../src/policy.ts";
import type { Pending } from "../../src/replica/pending.ts";
import type { Table } from "../../src/schema.ts";
import { compose, transform } from "../../src/splice/algebra.ts";
import { apply } from "../../src/splice/apply.ts";
import { diff } from "../../src/splice/diff.ts";
import { parseEdit } from "../../src/splice/edit.ts";
import type { Patch } from "../../src/splice/splice.ts";
import { type Row, same, sameRow, type Value } from "../../src/value.ts";

export type Rows = ReadonlyMap<KeyID, Row>;

/** A changeset that the desk does not take. */
class Refused extends Error {}

/** Where the texts stand that merge as such. */
const bodyColumn = 5;

const textOf = (v: Value | undefined): string => (typeof v === "string" ? v : "");

/**
 * A server that decides by policy, written down as plainly as can be: it remembers
 * of each cell who wrote it last, and of each text what others did to it since the
 * replica looked. It can be copied, so that a test can ask what it would do.
 */
export class Desk {
  readonly t: Table;
  rows: Map<KeyID, Row>;
  /** Rows that somebody else deleted, and when. */
  #dead = new Map<KeyID, { row: Row; seq: Seq }>();
  /** Who wrote a cell last, by row and column. */
  #writer = new Map<string, { seq: Seq; own: boolean }>();
  /** By row and changeset of the replica: what others did to the text since. */
  #bridges = new Map<KeyID, Map<number, Patch>>();
  #foreign = new Map<KeyID, readonly { seq: Seq; p: Patch }[]>();
  #refused = new Set<number>();
  /** The rows at each seq. */
  #past: Rows[];

  constructor(t: Table, rows: Rows) {
    this.t = t;
    this.rows = new Map(rows);
    this.#past = [new Map(rows)];
  }

  clone(): Desk {
    const c = new Desk(this.t, this.rows);
    c.#dead = new Map(this.#dead);
    c.#writer = new Map(this.#writer);
    c.#bridges = new Map([...this.#bridges].map(([k, v]) => [k, new Map(v)]));
    c.#foreign = new Map(this.#foreign);
    c.#refused = new Set(this.#refused);
    c.#past = [...this.#past];
    return c;
  }

  /** Takes what other replicas did: the rows as they are at seq. */
  others(rows: Rows, seq: Seq): void {
    for (const [key, row] of this.rows) if (!rows.has(key)) this.#dead.set(key, { row, seq });
    for (const [key, now] of rows) {
      const was = this.rows.get(key);
      if (!was) this.#dead.delete(key);
      for (const [c, v] of now.entries()) {
        if (was && same(was[c]!, v)) continue;
        this.#writer.set(`${c} ${key}`, { seq, own: false });
        if (c === bodyColumn && was) this.#bridge(key, seq, diff(textOf(was[c]), textOf(v)));
      }
    }
    this.rows = new Map(rows);
    this.passed();
  }

  #bridge(key: KeyID, seq: Seq, p: Patch): void {
    this.#foreign.set(key, [...(this.#foreign.get(key) ?? []), { seq, p }]);
    const bridges = this.#bridges.get(key) ?? new Map<number, Patch>();
    for (const [n, b] of bridges) bridges.set(n, compose(b, p));
  }

  /** Notes the rows at the next seq. */
  passed(): void {
    this.#past.push(new Map(this.rows));
  }

  /** Takes a changeset, or refuses it and changes nothing. */
  judge(p: Pending, seq: Seq): boolean {
    const before = this.clone();
    try {
      for (const c of p.changes ?? []) this.#take(c, p.n, p.seen, seq);
      return true;
    } catch (err) {
      if (!(err instanceof Refused)) throw err;
      this.rows = before.rows;
      this.#dead = before.#dead;
      this.#writer = before.#writer;
      this.#bridges = before.#bridges;
      this.#refused.add(p.n);
      return false;
    }
  }

  /** Whether somebody else changed a cell that an author had not seen. */
  #behind(key: KeyID, col: number, seen: Seq): boolean {
    const w = this.#writer.get(`${col} ${key}`);
    return w !== undefined && !w.own && w.seq > seen;
  }

  #take(c: Change, n: number, seen: Seq, seq: Seq): void {
    const key = keyID(this.t, c.key);
    const now = this.rows.get(key);
    const updateWins = this.t.policy.onDelete === "update-wins";
    if (c.op === INSERT) {
      if (!now) this.#put(key, c.values, seq, n);
      else if (!sameRow(now, c.values)) throw new Refused();
    } else if (c.op === DELETE) {
      if (!now || (updateWins && now.some((_, col) => this.#behind(key, col, seen)))) return;
      this.rows.delete(key);
      this.#dead.delete(key);
    } else {
      const dead = this.#dead.get(key);
      const from = now ?? (dead && dead.seq > seen && updateWins ? dead.row : null);
      if (from) this.#update(key, from, c, n, seen, seq);
    }
  }

  #put(key: KeyID, image: Row, seq: Seq, n: number): void {
    this.rows.set(key, image);
    this.#dead.delete(key);
    for (const col of image.keys()) this.#writer.set(`${col} ${key}`, { seq, own: true });
    this.#bridges.set(key, new Map([[n, []]]));
  }

  #update(key: KeyID, now: Row, c: Change, n: number, seen: Seq, seq: Seq): void {
    const after = [...now];
    for (const [i, col] of c.columns.entries()) after[col] = this.#cell(key, now[col]!, c, i, n, seen);
    if (!this.rows.has(key)) {
      this.#put(key, after, seq, n);
      return;
    }
    for (const col of c.columns) {
      if (!same(after[col]!, now[col]!)) this.#writer.set(`${col} ${key}`, { seq, own: true });
    }
    this.rows.set(key, after);
  }

  #cell(key: KeyID, now: Value, c: Change, i: number, n: number, seen: Seq): Value {
    const col = c.columns[i]!;
    const edit = editOf(c, i);
    const mine = c.values[i]!;
    if (edit?.kind === "t") return this.#text(key, now, edit.body, n, seen);
    const met = groupOf(this.t, col).some((other) => this.#behind(key, other, seen));
    return orRefused(() => {
      if (!met || edit?.kind === "a" || !this.rows.has(key)) return put(now, mine, edit);
      const column = this.t.columns[col]!;
      return meet({ column, policy: policyOf(this.t, col), base: null, based: false, theirs: now, mine, edit }).value;
    });
  }

  #text(key: KeyID, now: Value, body: string, n: number, seen: Seq): Value {
    const edit = parseEdit(body);
    if (this.#refused.has(edit.after)) throw new Refused();
    let over: Patch = [];
    if (edit.on) {
      over = diff(apply(edit.on, textOf(this.#past[seen]!.get(key)?.[bodyColumn])), textOf(now));
    } else if (edit.after !== 0) {
      over = this.#bridges.get(key)?.get(edit.after) ?? [];
    } else {
      for (const f of this.#foreign.get(key) ?? []) if (f.seq > seen) over = compose(over, f.p);
    }
    const [mine, rest] = transform(edit.patch, over, true);
    const after = orRefused(() => apply(mine, textOf(now))); // somebody else may have made the row anew
    const bridges = this.#bridges.get(key) ?? new Map<number, Patch>();
    this.#bridges.set(key, bridges.set(n, rest));
    return after;
  }
}

function orRefused<T>(fn: () => T): T {
  try {
    return fn();
  } catch (cause) {
    throw new Refused("", { cause });
  }
}
