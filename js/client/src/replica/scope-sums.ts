import { TidemarkError } from "../error.ts";
import type { Database } from "../lite/database.ts";
import type { Work } from "../lite/work.ts";
import * as meta from "../meta/meta.ts";
import { scoped } from "../schema.ts";
import type { Batch, Part } from "../wire/batch.ts";
import { countAnew, partial } from "./apply.ts";
import type { Attempt } from "./attempt.ts";
import { idOf, type RowID } from "./base.ts";
import { flag, keyProven, keyRepair, store } from "./facts.ts";
import { membersOf, numberOf } from "./member.ts";
import type { Replica } from "./replica.ts";
import { otherKind } from "./scopes.ts";

/**
 * Keeps the sums of the hashes of the confirmed rows of each scope during one
 * transaction. A row counts in every scope that it is in.
 */
export class ScopeSums {
  readonly #db: Database;
  readonly #sums = new Map<number, bigint>();
  readonly #dirty = new Set<number>();

  constructor(db: Database) {
    this.#db = db;
  }

  sum(scope: number): bigint {
    let n = this.#sums.get(scope);
    if (n === undefined) {
      const stored = this.#db.get("SELECT sum FROM main._tm_scope WHERE i = ?1", BigInt(scope))?.[0];
      n = typeof stored === "bigint" ? BigInt.asUintN(64, stored) : 0n;
      this.#sums.set(scope, n);
    }
    return n;
  }

  add(scope: number, hash: bigint): void {
    this.#sums.set(scope, BigInt.asUintN(64, this.sum(scope) + hash));
    this.#dirty.add(scope);
  }

  /** Counts a hash in all scopes that a row is in. */
  addTo(id: RowID, hash: bigint): void {
    if (hash !== 0n) for (const scope of membersOf(this.#db, id)) this.add(scope, hash);
  }

  /** Begins anew: no scope has rows. */
  clear(): void {
    this.#db.run("UPDATE main._tm_scope SET sum = 0");
    this.#sums.clear();
    this.#dirty.clear();
  }

  save(): void {
    const sql = "UPDATE main._tm_scope SET sum = ?1 WHERE i = ?2";
    for (const scope of this.#dirty) this.#db.run(sql, BigInt.asIntN(64, this.sum(scope)), BigInt(scope));
    this.#dirty.clear();
  }
}

/**
 * Compares the sums of the scopes that a batch speaks of, which are whole from
 * here on. Of the others nothing changed.
 */
export function* proveScopes(r: Replica, b: Batch, a: Attempt): Work<void> {
  const cut = partial(r);
  let wrong = wrongScope(a, b.parts);
  if (wrong !== "" && a.damage.length === 0 && !cut) {
    yield* countAnew(r, a.tally);
    wrong = wrongScope(a, b.parts);
  }
  a.tally.save();
  ready(a, b.parts);
  if (a.damage.length > 0) a.out.repair = a.damage[0]!;
  else if (cut) {
    store(r.db, { [keyProven]: flag(false) });
    return;
  } else if (wrong === "") {
    // What is to be repaired is proven by comparing all rows, and not before.
    if (meta.get(r.db, keyRepair) === "") store(r.db, { [keyProven]: flag(true) });
    return;
  } else a.out.repair = `the rows of ${wrong} differ from the server's at seq ${b.to}`;
  store(r.db, { [keyProven]: flag(false), [keyRepair]: a.out.repair });
}

/** The first scope whose sum is not the server's, "" for none. */
function wrongScope(a: Attempt, parts: readonly Part[]): string {
  const sums = a.tally.scopes;
  return parts.find((p) => sums?.sum(numberOf(a.db, p.scope)) !== p.sum)?.scope ?? "";
}

/** Marks the scopes of a batch as whole. */
function ready(a: Attempt, parts: readonly Part[]): void {
  for (const { scope } of parts) {
    a.db.run("UPDATE main._tm_scope SET held = 1 WHERE name = ?1 AND held = 0", scope);
    if (a.db.changes() === 0) continue;
    const query = "SELECT count(*) FROM main._tm_member m JOIN main._tm_scope s ON m.s = s.i WHERE s.name = ?1";
    a.out.scopes.push({ scope, state: "ready", rows: a.db.int(query, scope), unwanted: false });
  }
}

/** What a batch brings: parts of scopes, or, where none are declared, one that has no name. */
export function partsOf(r: Replica, b: Batch): readonly Part[] {
  if (scoped(r.server)) {
    if (b.changes.length > 0) throw new TidemarkError("protocol", "changes came without their scopes");
    return b.parts;
  }
  if (b.parts.length > 0) throw otherKind(true);
  return [{ scope: "", sum: b.sum, changes: b.changes, raw: b.raw }];
}

/** How many rows parts tell of. One that is in several scopes stands in several parts. */
export function rowsIn(r: Replica, parts: readonly Part[]): number {
  let n = 0;
  const seen = new Set<RowID>();
  for (const c of parts.flatMap((p) => p.changes)) {
    const t = parts.length > 1 && r.schema.tables.find((t) => t.id === c.table);
    if (t && c.key.length === t.key.length) seen.add(idOf(t, c.key));
    else n++;
  }
  return n + seen.size;
}
