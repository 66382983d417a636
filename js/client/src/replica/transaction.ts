import { asEngine, guarded } from "./connection.ts";
import { know } from "./know.ts";
import { dropMirrors, makeMirrors } from "./mirror.ts";
import type { Replica } from "./replica.ts";

/**
 * Runs fn in one immediate transaction on a file whose structure is known. It
 * may write bookkeeping only: where fn writes rows of the app or its schema,
 * engineTransaction is the one to take.
 */
export function transaction<T>(r: Replica, op: string, now: number, fn: () => T): T {
  if (now > r.now) r.now = now;
  let done = false;
  try {
    return guarded(op, () => {
      const result = r.db.transaction(() => {
        know(r);
        return fn();
      });
      done = true;
      return result;
    });
  } finally {
    if (!done) r.ddl = 0; // what was learned inside may be undone
  }
}

/**
 * The same for what writes the app's rows: its triggers and foreign keys do
 * nothing, except those triggers that are to fire everywhere.
 */
export function engineTransaction<T>(r: Replica, op: string, now: number, fn: () => T): T {
  return asEngine(r.db, () =>
    transaction(r, op, now, () => {
      makeMirrors(r);
      const result = fn();
      dropMirrors(r);
      return result;
    }),
  );
}
