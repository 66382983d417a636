import type { Change, Seq } from "../change.ts";
import { TidemarkError } from "../error.ts";
import type { Database } from "../lite/database.ts";
import { bytesOf } from "../value.ts";
import { appendChanges, decodeChanges } from "../wire/changes.ts";
import type { Batch } from "../wire/down.ts";

/**
 * Keeps a chunk of a catch-up until the last one has come. Chunks of another
 * starting point are worth nothing any more. A chunk that comes twice does no
 * harm: it says of each row what it is, and the later word counts.
 */
export function stage(db: Database, b: Batch): void {
  const since = BigInt(b.from);
  db.run("DELETE FROM main._tm_stage WHERE since <> ?1", since);
  db.run(
    "INSERT INTO main._tm_stage (since, cursor, body) VALUES (?1, ?2, ?3)",
    since,
    b.cursor,
    b.raw ? bytesOf(b.raw) : appendChanges(b.changes),
  );
}

/** Where the next chunk goes on, "" when none is kept for seq. */
export function stagedCursor(db: Database, seq: Seq): string {
  return db.text("SELECT cursor FROM main._tm_stage WHERE since = ?1 ORDER BY pos DESC LIMIT 1", BigInt(seq));
}

export function clearStage(db: Database): void {
  db.run("DELETE FROM main._tm_stage");
}

/** The changes of each chunk that starts at seq, in order; reads one chunk at a time. */
export function* staged(db: Database, seq: Seq): Generator<readonly Change[]> {
  const query = "SELECT pos, body FROM main._tm_stage WHERE since = ?1 AND pos > ?2 ORDER BY pos LIMIT 1";
  let pos = 0n;
  for (;;) {
    const row = db.get(query, BigInt(seq), pos);
    if (!row) return;
    const [at, body] = row;
    if (typeof at !== "bigint" || !(body instanceof Uint8Array)) throw new TidemarkError("corrupt", "a damaged stage");
    pos = at;
    yield chunk(body);
  }
}

function chunk(body: Uint8Array): Change[] {
  try {
    return decodeChanges(body);
  } catch (cause) {
    throw new TidemarkError("corrupt", "a staged chunk cannot be read", { cause });
  }
}
