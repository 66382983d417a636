import type { Database } from "../lite/database.ts";
import { environment } from "../lite/failure.ts";
import type { Schema } from "../schema.ts";
import { tableByID } from "../schema.ts";
import { createAll } from "./install.ts";
import type { Trigger } from "./triggers.ts";
import { compiles } from "./verify.ts";

/**
 * Begins the names of the triggers that a schema brings along. They live and go
 * with those of capture.
 */
export const GUARD_PREFIX = "_tm_rule_";

/** The triggers that the schema brings, of tables that sync here. */
export function guards(s: Schema): Trigger[] {
  return s.guards.flatMap((g) => {
    const table = tableByID(s, g.table);
    return table === null || table.out ? [] : [{ table, name: g.name, body: g.sql.replace(/^CREATE TRIGGER /, "") }];
  });
}

/**
 * Makes guards. One that this SQLite does not compile would make every write of
 * its table fail, so it is left out: the server has the last word.
 */
export function createGuards(db: Database, missing: readonly Trigger[]): void {
  if (missing.length === 0) return;
  const was = db.setTriggers(true);
  try {
    for (const g of missing.filter((g) => compiles(db, g.table))) {
      try {
        db.savepoint("_tm_guard", () => {
          createAll(db, [g]);
          if (!compiles(db, g.table)) throw new Error(`guard ${g.name} does not compile`);
        });
      } catch (err) {
        if (environment(err)) throw err;
      }
    }
  } finally {
    db.setTriggers(was);
  }
}
