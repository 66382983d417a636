import type { Name } from "../change.ts";
import { parseKeyID } from "../key.ts";
import * as meta from "../meta/meta.ts";
import { get } from "../row/row.ts";
import type { Push } from "../wire/up.ts";
import { hashOf } from "../wire/wire.ts";
import { keepBase, keyIDOf, rowsOf, synced } from "./base.ts";
import { keyNext, keyReplica } from "./facts.ts";
import { noteTexts } from "./intent.ts";
import { indexPending, loadPending, unsent } from "./pending.ts";
import type { Replica } from "./replica.ts";
import { transaction } from "./transaction.ts";

/** A pending changeset that moves to another copy of its space. */
export interface Carried {
  readonly push: Push;
  /** The name under which the server may know it, null where it was never sent. */
  readonly was: Name | null;
}

/** What is pending in a copy that is about to be given up. Seal first. */
export function takeAlong(r: Replica): Carried[] {
  const replica = meta.get(r.db, keyReplica);
  return unsent(r, 0, Number.POSITIVE_INFINITY).map((push) => {
    const hash = hashOf(push.salt, push.body ?? new Uint8Array());
    return { push, was: push.was ?? (replica ? { replica, n: push.n, hash } : null) };
  });
}

/**
 * Puts changesets of another copy of the space behind what is pending here. They
 * are suspended: their effect shows once they are tried on the rows of this copy.
 */
export function carry(r: Replica, list: readonly Carried[], now: number): void {
  transaction(r, "carry", now, () => {
    for (const { push, was } of list) append(r, push, was);
  });
}

function append(r: Replica, p: Push, was: Name | null): void {
  const { db } = r;
  const n = meta.getInt(db, keyNext);
  const body = p.body ?? new Uint8Array();
  db.run(
    `INSERT INTO main._tm_pending (n, salt, hash, was_replica, was_n, was_hash, seen, schema, made_at, suspended, cause, body)
      VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, 1, 'recovered', ?10)`,
    BigInt(n),
    p.salt,
    hashOf(p.salt, body),
    was?.replica ?? null,
    was && BigInt(was.n),
    was?.hash ?? null,
    BigInt(p.seen),
    p.schema,
    BigInt(p.madeAt),
    body,
  );
  const changes = loadPending(db, n)?.decode() ?? [];
  indexPending(r, n, changes);
  noteTexts(r, n, changes);
  for (const c of changes) {
    const t = synced(r.schema, c.table);
    if (!t) continue;
    for (const id of rowsOf(t, c)) keepBase(db, id, get(db, t, parseKeyID(keyIDOf(id))));
  }
  meta.setInt(db, keyNext, n + 1);
}
