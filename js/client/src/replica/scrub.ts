import * as meta from "../meta/meta.ts";
import { scoped } from "../schema.ts";
import type { Attempt } from "./attempt.ts";
import { tableOf } from "./base.ts";
import { guarded } from "./connection.ts";
import { flag, keyScrub, store } from "./facts.ts";
import { withoutMirrors } from "./mirror.ts";
import type { Replica } from "./replica.ts";

// What leaves a copy must not stay in the bytes of its file. The connection
// overwrites what it deletes; what is left to do is to empty the WAL, which keeps
// older states of pages.

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
  store(a.db, { [keyScrub]: flag(true) });
}

/** Does work that rows may leave by, and empties the WAL behind them. */
export function scrubbed<T>(r: Replica, work: () => T): T {
  const out = withoutMirrors(r, work);
  if (scoped(r.server)) guarded("scrub", () => scrub(r));
  return out;
}

/** Empties the WAL, if that is due. While somebody reads it, it stays; then the next call tries again. */
function scrub(r: Replica): void {
  if (meta.getInt(r.db, keyScrub) === 0) return;
  const [blocked] = r.db.get("PRAGMA main.wal_checkpoint(TRUNCATE)") ?? [];
  if (blocked === 0n) meta.setInt(r.db, keyScrub, 0);
}
