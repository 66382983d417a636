import type { AppCode, Code } from "../codes.ts";
import { TidemarkError } from "../error.ts";
import * as meta from "../meta/meta.ts";
import { type Carried, carry, takeAlong } from "../replica/carry.ts";
import { keepRejected, type Refused } from "../replica/reject.ts";
import type { Replica } from "../replica/replica.ts";
import { transaction } from "../replica/transaction.ts";
import { hashOf } from "../wire/wire.ts";

/** What a copy has that nobody else does: to be put into another when its file is given up. */
export interface Cargo {
  readonly incarnation: string;
  readonly pending: readonly Carried[];
  readonly rejected: readonly Kept[];
}

interface Kept {
  readonly refused: Refused;
  readonly hash: Uint8Array;
  readonly body: Uint8Array;
}

/** Takes it out; seal first. */
export function unload(r: Replica): Cargo {
  const rejected: Kept[] = [];
  const sql = "SELECT n, hash, code, message, seq, schema, made_at, at, body FROM main._tm_rejected ORDER BY id";
  r.db.each(sql, (s) =>
    rejected.push({
      refused: {
        n: s.int(0),
        code: s.text(2) as Code | AppCode, // as it was stored
        message: s.text(3),
        table: "",
        key: null,
        columns: [],
        seq: s.int(4),
        schema: s.text(5),
        madeAt: s.int(6),
        at: s.int(7),
      },
      hash: s.blob(1),
      body: s.blob(8),
    }),
  );
  return { incarnation: meta.get(r.db, meta.keyIncarnation), pending: takeAlong(r), rejected };
}

/**
 * Puts it into another copy. What the server may know already keeps the name
 * under which it does and waits, laid aside, for the server's word. What was
 * never sent is applied as something rejected is retried; what does not fit stays
 * there for a person to decide, and so does everything of another log.
 */
export function load(r: Replica, cargo: Cargo, now: number): void {
  if (cargo.pending.length + cargo.rejected.length === 0) return;
  const same = cargo.incarnation === meta.get(r.db, meta.keyIncarnation);
  const sent = cargo.pending.filter((c) => same && c.was);
  const fresh = cargo.pending.filter((c) => !same || !c.was);
  carry(r, sent, now);
  const ids = transaction(r, "carry", now, () => {
    for (const k of cargo.rejected) keepRejected(r, k.refused, k.hash, k.body);
    return fresh.map((c) => keep(r, c, now));
  });
  if (same) for (const id of ids) retry(r, id, now);
}

function retry(r: Replica, id: number, now: number): void {
  try {
    r.retry(id, false, now);
  } catch (err) {
    if (!(err instanceof TidemarkError)) throw err; // it stays with the rejected
  }
}

/** Keeps a changeset among the rejected and returns its id there. */
function keep(r: Replica, { push }: Carried, now: number): number {
  const { n, schema, seen, madeAt, salt } = push;
  const body = push.body ?? new Uint8Array();
  const message = "it was written before the copy was complete, or into one that was lost, and does not fit";
  const refused = {
    n,
    code: "recovered",
    message,
    table: "",
    key: null,
    columns: [],
    seq: seen,
    schema,
    madeAt,
    at: now,
  } as const;
  keepRejected(r, refused, hashOf(salt, body), body);
  return r.db.int("SELECT max(id) FROM main._tm_rejected");
}
