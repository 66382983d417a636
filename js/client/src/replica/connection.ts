import type { Code } from "../codes.ts";
import { TidemarkError } from "../error.ts";
import type { Database } from "../lite/database.ts";
import { busy, corrupt, disk, full, notADatabase, readOnly } from "../lite/failure.ts";
import type { Work } from "../lite/work.ts";
import * as meta from "../meta/meta.ts";

/** The checkpoint is not what the caller thought: say hello again. No sync lease is needed here, since one worker alone has the file. */
export class Moved extends Error {}

/**
 * Does work as the engine: the file's triggers do not fire and foreign keys act
 * on nothing, since the app shares the connection. Only what writes the app's
 * rows needs it: switching expires prepared statements. It may nest.
 */
export function* asEngine<T>(db: Database, fn: () => Work<T>): Work<T> {
  const keys = db.setForeignKeys(false);
  const triggers = db.setTriggers(false);
  try {
    return yield* fn();
  } finally {
    db.setTriggers(triggers);
    db.setForeignKeys(keys);
  }
}

/** Makes the connection one for the app's writes: foreign keys hold, and a commit that returned is durable. */
export function prepareConnection(db: Database): void {
  const level = db.text("PRAGMA main.journal_mode") === "wal" ? "FULL" : "EXTRA"; // a deleted rollback journal must stay deleted
  db.script(`PRAGMA foreign_keys = ON; PRAGMA recursive_triggers = OFF; PRAGMA main.synchronous = ${level}`);
}

/** Refuses a file that is no replica. */
export function requireReplica(db: Database): void {
  const role = meta.adopted(db);
  if (role === "replica") return;
  throw role === "server"
    ? new TidemarkError("wrong_role", "the file is the server's of a space, not a copy")
    : new TidemarkError("not_adopted", "the file is not a replica", { hint: "make one by cloning" });
}

/** Gives an error of the file its code. What has one keeps it. */
export function failure(op: string, err: unknown): Error {
  if (err instanceof Moved) return err;
  if (err instanceof TidemarkError) {
    return err.detail.op ? err : new TidemarkError(err.code, err.message, { ...err.detail, op });
  }
  const [code, hint] = explained(err);
  const message = err instanceof Error ? err.message : String(err);
  return new TidemarkError(code, message, { op, cause: err, ...(hint && { hint }) });
}

function explained(err: unknown): [Code, string] {
  if (busy(err)) return ["busy", "another program holds the file: end its transaction, or wait"];
  if (full(err)) return ["disk_full", "make room; nothing was lost"];
  if (disk(err)) return ["internal", "look whether the disk is full or failing; nothing that was committed is lost"];
  if (notADatabase(err)) return ["not_sqlite", "the file is not an SQLite database"];
  if (corrupt(err)) return ["corrupt", "the file is damaged; export it, then clone anew"];
  if (readOnly(err)) return ["read_only", "the file cannot be written"];
  return ["internal", ""];
}

/** Runs fn and gives its errors their codes. */
export function guarded<T>(op: string, fn: () => T): T {
  try {
    return fn();
  } catch (err) {
    throw failure(op, err);
  }
}
