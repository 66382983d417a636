import type { Work } from "../lite/work.ts";
import * as meta from "../meta/meta.ts";
import { scoped } from "../schema.ts";
import type { Scopes, Welcome } from "../wire/down.ts";
import { type Applied, advance, nothing } from "./apply.ts";
import { type RowID, rowID } from "./base.ts";
import { flag, keyUnlisted, store } from "./facts.ts";
import { compareValues } from "./order.ts";
import type { Replica } from "./replica.ts";
import { otherKind, wants } from "./scopes.ts";
import { scrubbed, voidStage } from "./scrub.ts";
import { engineTransaction } from "./transaction.ts";

/** What happened to a scope of a replica. */
export interface ScopeNews {
  readonly scope: string;
  /** gained: the server lists it now; ready: all its rows are here; lost: the server lists it no more, its rows left. */
  readonly state: "gained" | "ready" | "lost";
  /** ready: that are in it; lost: that left the copy with it. */
  readonly rows: number;
  /** lost: because the replica does not want it any more. */
  readonly unwanted: boolean;
}

/**
 * Takes over the list of the scopes that the session has from here on. Rows of
 * others leave, and chunks that were staged are worth nothing. Gives null when no
 * scope came or went.
 */
export function takeScopes(r: Replica, m: Scopes, now: number): Work<Applied | null> {
  return scrubbed(r, () =>
    engineTransaction(r, "scopes", now, () => {
      if (!scoped(r.server)) throw otherKind(true);
      voidStage(r);
      return takeList(r, m.list);
    }),
  );
}

/**
 * Takes over the list of a welcome. An empty one under a schema that is still to
 * come may mean that there are no scopes at all any more; then this copy stays as
 * it is.
 */
export function* welcomeList(r: Replica, w: Welcome): Work<Applied | null> {
  if (!scoped(r.server)) {
    if (w.scopes.length > 0) throw otherKind(true);
    return null;
  }
  const put = w.scopes.length === 0 && w.schema !== r.server.hash;
  store(r.db, { [keyUnlisted]: flag(put) });
  return put ? null : yield* takeList(r, w.scopes);
}

/** Drops what a welcome did not list, once it is known that there are scopes. */
export function* listedNothing(r: Replica): Work<Applied | null> {
  if (meta.getInt(r.db, keyUnlisted) === 0) return null;
  store(r.db, { [keyUnlisted]: flag(false) });
  return yield* takeList(r, []);
}

/** A scope of the server's last list. */
interface Listed {
  readonly i: number;
  readonly name: string;
  readonly held: boolean;
}

function* takeList(r: Replica, list: readonly string[]): Work<Applied | null> {
  const is = new Set(list);
  const was = new Set<string>();
  const lost: Listed[] = [];
  r.db.each("SELECT i, name, held FROM main._tm_scope ORDER BY name", (s) => {
    const known = { i: s.int(0), name: s.text(1), held: s.int(2) !== 0 };
    was.add(known.name);
    if (!is.has(known.name)) lost.push(known);
  });
  const news: ScopeNews[] = [];
  for (const scope of [...is].sort((a, b) => compareValues(a, b, "BINARY"))) {
    if (was.has(scope)) continue;
    news.push({ scope, state: "gained", rows: 0, unwanted: false });
    r.db.run("INSERT INTO main._tm_scope (name) VALUES (?1)", scope);
  }
  if (lost.length > 0) return yield* drop(r, lost, news);
  return news.length > 0 ? { ...nothing(meta.getInt(r.db, meta.keySeq)), scopes: news } : null;
}

/**
 * Takes scopes off, and the rows that are in no other. What is pending on them
 * waits, suspended, for the server's word.
 */
function* drop(r: Replica, lost: readonly Listed[], news: ScopeNews[]): Work<Applied> {
  const { only, want } = wants(r.db);
  const seq = meta.getInt(r.db, meta.keySeq);
  const leave: RowID[] = [];
  for (const s of lost) {
    const rows = yield* dropScope(r, s);
    leave.push(...rows);
    const unwanted = only && !want.some((w) => w.scope === s.name);
    news.push({ scope: s.name, state: "lost", rows: rows.length, unwanted });
  }
  const a = yield* advance(r, { changes: () => [], leave, outcomes: [], seq, schema: "" });
  a.out.seq = seq;
  a.out.scopes = news;
  a.tally.save();
  return a.out;
}

/** Takes a scope off and gives its rows that are in no scope now. */
function* dropScope(r: Replica, { i, name, held }: Listed): Work<RowID[]> {
  const staged = "SELECT EXISTS (SELECT 1 FROM main._tm_stage WHERE scope = ?1)";
  if (held || r.db.int(staged, name) !== 0) voidStage(r);
  const rows: RowID[] = [];
  const alone = `SELECT t, key FROM main._tm_member m WHERE s = ?1 AND NOT EXISTS (
    SELECT 1 FROM main._tm_member o WHERE o.t = m.t AND o.key = m.key AND o.s <> ?1)`;
  yield* r.db.pass(alone, (s) => rows.push(rowID(s.int(0), s.blob(1))), BigInt(i));
  r.db.run("DELETE FROM main._tm_member WHERE s = ?1", BigInt(i));
  r.db.run("DELETE FROM main._tm_scope WHERE i = ?1", BigInt(i));
  return rows;
}
