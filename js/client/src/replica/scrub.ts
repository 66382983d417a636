import type { Database } from "../lite/database.ts";
import { environment } from "../lite/failure.ts";
import { quote } from "../lite/quote.ts";
import type { Work } from "../lite/work.ts";
import * as meta from "../meta/meta.ts";
import { scoped } from "../schema.ts";
import type { Attempt } from "./attempt.ts";
import { tableOf } from "./base.ts";
import { failure } from "./connection.ts";
import { keyScrub } from "./facts.ts";
import { withoutMirrors } from "./mirror.ts";
import type { Replica } from "./replica.ts";
import { clearStage } from "./stage.ts";
import { transaction } from "./transaction.ts";

// What leaves a copy must not stay in the bytes of its file. The connection
// overwrites what it deletes; what is left to do is to empty the WAL, which keeps
// older states of pages, and, where a whole scope went, to merge full-text indexes.

/** Makes the connection overwrite what it deletes. */
export function overwriteDeleted(r: Replica): void {
  if (scoped(r.server)) r.db.text("PRAGMA main.secure_delete = ON");
}

/** Counts the rows that left, forgets their past, and asks for the WAL to be emptied. */
export function noteLeft(a: Attempt): void {
  if (a.left.size === 0) return;
  for (const [id, key] of a.left) {
    const keys = a.out.left.get(tableOf(id));
    if (keys) keys.push(key);
    else a.out.left.set(tableOf(id), [key]);
  }
  for (const [t, keys] of a.out.left) {
    a.db.run(
      `INSERT OR REPLACE INTO main._tm_left (t, n)
        VALUES (?1, ?2 + coalesce((SELECT n FROM main._tm_left WHERE t = ?1), 0))`,
      BigInt(t),
      BigInt(keys.length),
    );
  }
  // The history of undo, which other builds keep, tells values of rows that left.
  a.db.run("DELETE FROM main._tm_history");
  // A whole scope is worth the work on indexes.
  scrubSoon(a.db, a.job.leave.length > 0 ? 2 : 1);
}

/** Has the WAL emptied behind the transaction under way, and with 2 indexes merged. */
function scrubSoon(db: Database, how: number): void {
  if (meta.getInt(db, keyScrub) < how) meta.setInt(db, keyScrub, how);
}

/** Drops chunks that are worth nothing any more. They may be of a scope that was lost. */
export function voidStage({ db, server }: Replica): void {
  if (scoped(server) && db.int("SELECT EXISTS (SELECT 1 FROM main._tm_stage)") !== 0) scrubSoon(db, 1);
  clearStage(db);
}

/**
 * Does work that rows may leave by, and empties the WAL behind them. What was done
 * stands, also when that has to wait for somebody who reads, or for room on the disk.
 */
export function* scrubbed<T>(r: Replica, work: () => Work<T>): Work<T> {
  const out = yield* withoutMirrors(r, work);
  if (!scoped(r.server)) return out;
  try {
    scrub(r);
  } catch (err) {
    const why = failure("scrub", err);
    if (!environment(why.cause)) throw why;
  }
  return out;
}

/**
 * Merges the segments of full-text indexes, which keep the words of a row after it
 * was taken out, with a mark. What cannot be merged here is left.
 */
function scrubIndexes({ db }: Replica): void {
  const names: string[] = [];
  const tables = "SELECT name, sql FROM main.sqlite_master WHERE type = 'table' AND sql LIKE 'CREATE VIRTUAL TABLE%'";
  db.each(tables, (s) => {
    if (/using fts/i.test(s.text(1))) names.push(quote(s.text(0)));
  });
  for (const name of names) {
    try {
      db.savepoint("merge", () => db.run(`INSERT INTO main.${name} (${name}) VALUES ('optimize')`));
    } catch (err) {
      if (environment(err)) throw err;
    }
  }
  meta.setInt(db, keyScrub, 1);
}

/** Empties the WAL, if that is due. While somebody reads it, it stays; then the next call tries again. */
function scrub(r: Replica): void {
  const due = meta.getInt(r.db, keyScrub);
  if (due === 0) return;
  if (due === 2) transaction(r, "scrub", 0, () => scrubIndexes(r));
  const [blocked] = r.db.get("PRAGMA main.wal_checkpoint(TRUNCATE)") ?? [];
  if (blocked === 0n) meta.setInt(r.db, keyScrub, 0);
}
