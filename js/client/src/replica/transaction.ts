import { ANEW, atOnce, step, type Work } from "../lite/work.ts";
import { asEngine, failure } from "./connection.ts";
import { know } from "./know.ts";
import { dropMirrors, makeMirrors } from "./mirror.ts";
import type { Replica } from "./replica.ts";

/**
 * Runs fn in one immediate transaction on a file whose structure is known. It
 * may write bookkeeping only: where fn writes rows of the app or its schema,
 * engineTransaction is the one to take.
 */
export function transaction<T>(r: Replica, op: string, now: number, fn: () => T): T {
  return atOnce(working(r, op, now, () => step(fn)));
}

/** The same for work, which begins anew when it is told so. */
export function* working<T>(r: Replica, op: string, now: number, fn: () => Work<T>): Work<T> {
  if (now > r.now) r.now = now;
  for (;;) {
    const { ddl, schema } = r;
    let kept = false;
    try {
      const result = yield* r.db.working(function* () {
        know(r);
        return yield* fn();
      });
      kept = true;
      return result;
    } catch (err) {
      if (err !== ANEW) throw failure(op, err);
      kept = r.ddl === ddl && r.schema === schema;
    } finally {
      if (!kept) r.ddl = 0; // what was learned inside may be undone
    }
    yield;
  }
}

/**
 * The same for what writes the app's rows: its triggers and foreign keys do
 * nothing, except those triggers that are to fire everywhere.
 */
export function engineTransaction<T>(r: Replica, op: string, now: number, fn: () => Work<T>): Work<T> {
  return asEngine(r.db, () =>
    working(r, op, now, function* () {
      makeMirrors(r);
      const result = yield* fn();
      dropMirrors(r);
      return result;
    }),
  );
}
