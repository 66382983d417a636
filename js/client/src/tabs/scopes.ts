import type { Database } from "../database.ts";
import { TidemarkError } from "../error.ts";
import type { ScopeStatus, ScopeWant, SubscribeOptions, Subscription } from "../scope.ts";
import type { Link } from "./link.ts";
import type { Wish } from "./messages.ts";

/** Where a subscription looks for what is known of its scope. */
type Known = Pick<Database, "status" | "onStatus">;

/** Refuses what is no scope to ask for. */
export function wishOf({ scope, priority }: ScopeWant): Wish {
  if (typeof scope !== "string" || scope === "")
    throw new TidemarkError("usage", "a scope has a name", { hint: "project/42, say, or catalog" });
  if (priority !== undefined && !Number.isSafeInteger(priority))
    throw new TidemarkError("usage", "the priority of a scope is a whole number");
  return { scope, priority: priority ?? null };
}

/** What is known of a scope of which nobody told. */
const unknown = (scope: string): ScopeStatus => ({
  scope,
  wanted: false,
  granted: false,
  ready: false,
  priority: 0,
  incoming: 0,
});

/** One call of subscribe. */
export class TabSubscription implements Subscription {
  readonly scope: string;
  readonly ready: Promise<void>;
  readonly #db: Known;
  #last: ScopeStatus;

  constructor(link: Link, db: Known, scope: string, options: SubscribeOptions) {
    const { priority, signal } = options;
    const wish = wishOf(priority === undefined ? { scope } : { scope, priority });
    this.scope = scope;
    this.#db = db;
    this.#last = unknown(scope);
    const patience = signal ? { signal } : {};
    this.ready = link
      .call("subscribe", [wish], patience)
      .then(() => link.call("whole", scope, patience))
      .then(() => {});
    this.ready.catch(() => {}); // who does not ask need not hear of it
  }

  get status(): ScopeStatus {
    const now = this.#db.status.scopes.find((s) => s.scope === this.scope);
    if (now) this.#last = now;
    else if (this.#last.wanted || this.#last.granted) this.#last = unknown(this.scope);
    return this.#last;
  }

  onChange(fn: (status: ScopeStatus) => void): () => void {
    let last = this.status;
    return this.#db.onStatus(() => {
      const now = this.status;
      if (now === last) return;
      last = now;
      fn(now);
    });
  }
}

/** A new list in which those that did not change are the objects of before; the one of before when none did. */
export function mergeScopes(old: readonly ScopeStatus[], now: readonly ScopeStatus[]): readonly ScopeStatus[] {
  const known = new Map(old.map((s) => [s.scope, s]));
  const same = (a: ScopeStatus, b: ScopeStatus): boolean =>
    a.wanted === b.wanted &&
    a.granted === b.granted &&
    a.ready === b.ready &&
    a.priority === b.priority &&
    a.incoming === b.incoming;
  const list = now.map((s) => {
    const before = known.get(s.scope);
    return before && same(before, s) ? before : s;
  });
  return list.length === old.length && list.every((s, i) => s === old[i]) ? old : list;
}
