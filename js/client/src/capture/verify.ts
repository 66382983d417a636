import { TidemarkError } from "../error.ts";
import type { Database } from "../lite/database.ts";
import { writes } from "../schema/judge.ts";
import type { Table } from "../schema.ts";
import { createAll, dropAll } from "./install.ts";
import type { Trigger } from "./triggers.ts";

/**
 * Compiles writes of the tables of triggers that are new. A capture trigger
 * that does not compile would make every write of its table fail: better not
 * to capture at all, and to say so.
 */
export function verify(db: Database, made: readonly Trigger[]): void {
  if (made.length === 0) return;
  const was = db.setTriggers(true);
  try {
    for (const t of new Set(made.map((m) => m.table))) {
      verifyTable(
        db,
        t,
        made.filter((m) => m.table === t),
      );
    }
  } finally {
    db.setTriggers(was);
  }
}

function verifyTable(db: Database, t: Table, made: readonly Trigger[]): void {
  const cause = trouble(db, t);
  if (cause === null) return;
  const names = made.map((m) => m.name);
  dropAll(db, names);
  if (trouble(db, t) !== null) {
    createAll(db, made); // without ours it does not work either
    return;
  }
  throw new TidemarkError("internal", `the capture triggers of table ${t.name} do not compile`, {
    op: "capture",
    table: t.name,
    cause,
    hint: "please report this with the table's definition; the table works on without capture",
  });
}

/** Whether writes of a table compile. */
export function compiles(db: Database, t: Table): boolean {
  return trouble(db, t) === null;
}

function trouble(db: Database, t: Table): unknown {
  try {
    for (const sql of writes(t.name, t.columns)) db.compile(sql);
    return null;
  } catch (err) {
    return err;
  }
}
