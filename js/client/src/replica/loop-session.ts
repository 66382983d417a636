import type { Seq } from "../change.ts";
import type { Work } from "../lite/work.ts";
import { contentHash } from "../wire/push.ts";
import type { Push } from "../wire/up.ts";
import type { Applied } from "./apply.ts";
import { resyncReason } from "./identity.ts";
import { type Event, type Loop, messageOf, type State } from "./loop.ts";
import { anew, dropCheck } from "./loop-end.ts";
import { moving, reached, rescoped, rewant } from "./loop-scopes.ts";
import { checkTries, startCheck, want } from "./verify.ts";

export function skip(): void {}

/** Closes a connection that came when it was no longer wanted. */
export function drop(l: Loop): void {
  l.do({ type: "close" });
}

export function dial(l: Loop): void {
  l.enter("dialing", l.opts.patience);
  l.do({ type: "dial" });
}

/**
 * Seals first: what is pushed later must be durable, and a changeset that was
 * made under the old identity must get its number under it.
 */
export function greet(l: Loop, now: number): void {
  const sealed = l.e.seal(now);
  const hello = { ...l.e.hello(), clock: now };
  l.told = hello.ask;
  resetSession(l, hello.seq);
  const said = l.fresh ? { ...hello, seq: 0, term: "", sum: 0n, staged: "" } : hello;
  l.enter("greeting", l.opts.patience);
  noteSealed(l, sealed);
  l.send(said);
}

function resetSession(l: Loop, seq: Seq): void {
  l.seq = l.head = seq;
  l.staging = false;
  l.flight = l.sent = 0;
  l.unsent = true;
  l.flying.clear();
  l.held = [];
  dropCheck(l);
}

function noteSealed(l: Loop, sealed: number): void {
  if (sealed > 0) l.notify({ sealed });
}

/** Begins the live part of a session. The ack proves to the server that the new ticket is stored. */
export function* welcome(l: Loop, now: number, event: Event): Work<void> {
  const w = messageOf<"welcome">(event);
  const { replica } = l.e.hello();
  if (replica !== "" && replica !== w.replica) {
    // The answer to an earlier hello, or to another's: what is pending may
    // have been sent under the name that this replica has.
    anew(l, "protocol", "the server greets another replica");
    return;
  }
  rescoped(l, yield* l.e.welcome(w, now), w.ask);
  l.seq = l.e.hello().seq;
  l.head = Math.max(w.head, l.seq);
  l.limits = w.limits;
  const { repair } = l.e.status();
  if (w.resync || l.fresh || repair === resyncReason)
    want(l, "recovered"); // the last: begun in an earlier session
  else if (repair && l.checkFailures < checkTries) want(l, "uncaptured");
  l.fresh = false;
  l.welcomed = now;
  ack(l);
  rewant(l);
  decide(l, now, true);
}

function ack(l: Loop, cursor = ""): void {
  l.send({ type: "ack", seq: l.seq, cursor });
}

/**
 * A welcome in the middle of a session: over plain HTTP every round trip greets
 * anew. Only ticket and head are news.
 */
export function* renew(l: Loop, now: number, event: Event): Work<void> {
  const w = messageOf<"welcome">(event);
  rescoped(l, yield* l.e.welcome(w, now), w.ask);
  l.head = Math.max(l.head, w.head);
  l.limits = w.limits;
  // A round trip that brings nothing else must not wind the timer up for ever.
  decide(l, now, l.state === "idle");
}

export function* schema(l: Loop, now: number, event: Event): Work<void> {
  reached(l, yield* l.e.saveSchema(messageOf<"schema">(event), now));
  decide(l, now, true);
}

/** Takes over the blocks of ids that come in front of welcome. */
export function early(l: Loop, now: number, event: Event): void {
  l.e.lease(messageOf<"leases">(event), now);
}

/** Takes over blocks of ids. They prove nothing about what else is to come. */
export function blocks(l: Loop, now: number, event: Event): void {
  early(l, now, event);
  decide(l, now, l.state === "idle");
}

