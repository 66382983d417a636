import { TidemarkError } from "../error.ts";
import type { Database } from "../lite/database.ts";
import * as meta from "../meta/meta.ts";
import { scoped } from "../schema.ts";
import type { Want } from "../wire/scope.ts";
import { guarded } from "./connection.ts";
import { flag, keyAnswered, keyOnly, keyWants, store } from "./facts.ts";
import type { Replica } from "./replica.ts";
import { transaction } from "./transaction.ts";

/** A scope that the replica wants by name, or that the server listed when they last spoke. */
export interface ScopeStatus {
  readonly scope: string;
  /** In the server's last list. */
  readonly listed: boolean;
  /** By name, or because the replica takes all. */
  readonly wanted: boolean;
  /** All its rows are here. */
  readonly ready: boolean;
  readonly priority: number;
  /** 0 unless they were to be counted. */
  readonly rows: number;
}

/** What a replica subscribes to. */
export interface Wants {
  /** Those scopes and no others; else all that it may read, those of the list by their priority. */
  readonly only: boolean;
  readonly want: Want[];
}

/** Lists the scopes by name, on request with how many rows each has; none where none are declared. */
export function scopes(r: Replica, count: boolean): ScopeStatus[] {
  return guarded("scopes", () => {
    if (!scoped(r.server)) return [];
    const list: ScopeStatus[] = [];
    const all = !wants(r.db).only;
    const rows = count ? "(SELECT count(*) FROM main._tm_member m WHERE m.s = s.i)" : "0";
    const query = `SELECT name, s.i IS NOT NULL, w.priority IS NOT NULL, coalesce(held, 0), coalesce(priority, 0), ${rows}
      FROM (SELECT name FROM main._tm_scope UNION SELECT name FROM main._tm_want)
      LEFT JOIN main._tm_scope s USING (name) LEFT JOIN main._tm_want w USING (name) ORDER BY name`;
    r.db.each(query, (s) => {
      const listed = s.int(1) !== 0;
      const wanted = s.int(2) !== 0 || (all && listed);
      const ready = s.int(3) !== 0;
      list.push({ scope: s.text(0), listed, wanted, ready, priority: s.int(4), rows: s.int(5) });
    });
    return list;
  });
}

/** What the replica subscribes to. */
export function wants(db: Database): Wants {
  const want: Want[] = [];
  const query = "SELECT name, priority FROM main._tm_want ORDER BY priority, name";
  db.each(query, (s) => want.push({ scope: s.text(0), priority: s.int(1) }));
  return { only: meta.getInt(db, keyOnly) !== 0, want };
}

/** Replaces what the replica wants. Rows come and go when the server has been told. */
export function subscribe(r: Replica, only: boolean, want: readonly Want[]): void {
  transaction(r, "subscribe", 0, () => {
    if (!scoped(r.server)) throw noScopes("declare scopes in tidemark.yaml on the server, then clone again");
    const n = meta.getInt(r.db, keyWants);
    saveWants(r.db, only, want);
    meta.setInt(r.db, keyWants, n + 1);
  });
}

export function noScopes(hint: string): TidemarkError {
  return new TidemarkError("usage", "this space has no scopes: every copy holds all of it", { hint });
}

export function saveWants(db: Database, only: boolean, want: readonly Want[]): void {
  db.run("DELETE FROM main._tm_want");
  const sql = "INSERT OR REPLACE INTO main._tm_want (name, priority) VALUES (?1, ?2)";
  for (const w of want) db.run(sql, w.scope, BigInt(w.priority));
  store(db, { [keyOnly]: flag(only) });
}

/** Counts how often what is wanted changed; 0 where no scopes are declared. */
export function wanted(r: Replica): number {
  return guarded("subscribe", () => (scoped(r.server) ? meta.getInt(r.db, keyWants) : 0));
}

/** Notes that the server listed what is granted of what was wanted when `wanted` returned n. */
export function answered(r: Replica, n: number): void {
  if (guarded("scopes", () => meta.getInt(r.db, keyAnswered)) === n) return;
  transaction(r, "scopes", 0, () => meta.setInt(r.db, keyAnswered, n));
}

/** Whether scopes that the server listed are not whole here. */
export function filling(r: Replica): boolean {
  const query = "SELECT EXISTS (SELECT 1 FROM main._tm_scope WHERE held = 0)";
  return guarded("scopes", () => scoped(r.server) && r.db.int(query) !== 0);
}

/** The scopes that are whole here, by name. */
export function heldScopes(db: Database): string[] {
  const list: string[] = [];
  db.each("SELECT name FROM main._tm_scope WHERE held = 1 ORDER BY name", (s) => list.push(s.text(0)));
  return list;
}

/** Says that coming back does not help: one side has scopes, the other has none. */
const otherKindCause = Symbol("one side has scopes, the other has none");

export const isOtherKind = (err: unknown): boolean =>
  err instanceof TidemarkError && err.detail.cause === otherKindCause;

/** Refuses to go on with a server whose space got scopes, or lost them, since this copy was cloned. */
export function otherKind(declared: boolean): TidemarkError {
  const message = declared
    ? "scopes are declared on the server now, and this copy was made when there were none"
    : "no scopes are declared on the server any more, and this copy was made of some";
  const hint = "clone again beside this copy; what is pending here stays here";
  return new TidemarkError("schema", message, { cause: otherKindCause, hint });
}
