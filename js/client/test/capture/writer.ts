import fc from "fast-check";
import { quote } from "../../src/lite/quote.ts";
import type { Schema, Table } from "../../src/schema.ts";
import { textOf, type Value } from "../../src/value.ts";

/** SQL with its arguments. */
export interface Made {
  sql: string;
  readonly args: Value[];
}

const bytes = (...b: number[]) => Uint8Array.from(b);
const common: Value[] = [0n, 1n, 2n, 3n, 4n, 5n, 1n, 2n, 3n, -1n, "a", "A", "a ", "b", "B", "1", null];
const rare: Value[] = [
  ...[-(2n ** 63n), 2n ** 63n - 1n, 2n ** 53n, 2n ** 53n + 1n, -(2 ** 63), 2 ** 63, 0, -0, 1, 1.5, Infinity, -Infinity],
  ...[
    5e-324,
    2 ** 53,
    "",
    "a\0b",
    "a\0c",
    "😀𝄞",
    textOf(bytes(255, 254)),
    "Ä",
    "ä",
    "0.0",
    "-0.0",
    "9223372036854775808",
  ],
  ...["1e3", bytes(), bytes(97), bytes(0), new Uint8Array(80).fill(98)],
];

/** Makes up statements. Values come from small sets, so that keys and unique values collide all the time. */
export class Writer {
  readonly #g: fc.GeneratorValue;
  readonly #s: Schema;

  constructor(g: fc.GeneratorValue, s: Schema) {
    this.#g = g;
    this.#s = s;
  }

  below(n: number): number {
    return this.#g(fc.nat, { max: n - 1 });
  }

  pick<T>(list: readonly T[]): T {
    return list[this.below(list.length)]!;
  }

  next(): Made[] {
    const t = this.pick(this.#s.tables);
    switch (this.below(12)) {
      case 4:
        return [this.#insert(t, true)];
      case 5:
      case 6:
      case 7:
      case 8:
        return [this.#update(t)];
      case 9:
        return [this.#copy(t)];
      case 10:
        return this.#swap(t);
      case 11:
        return [this.#delete(t)];
      default:
        return [this.#insert(t, false)];
    }
  }

  /** Prefers values that the column takes. */
  #value(t: Table, c: number): Value {
    const col = t.columns[c]!;
    const whole = (t.rowidAlias && t.key[0] === c) || (t.strict && col.type.startsWith("INT"));
    for (let i = 0; i < 4; i++) {
      const v = this.pick(this.below(4) === 0 ? rare : common);
      if ((v === null && col.notNull) || (whole && typeof v !== "bigint")) continue;
      return v;
    }
    return BigInt(this.below(4));
  }

  #or(): string {
    return this.pick(["", "", "", " OR REPLACE", " OR REPLACE", " OR IGNORE", " OR FAIL", " OR ABORT"]);
  }

  #insert(t: Table, upsert: boolean): Made {
    const st: Made = { sql: "", args: [] };
    const cols = t.columns.flatMap((_, c) => (t.columns.length > 1 && this.below(8) === 0 ? [] : [c]));
    if (cols.length === 0) cols.push(0);
    const names = cols.map((c) => quote(t.columns[c]!.name)).join();
    const values = cols.map((c) => bind(st, this.#value(t, c))).join();
    st.sql = `INSERT${upsert ? "" : this.#or()} INTO ${quote(t.name)} (${names}) VALUES (${values})`;
    if (upsert) st.sql += ` ON CONFLICT DO ${this.below(3) > 0 ? `UPDATE SET ${this.#sets(t, st)}` : "NOTHING"}`;
    return st;
  }

  #sets(t: Table, st: Made): string {
    const cols = new Set(Array.from({ length: 1 + this.below(3) }, () => this.below(t.columns.length)));
    const one = (c: number): string => {
      const q = quote(t.columns[c]!.name);
      switch (this.below(6)) {
        case 0:
          return `${q} = ${q} + 1`;
        case 1:
          return `${q} = ${quote(this.pick(t.columns).name)}`;
        case 2:
          return `${q} = upper(${q})`;
        default:
          return `${q} = ${bind(st, this.#value(t, c))}`;
      }
    };
    return [...cols].map(one).join();
  }

  #update(t: Table): Made {
    const st: Made = { sql: "", args: [] };
    const sets = this.#sets(t, st);
    st.sql = `UPDATE${this.#or()} ${quote(t.name)} SET ${sets}${this.#where(t, st)}`;
    return st;
  }

  #where(t: Table, st: Made): string {
    if (this.below(8) === 0) return "";
    const c = this.below(2) === 0 ? this.pick(t.key) : this.below(t.columns.length);
    const op = this.pick(["=", "=", "<", ">=", "IS"]);
    return ` WHERE ${quote(t.columns[c]!.name)} ${op} ${bind(st, this.#value(t, c))}`;
  }

  #delete(t: Table): Made {
    const st: Made = { sql: "", args: [] };
    st.sql = `DELETE FROM ${quote(t.name)}${this.#where(t, st)}`;
    return st;
  }

  /** Inserts rows made from rows of the same table. */
  #copy(t: Table): Made {
    const st: Made = { sql: "", args: [] };
    const k = this.pick(t.key);
    const names = t.columns.map((c) => quote(c.name));
    const values = names.map((q, c) => {
      if (c === k) return `${q} + 1`;
      return this.below(3) === 0 ? bind(st, this.#value(t, c)) : q;
    });
    st.sql = `INSERT${this.#or()} INTO ${quote(t.name)} (${names.join()}) SELECT ${values.join()}
      FROM ${quote(t.name)}${this.#where(t, st)} LIMIT 3`;
    return st;
  }

  /** Exchanges two values of a key column by way of a third. */
  #swap(t: Table): Made[] {
    const k = this.pick(t.key);
    const q = quote(t.columns[k]!.name);
    const [a, b] = [this.#value(t, k), this.#value(t, k)];
    const move = (from: Value, to: Value): Made => ({
      sql: `UPDATE ${quote(t.name)} SET ${q} = ?1 WHERE ${q} = ?2`,
      args: [to, from],
    });
    return [move(a, 99n), move(b, a), move(99n, b)];
  }
}

function bind(st: Made, v: Value): string {
  st.args.push(v);
  return `?${st.args.length}`;
}
