import type { Seq } from "../change.ts";
import type { Code } from "../codes.ts";
import { TidemarkError } from "../error.ts";
import type { Database } from "../lite/database.ts";
import type { Work } from "../lite/work.ts";
import * as meta from "../meta/meta.ts";
import { scoped } from "../schema.ts";
import { bytesOf, sameBytes, type Value } from "../value.ts";
import type { Welcome } from "../wire/down.ts";
import type { Hello } from "../wire/up.ts";
import { protocol } from "../wire/wire.ts";
import type { Applied } from "./apply.ts";
import { guarded } from "./connection.ts";
import * as facts from "./facts.ts";
import type { Replica } from "./replica.ts";
import { welcomeList } from "./scope-list.ts";
import { heldScopes, wants } from "./scopes.ts";
import { scrubbed, voidStage } from "./scrub.ts";
import { stagedCursor } from "./stage.ts";
import { engineTransaction, transaction, working } from "./transaction.ts";

/** Makes the message that opens a session. */
export function hello(r: Replica): Hello {
  return guarded("hello", () => {
    const f = facts.allFacts(r.db);
    const text = (key: string) => facts.textFact(f, key);
    const number = (key: string) => facts.numberFact(f, key);
    const seq: Seq = number(meta.keySeq);
    const sum = f.get(meta.keySum);
    return {
      type: "hello",
      protocol,
      space: text(meta.keySpace),
      incarnation: text(meta.keyIncarnation),
      term: text(meta.keyTerm),
      replica: text(facts.keyReplica),
      ticket: text(facts.keyTicket),
      schema: text(meta.keySchema),
      seq,
      sum: typeof sum === "bigint" ? BigInt.asUintN(64, sum) : 0n,
      staged: stagedCursor(r.db, seq),
      settled: settledThrough(r.db, number(facts.keyNext)),
      readOnly: number(facts.keyReadOnly) !== 0,
      agent: r.opts.agent ?? "",
      clock: 0, // of the session
      token: "", // likewise
      held: heldScopes(r.db),
      ...wants(r.db),
      ask: number(facts.keyWants),
    };
  });
}

/** The number up to which every changeset has its outcome here. */
function settledThrough(db: Database, next: number): number {
  return db.int("SELECT coalesce((SELECT min(n) FROM main._tm_pending), ?1)", BigInt(next)) - 1;
}

/** Marks a copy whose checkpoint was set to the server's head without its rows. */
export const resyncReason = "the server does not know the state of this copy";

/**
 * Stores what the server said of itself and of this replica, durably. After a
 * resync the checkpoint is the server's head: what differs from it is found by
 * comparing, and until then the copy is marked for repair. What it held of scopes
 * that are not listed leaves; gives null when no scope came or went.
 */
export function welcome(r: Replica, w: Welcome, now: number): Work<Applied | null> {
  const run = scoped(r.server) ? engineTransaction : working;
  return scrubbed(r, () => run(r, "welcome", now, () => greeted(r, w, now)));
}

function* greeted(r: Replica, w: Welcome, now: number): Work<Applied | null> {
  recogniseServer(facts.allFacts(r.db), w);
  facts.store(r.db, {
    [facts.keyReplica]: w.replica,
    [facts.keyTicket]: w.ticket,
    [meta.keySpace]: w.space,
    [meta.keyIncarnation]: w.incarnation,
    [facts.keyHead]: BigInt(w.head),
    [facts.keyContact]: BigInt(now),
    [facts.keyStopped]: "",
    [facts.keyPrincipal]: w.principal,
  });
  if (w.resync) {
    facts.store(r.db, {
      [meta.keyTerm]: w.term,
      [meta.keySeq]: BigInt(w.head),
      [facts.keyProven]: facts.flag(false),
      [facts.keyRepair]: resyncReason,
    });
    voidStage(r);
  }
  return yield* welcomeList(r, w);
}

function recogniseServer(f: ReadonlyMap<string, Value>, w: Welcome): void {
  const space = facts.textFact(f, meta.keySpace);
  if (space && space !== w.space) {
    const message = `this is a copy of space ${JSON.stringify(space)}, the server speaks of ${JSON.stringify(w.space)}`;
    throw new TidemarkError("wrong_space", message, { hint: "sync it with the address that it was cloned from" });
  }
  const incarnation = facts.textFact(f, meta.keyIncarnation);
  const key = bytesOf(f.get(meta.keyDigestKey) ?? null);
  const hint = "clone again beside the old copy; what is pending there stays there";
  if (incarnation && incarnation !== w.incarnation) {
    throw new TidemarkError("incarnation", "the space was made anew on the server since this copy was cloned", {
      hint,
    });
  }
  if (key.length > 0 && !sameBytes(key, w.digestKey)) {
    throw new TidemarkError("incarnation", "the server has another digest key than when this copy was cloned", {
      hint,
    });
  }
  const owner = facts.textFact(f, facts.keyPrincipal);
  if (owner && owner !== w.principal) throw stranger(owner, w.principal);
}

/**
 * Why a copy whose principal is `owner` takes no part in what somebody else
 * does. What is pending in it stays for `owner`.
 */
export function stranger(owner: string, other: string): TidemarkError {
  const [mine, theirs] = [JSON.stringify(owner), JSON.stringify(other)];
  if (other === "") {
    return new TidemarkError("forbidden", `this copy belongs to ${mine}, and the server asks nobody who they are`, {
      hint: "serve with the keys that its tokens were signed with",
    });
  }
  return new TidemarkError("forbidden", `this copy belongs to ${mine}, the token is of ${theirs}`, {
    hint: `bring a token of ${mine}, or open a copy of its own for ${theirs}`,
  });
}

/**
 * Gives a copied file a name of its own: pending changesets keep their first
 * names in `was` and get new numbers.
 */
export function reidentify(r: Replica): void {
  transaction(r, "reidentify", 0, () => {
    const { db } = r;
    const name = meta.get(db, facts.keyReplica);
    // The first name stays: the server records a fate under that one too,
    // whichever copy brings the changeset first.
    const was = "UPDATE main._tm_pending SET was_replica = ?1, was_n = n, was_hash = hash WHERE was_replica IS NULL";
    if (name) db.run(was, name);
    const last = numberAnew(db);
    voidStage(r);
    facts.store(db, { [facts.keyReplica]: "", [facts.keyTicket]: "", [facts.keyNext]: BigInt(last + 1) });
  });
}

/**
 * Numbers pending changesets from 1 on and gives the last number. Numbers only
 * get smaller, so in ascending order none meets another.
 */
function numberAnew(db: Database): number {
  const old: number[] = [];
  db.each("SELECT n FROM main._tm_pending ORDER BY n", (s) => old.push(s.int(0)));
  old.forEach((n, i) => {
    for (const table of ["_tm_pending_row", "_tm_taken", "_tm_text", "_tm_pending"]) {
      db.run(`UPDATE main.${table} SET n = ?1 WHERE n = ?2`, BigInt(i + 1), BigInt(n));
    }
    db.run("UPDATE main._tm_pending SET cause = ?1 WHERE cause = ?2", causeOn(i + 1), causeOn(n));
  });
  // What was renumbered before concerns all that is pending.
  db.run("UPDATE main._tm_renumbered SET n = 0");
  return old.length;
}

/** The cause of a suspension that another suspended changeset brought about. */
export function causeOn(n: number): string {
  return `depends_on ${n}`;
}

/** Remembers the refusal that ended syncing, until the next welcome. */
export function stop(r: Replica, code: Code): void {
  transaction(r, "stop", 0, () => facts.store(r.db, { [facts.keyStopped]: code }));
}
