import type { Change, Seq } from "../change.ts";
import { TidemarkError } from "../error.ts";
import type { Database } from "../lite/database.ts";
import { scoped } from "../schema.ts";
import { bytesOf } from "../value.ts";
import type { Part } from "../wire/batch.ts";
import { appendChanges, decodeChanges } from "../wire/changes.ts";
import type { Batch } from "../wire/down.ts";
import type { Piece } from "./attempt.ts";
import type { Replica } from "./replica.ts";

/**
 * Keeps a chunk of a catch-up until the last one has come. Chunks of another
 * starting point are worth nothing any more. A chunk that comes twice does no
 * harm: it says of each row what it is, and the later word counts.
 */
export function stage(r: Replica, b: Batch): void {
  const since = BigInt(b.from);
  r.db.run("DELETE FROM main._tm_stage WHERE since <> ?1", since);
  const parts = scoped(r.server) ? b.parts : [];
  if (parts.length === 0) stagePart(r.db, b, 0, null, b);
  for (const [i, p] of parts.entries()) stagePart(r.db, b, i, p.scope, p);
}

function stagePart(db: Database, b: Batch, i: number, scope: string | null, p: Pick<Part, "changes" | "raw">): void {
  db.run(
    "INSERT INTO main._tm_stage (since, cursor, body, scope, part) VALUES (?1, ?2, ?3, ?4, ?5)",
    BigInt(b.from),
    b.cursor,
    p.raw ? bytesOf(p.raw) : appendChanges(p.changes),
    scope,
    BigInt(i),
  );
}

/** Where the next chunk goes on, "" when none is kept for seq. */
export function stagedCursor(db: Database, seq: Seq): string {
  return db.text("SELECT cursor FROM main._tm_stage WHERE since = ?1 ORDER BY pos DESC LIMIT 1", BigInt(seq));
}

export function clearStage(db: Database): void {
  db.run("DELETE FROM main._tm_stage");
}

/** The changes of each chunk that starts at seq, in order; reads one chunk at a time. The messages count from 1. */
export function* staged(db: Database, seq: Seq): Generator<Piece> {
  const query = "SELECT pos, body, scope, part FROM main._tm_stage WHERE since = ?1 AND pos > ?2 ORDER BY pos LIMIT 1";
  let pos = 0n;
  let message = 0;
  for (;;) {
    const row = db.get(query, BigInt(seq), pos);
    if (!row) return;
    const [at, body, scope, place] = row;
    if (typeof at !== "bigint" || !(body instanceof Uint8Array)) throw new TidemarkError("corrupt", "a damaged stage");
    pos = at;
    if (place === 0n) message++;
    yield { scope: typeof scope === "string" ? scope : "", message, changes: chunk(body) };
  }
}

function chunk(body: Uint8Array): Change[] {
  try {
    return decodeChanges(body);
  } catch (cause) {
    throw new TidemarkError("corrupt", "a staged chunk cannot be read", { cause });
  }
}
