import type { Database } from "../lite/database.ts";
import { bytesOfBinary } from "../value.ts";
import { keyIDOf, type RowID, rowID, tableOf } from "./base.ts";

/** So many rows are looked up one by one before it is asked whether reading all names is cheaper. */
const patience = 64;

/**
 * Says of a row whether a confirmed image of it is kept, which is whether
 * pending touches it. A large batch asks that of each row: then the names are
 * read once, unless there are far more of them than questions.
 */
export class Held {
  readonly #db: Database;
  #all: Set<RowID> | null = null;
  #asked = 0;
  #next = patience;

  constructor(db: Database) {
    this.#db = db;
  }

  has(id: RowID): boolean {
    if (!this.#all && ++this.#asked > this.#next) this.#read();
    if (this.#all) return this.#all.has(id);
    const query = "SELECT 1 FROM main._tm_base WHERE t = ?1 AND key = ?2";
    return this.#db.get(query, BigInt(tableOf(id)), bytesOfBinary(keyIDOf(id))) !== null;
  }

  #read(): void {
    const most = 8 * this.#next;
    this.#next = most;
    const n = this.#db.int(`SELECT count(*) FROM (SELECT 1 FROM main._tm_base LIMIT ${most + 1})`);
    if (n > most) return;
    const all = new Set<RowID>();
    this.#db.each("SELECT t, key FROM main._tm_base", (s) => all.add(rowID(s.int(0), s.blob(1))));
    this.#all = all;
  }
}
