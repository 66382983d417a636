import type { Database } from "../lite/database.ts";
import { violation } from "../lite/failure.ts";
import { atOnce, each, type Work } from "../lite/work.ts";
import { insert, remove, update } from "../row/row.ts";
import { keyOf, type Table } from "../schema.ts";
import { type Row, same, type Value } from "../value.ts";
import { inOrder, type RowID } from "./base.ts";
import { blame } from "./mirror.ts";

interface Waiting {
  readonly t: Table;
  readonly before: Row | null;
  after: Row | null;
}

/** Judges a row that was refused and is not there now; throws where that is the end. */
export type Refused = (t: Table, id: RowID, after: Row | null, why: unknown) => void;

/**
 * Sets rows of the tables to images. A row whose unique value is still held by
 * another row waits until finish, where all that wait leave the tables before
 * the first comes back: rows may swap unique values.
 *
 * Confirmed rows are not judged by a CHECK: the server has them, be it by an
 * older rule, or because they were accepted as they were when it was adopted.
 */
export class RowWriter {
  readonly db: Database;
  readonly #confirmed: boolean;
  readonly #waiting = new Map<RowID, Waiting>();

  constructor(db: Database, confirmed: boolean) {
    this.db = db;
    this.#confirmed = confirmed;
  }

  /** Changes a row from before, which it holds, to after; null is no row. */
  set(t: Table, id: RowID, before: Row | null, after: Row | null): void {
    const held = this.#waiting.get(id);
    if (held) {
      held.after = after;
      return;
    }
    try {
      this.#put(t, before, after);
    } catch (err) {
      if (violation(err)?.code !== "unique") throw err;
      this.#waiting.set(id, { t, before, after });
    }
  }

  /** The image that a row will have; undefined when it does not wait. */
  shown(id: RowID): Row | null | undefined {
    return this.#waiting.size > 0 ? this.#waiting.get(id)?.after : undefined;
  }

  /** Writes the rows that wait. */
  finish(refused: Refused): void {
    atOnce(this.finishing(refused));
  }

  /** The same step by step. */
  *finishing(refused: Refused): Work<void> {
    if (this.#waiting.size === 0) return;
    const list = inOrder(this.#waiting.keys()).map((id) => ({ id, ...this.#waiting.get(id)! }));
    yield* each(list, ({ t, before }) => this.#put(t, before, null));
    yield* each(list, ({ t, id, after }) => {
      try {
        this.#put(t, null, after);
      } catch (err) {
        if (!violation(err)) throw err;
        refused(t, id, after, err);
      }
    });
    this.#waiting.clear();
  }

  #put(t: Table, before: Row | null, after: Row | null): void {
    try {
      put(this.db, t, before, after);
    } catch (err) {
      if (!this.#confirmed || violation(err)?.code !== "check") throw err;
      unchecked(this.db, () => put(this.db, t, before, after));
    }
  }
}

/** Runs fn while no CHECK judges. */
export function unchecked(db: Database, fn: () => void): void {
  db.run("PRAGMA ignore_check_constraints = ON");
  try {
    fn();
  } finally {
    db.run("PRAGMA ignore_check_constraints = OFF");
  }
}

/** Changes one row. after may be shorter than the table. */
export function put(db: Database, t: Table, before: Row | null, after: Row | null): void {
  try {
    if (after === null) {
      if (before !== null) remove(db, t, keyOf(t, before));
    } else if (before === null) {
      insert(db, t, after);
    } else {
      change(db, t, before, after);
    }
  } catch (err) {
    throw blame(t, err);
  }
}

function change(db: Database, t: Table, before: Row, after: Row): void {
  const cols: number[] = [];
  const values: Value[] = [];
  for (let i = 0; i < after.length; i++) {
    const v = after[i]!;
    if (i < before.length && same(before[i]!, v)) continue;
    cols.push(i);
    values.push(v);
  }
  if (cols.length > 0) update(db, t, keyOf(t, before), cols, values);
}