/** Frees the window at once, but an outcome settles only together with the confirmed rows of its seq. */
export function* outcomes(l: Loop, now: number, event: Event): Work<void> {
  for (const o of messageOf<"outcomes">(event).list) {
    l.flight -= l.flying.get(o.n) ?? 0;
    l.flying.delete(o.n);
    l.unsent = true;
    l.hold(o);
  }
  const ready = l.due(l.seq);
  if (ready.length > 0) applied(l, yield* l.e.settle(ready, now));
  decide(l, now, true);
}

/**
 * Follows the server. What is behind us came twice; what begins ahead of us
 * means that something is missing, and only a new session gets it back.
 */
export function* batch(l: Loop, now: number, event: Event): Work<void> {
  const b = messageOf<"batch">(event);
  if (b.from !== l.seq) {
    if (b.to <= l.seq) return;
    anew(l, "gap", `changes from ${b.from} came at checkpoint ${l.seq}`);
    return;
  }
  const a = yield* l.e.apply(b, b.more ? [] : l.due(b.to), now);
  l.head = Math.max(l.head, b.to);
  l.staging = a.staged;
  if (a.staged) {
    l.progressed();
    if (a.rows > 0) l.notify({ applied: a });
    ack(l, b.cursor);
  } else {
    applied(l, a);
    if (l.filling) l.filling = l.e.filling();
    l.unsent = true; // applying seals
    ack(l);
  }
  decide(l, now, true);
}

function applied(l: Loop, a: Applied): void {
  l.progressed();
  l.seq = Math.max(l.seq, a.seq);
  if (a.repair) {
    if (l.fruitless < checkTries) want(l, "uncaptured");
    if (l.check) l.check.disturbed = true;
  }
  l.notify({ applied: a });
}

export function local(l: Loop, now: number): void {
  noteSealed(l, l.e.seal(now));
  l.unsent = true; // a rejected one may be tried again
  rewant(l);
  decide(l, now, false);
}

/** Keeps the changesets of different moments apart although nobody listens. */
export function seal(l: Loop, now: number): void {
  noteSealed(l, l.e.seal(now));
}

/**
 * Is called after everything that happens in a live session: it sends what can
 * be sent and names what is waited for. A word from the server winds the timer
 * up again; a local write does not, or a busy writer would hide a silent server.
 */
export function decide(l: Loop, now: number, heard: boolean): void {
  if (!l.check && l.wanted && l.seq >= l.head && !moving(l)) startCheck(l, now);
  push(l);
  const next = waitingFor(l);
  if (next === l.state && !heard) return;
  l.enter(next, next === "idle" ? l.opts.keepalive : l.opts.patience);
}

function waitingFor(l: Loop): State {
  if (l.check) return "verifying";
  if (l.seq < l.head || moving(l)) return "catching up";
  return l.flying.size > 0 || l.held.length > 0 ? "pushing" : "idle";
}

/**
 * Fills the window. A replica that does not know yet what the server holds
 * (after a restore) waits with it.
 */
function push(l: Loop): void {
  if (!l.unsent || l.flight >= l.opts.pushBytes || l.check?.code === "recovered") return;
  if (l.filling && l.wanted && l.wantCode === "recovered") return;
  const list = l.e.unsent(l.sent, l.opts.pushBytes - l.flight);
  l.unsent = list.length > 0;
  const pushes = list.map((p) => withhold(l, p));
  for (const p of pushes) {
    const size = (p.body?.length ?? 0) + 1;
    l.sent = Math.max(l.sent, p.n);
    l.flying.set(p.n, size);
    l.flight += size;
  }
  l.send(...pushes);
}

/** Room for what a push has beside its body. */
const frame = 1 << 10;

/**
 * Takes the body out of a push that the server would only reject for its size,
 * or could not even read: by its hash alone it gets its outcome, and delays
 * nothing behind it.
 */
function withhold(l: Loop, p: Push): Push {
  const size = p.body?.length ?? 0;
  const { changeset, message } = l.limits;
  const tooLarge = (changeset > 0 && size > changeset) || (message > 0 && size > message - frame);
  return tooLarge ? { ...p, body: null, hash: contentHash(p) } : p;
}
