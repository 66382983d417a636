import type { Database } from "../lite/database.ts";
import { decodeAnswer, encodeAnswer } from "./answers.ts";
import { SLOTS } from "./slots.ts";

/** How long answers are kept for a tab that says nothing, milliseconds. */
const KEPT = 24 * 3600_000;

/**
 * Remembers which writes were committed, in the same transactions: a tab whose
 * worker died asks the next one again under the same number, and gets the
 * answer in place of a second write.
 */
export class Journal {
  readonly #db: Database;

  constructor(db: Database, now: number) {
    this.#db = db;
    db.script(
      "CREATE TABLE IF NOT EXISTS main._tm_call (tab TEXT NOT NULL, slot INTEGER NOT NULL, id INTEGER NOT NULL, at INTEGER NOT NULL, answer TEXT NOT NULL, PRIMARY KEY (tab, slot)) WITHOUT ROWID",
    );
    db.run("DELETE FROM main._tm_call WHERE at < ?1", BigInt(now - KEPT));
  }

  /** Inside the transaction of the write. */
  note(tab: string, id: number, now: number, answer: unknown): void {
    this.#db.run(
      "INSERT OR REPLACE INTO main._tm_call (tab, slot, id, at, answer) VALUES (?1, ?2, ?3, ?4, ?5)",
      tab,
      BigInt(id % SLOTS),
      BigInt(id),
      BigInt(now),
      encodeAnswer(answer),
    );
  }

  /** Takes over what another file remembers. */
  take(from: Database): void {
    const sql = "INSERT OR REPLACE INTO main._tm_call (tab, slot, id, at, answer) VALUES (?1, ?2, ?3, ?4, ?5)";
    this.#db.transaction(() =>
      from.each("SELECT tab, slot, id, at, answer FROM main._tm_call", (s) => this.#db.run(sql, ...s.row())),
    );
  }

  /** The answer of a write that was committed. */
  find(tab: string, id: number): { readonly answer: unknown } | null {
    const row = this.#db.get(
      "SELECT answer FROM main._tm_call WHERE tab = ?1 AND slot = ?2 AND id = ?3",
      tab,
      BigInt(id % SLOTS),
      BigInt(id),
    );
    return row ? { answer: decodeAnswer(String(row[0])) } : null;
  }
}
