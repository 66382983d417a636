import * as capture from "../capture/capture.ts";
import { layoutOf } from "../capture/layout.ts";
import { TIME_SHIFT } from "../capture/record.ts";
import { TidemarkError } from "../error.ts";
import { violation } from "../lite/failure.ts";
import type { Statement } from "../lite/statement.ts";
import * as meta from "../meta/meta.ts";
import { noteKey, type Touching } from "../watch/touched.ts";
import type { Touched } from "../watch/watches.ts";
import { synced } from "./base.ts";
import { failure } from "./connection.ts";
import type { Replica } from "./replica.ts";
import { newSalt } from "./seal.ts";

/*
 * One local transaction of the app, which becomes one changeset: begin, the
 * app's statements on r.db, then commit or rollback. Between them no method of
 * the replica may be called. touched tells what it changed, before the next seal.
 */

const hint = "throw to undo it; run no COMMIT or ROLLBACK, nor statements that say ON CONFLICT ROLLBACK";

/** Begins a transaction. */
export function begin(r: Replica): void {
  try {
    r.db.run("BEGIN IMMEDIATE");
    r.first = capture.begin(r.db);
    r.db.forgetLastInsert(); // it would tell of others' transactions, and of ours
  } catch (err) {
    rollback(r);
    throw failure("write", err);
  }
}

/**
 * Closes the changeset with a mark in the log and commits. When it throws, a
 * deferred constraint say, everything is rolled back.
 */
export function commit(r: Replica, now: number): void {
  const { db } = r;
  try {
    if (!db.inTransaction) throw new TidemarkError("usage", "the transaction was ended inside", { op: "write", hint });
    capture.end(db, { first: r.first, salt: newSalt(r), madeAt: now, seen: meta.getInt(db, meta.keySeq) });
    db.run("COMMIT");
  } catch (err) {
    rollback(r);
    throw violation(err) ?? failure("write", err);
  }
}

/** Undoes the transaction, also one that an error ended already. */
export function rollback(r: Replica): void {
  if (r.db.inTransaction) r.db.run("ROLLBACK");
}

/**
 * What the last transaction did to synced tables, by the log: good between its
 * first statement and the next seal. Rows that came to be what they were count too.
 */
export function touched(r: Replica): Touched {
  const all = new Map<string, Touching>();
  const sql = `SELECT t, op, m & ${2 ** TIME_SHIFT - 1}, v0, v1, v2, v3, v4 FROM main._tm_log WHERE n >= ?1 AND t > 0`;
  const note = (s: Statement) => {
    const t = synced(r.schema, s.int(0));
    const code = s.int(1);
    if (!t || code % capture.GROUP === capture.KEY_REST) return;
    const { inline, rest, groups } = layoutOf(t);
    let touch = all.get(t.name);
    if (!touch) {
      touch = { columns: new Set(), keys: rest.length > 0 ? null : [] };
      all.set(t.name, touch);
    }
    if (code % capture.GROUP !== capture.PART) touch.columns = null;
    else {
      const mask = s.int(2);
      groups[Math.trunc(code / capture.GROUP)]?.forEach((c, i) => {
        if (mask & (1 << i)) touch.columns?.add(t.columns[c]!.name);
      });
    }
    noteKey(
      touch,
      inline.map((_, i) => s.value(3 + i)),
    );
  };
  r.db.each(sql, note, BigInt(r.first));
  return all;
}
