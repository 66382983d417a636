import type { Change, Outcome, Seq } from "../change.ts";
import type { AppCode, Code } from "../codes.ts";
import { TidemarkError } from "../error.ts";
import type { Statement } from "../lite/statement.ts";
import * as meta from "../meta/meta.ts";
import type { Row, Value } from "../value.ts";
import { decodeChanges } from "../wire/changes.ts";
import { guarded } from "./connection.ts";
import { describe, viewOf } from "./describe.ts";
import { keyKept } from "./facts.ts";
import type { PendingRecord } from "./pending.ts";
import { named } from "./renumber.ts";
import type { Replica } from "./replica.ts";
import { decodeImage, encodeImage } from "./tally.ts";
import { transaction } from "./transaction.ts";

/** What is known of a refused changeset beside its changes. */
export interface Refused {
  /** Its number; 0 for what the replica itself found. */
  readonly n: number;
  readonly code: Code | AppCode;
  readonly message: string;
  readonly table: string;
  readonly key: Row | null;
  readonly columns: readonly string[];
  /** The head at which it was judged. */
  readonly seq: Seq;
  readonly madeAt: number;
  readonly at: number;
  readonly schema: string;
}

/** A changeset that was refused, or a difference that was saved. */
export interface Rejected extends Refused {
  readonly id: number;
  readonly changes: Change[];
}

/** Lists kept rejected changesets, oldest first. */
export function rejected(r: Replica): Rejected[] {
  return guarded("rejected", () => select(r, "ORDER BY id"));
}

function select(r: Replica, which: string, ...args: Value[]): Rejected[] {
  const list: Rejected[] = [];
  const sql = `SELECT id, n, code, message, tbl, seq, made_at, at, schema, key, cols, body FROM main._tm_rejected ${which}`;
  r.db.each(sql, (s) => list.push(readRejected(s)), ...args);
  return list;
}

function readRejected(s: Statement): Rejected {
  return {
    id: s.int(0),
    n: s.int(1),
    code: s.text(2) as Code | AppCode, // stored by keepRejected; a newer build may have more codes
    message: s.text(3),
    table: s.text(4),
    seq: s.int(5),
    madeAt: s.int(6),
    at: s.int(7),
    schema: s.text(8),
    key: decodeImage(s.value(9)),
    columns: (decodeImage(s.value(10)) ?? []).map(String),
    changes: decodeChanges(s.blob(11)),
  };
}

/** Reads one record or fails with code not_found. */
export function oneRejected(r: Replica, id: number): Rejected {
  const one = select(r, "WHERE id = ?1", BigInt(id))[0];
  if (one) return one;
  throw new TidemarkError("not_found", `there is no rejected changeset ${id}`, { hint: "rejected() lists them" });
}

/** Keeps a refused changeset with everything that the server said. */
export function saveRejected(r: Replica, p: PendingRecord, o: Outcome): void {
  const { n, madeAt, schema } = p;
  // A newer server may refuse with a code that this build does not know.
  const refused = { ...o, n, code: o.code as Code | AppCode, madeAt, at: r.now, schema };
  keepRejected(r, refused, p.hash, named(r, p));
}

/** Stores a rejected record under an id that none had. */
export function keepRejected(r: Replica, rej: Refused, hash: Uint8Array, body: Uint8Array): void {
  const id = meta.getInt(r.db, keyKept) + 1;
  meta.setInt(r.db, keyKept, id);
  r.db.run(
    `INSERT INTO main._tm_rejected (id, n, hash, code, message, tbl, key, cols, seq, made_at, at, schema, body)
      VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)`,
    BigInt(id),
    BigInt(rej.n),
    hash,
    rej.code,
    rej.message,
    rej.table,
    encodeImage(rej.key),
    encodeImage(rej.columns.length > 0 ? rej.columns : null),
    BigInt(rej.seq),
    BigInt(rej.madeAt),
    BigInt(rej.at),
    rej.schema,
    body,
  );
}

/** Disposes of a rejected changeset for good. */
export function discard(r: Replica, id: number): void {
  transaction(r, "discard", 0, () => {
    oneRejected(r, id);
    dropRejected(r, id);
  });
}

export function dropRejected(r: Replica, id: number): void {
  r.db.run("DELETE FROM main._tm_rejected WHERE id = ?1", BigInt(id));
}

/** Writes a rejected changeset as JSON with the names of tables and columns, for people and other programs. */
export function exportRejected(r: Replica, id: number): string {
  return guarded("export", () => {
    const { madeAt, key, changes, ...rest } = oneRejected(r, id);
    const doc = { ...rest, made_at: madeAt, key: key?.map(viewOf), changes: describe(r.schema, changes, viewOf) };
    return JSON.stringify(doc, null, 2);
  });
}
