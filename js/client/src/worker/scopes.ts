import { TidemarkError } from "../error.ts";
import type { Replica } from "../replica/replica.ts";
import type { ScopeInfo, ScopeStatus } from "../scope.ts";
import type { Wish } from "../tabs/messages.ts";
import type { Batch } from "../wire/batch.ts";

/** What apps are told of scopes: what the replica keeps, and how far those have come that fill. */
export class Scopes {
  /** null: it must be read again. */
  #list: readonly ScopeStatus[] | null = null;
  readonly #incoming = new Map<string, number>();

  /** Something of the scopes may be another now. */
  changed(): void {
    this.#list = null;
  }

  /** A chunk came that is kept for later. */
  staged(batch: Batch): void {
    for (const p of batch.parts) {
      this.#incoming.set(p.scope, (this.#incoming.get(p.scope) ?? 0) + p.changes.length);
      this.#list = null;
    }
  }

  list(r: Replica): readonly ScopeStatus[] {
    this.#list ??= r.scopes(false).map((s) => this.#of(s));
    return this.#list;
  }

  /** The same with what counting tells. */
  infos(r: Replica): ScopeInfo[] {
    return r.scopes(true).map((s) => ({ ...this.#of(s), rows: s.rows }));
  }

  /** Rows of all scopes that came in and are not visible yet. */
  get incoming(): number {
    let sum = 0;
    for (const n of this.#incoming.values()) sum += n;
    return sum;
  }

  #of(s: ReturnType<Replica["scopes"]>[number]): ScopeStatus {
    if (s.ready || !s.listed) this.#incoming.delete(s.scope);
    const { scope, wanted, listed: granted, ready, priority } = s;
    return { scope, wanted, granted, ready, priority, incoming: this.#incoming.get(scope) ?? 0 };
  }
}

/** Wants more scopes than before; of those that it wants already another priority, where one is named. */
export function subscribe(r: Replica, wishes: readonly Wish[]): void {
  const { only, want } = r.wants();
  const next = new Map(want.map((w) => [w.scope, w.priority]));
  for (const { scope, priority } of wishes) next.set(scope, priority ?? next.get(scope) ?? 0);
  const same = next.size === want.length && want.every((w) => next.get(w.scope) === w.priority);
  if (!same) r.subscribe(only, wantsOf(next));
}

/** Wants a scope no longer: from here on those by name that are left, also where it wanted everything before. */
export function unsubscribe(r: Replica, scope: string): void {
  const { only, want } = r.wants();
  const next = new Map(want.map((w) => [w.scope, w.priority]));
  if (!only) for (const s of r.scopes(false)) if (s.listed) next.set(s.scope, s.priority);
  if (!next.delete(scope) && only) return;
  r.subscribe(true, wantsOf(next));
}

const wantsOf = (wants: ReadonlyMap<string, number>): { scope: string; priority: number }[] =>
  [...wants].map(([scope, priority]) => ({ scope, priority }));

/** Why somebody waits for a scope in vain. */
export function notGranted(scope: string): TidemarkError {
  return new TidemarkError("forbidden", `the server does not grant ${JSON.stringify(scope)}`, {
    op: "subscribe",
    hint: "it stays wanted, and comes when it is granted; unsubscribe forgets it",
  });
}
