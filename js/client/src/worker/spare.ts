import * as meta from "../meta/meta.ts";
import type { Carried } from "../replica/carry.ts";
import { keyNext, keyReplica } from "../replica/facts.ts";
import type { Replica } from "../replica/replica.ts";
import type { Push } from "../wire/up.ts";
import { hashOf } from "../wire/wire.ts";
import type { Cargo } from "./cargo.ts";

/** Bytes of changesets that are kept twice. */
const MOST = 16 << 20;

/** What a worker whose storage failed leaves to the next one. */
export interface Rescued {
  /** The whole database, where it could still be read. */
  readonly file: Uint8Array | null;
  /** What was pending, for where the storage gives nothing back. */
  readonly cargo: Cargo;
  /** Pending changesets that were in the storage only, since there was no room for them here. */
  readonly beyond: number;
}

/** Keeps pending changesets in memory beside the storage, so that they outlive it. */
export class Spare {
  #pushes: Push[] = [];
  #incarnation = "";
  #replica = "";
  /** Pending changesets that there is no room for. */
  beyond = 0;
  readonly #most: number;

  constructor(most = MOST) {
    this.#most = most;
  }

  /** Follows the replica. */
  note(r: Replica): void {
    const [count, last] = r.db.get("SELECT count(*), coalesce(max(n), 0) FROM main._tm_pending") ?? [];
    const known = this.#pushes.at(-1)?.n ?? 0;
    this.beyond = Number(count) - this.#pushes.length;
    if (this.beyond === 0 && Number(last) === known) return;
    this.#incarnation = meta.get(r.db, meta.keyIncarnation);
    this.#replica = meta.get(r.db, keyReplica);
    if (Number(last) < known) this.#pushes = []; // settled, or under other numbers
    const left = new Set<number>();
    r.db.each("SELECT n FROM main._tm_pending", (s) => left.add(s.int(0)));
    this.#pushes = this.#pushes.filter((p) => left.has(p.n));
    const room = this.#most - this.#pushes.reduce((sum, p) => sum + (p.body?.length ?? 0), 0);
    if (room > 0 && left.size > this.#pushes.length) this.#pushes.push(...r.unsent(this.#pushes.at(-1)?.n ?? 0, room));
    this.beyond = left.size - this.#pushes.length;
  }

  cargo(): Cargo {
    const replica = this.#replica;
    const named = (push: Push): Carried => {
      const hash = hashOf(push.salt, push.body ?? new Uint8Array());
      return { push, was: push.was ?? (replica ? { replica, n: push.n, hash } : null) };
    };
    return { incarnation: this.#incarnation, pending: this.#pushes.map(named), rejected: [] };
  }
}

/** What of a cargo is not in a file that was found again: what never came to be stored there. */
export function missing(cargo: Cargo, r: Replica): Cargo {
  const next = meta.getInt(r.db, keyNext);
  return { ...cargo, pending: cargo.pending.filter((c) => c.push.n >= next), rejected: [] };
}
