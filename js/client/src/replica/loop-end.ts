import type { Code } from "../codes.ts";
import { TidemarkError } from "../error.ts";
import { Moved } from "./connection.ts";
import { type Event, type Loop, messageOf, type State } from "./loop.ts";
import { dial } from "./loop-session.ts";
import { isOtherKind } from "./scopes.ts";
import { checkTries } from "./verify.ts";

/** How often a session may begin anew at once, without a pause and without progress, before it counts as a failure. */
const maxAgain = 3;

/** Bounds how long a server, or what stands before it, can keep us away; milliseconds. */
const maxTold = 600_000;

const op = "sync";

/** Sorts refusals by what cures them. None of them touches pending. */
export function refused(l: Loop, _now: number, event: Event): void {
  const r = messageOf<"refusal">(event);
  const code = r.code as Code; // a newer server may have one that we do not know
  const why = new TidemarkError(code, r.message, { op, hint: r.hint });
  if (needsAuth(code)) {
    end(l, "auth needed", why);
    return;
  }
  const anewFor = code === "fork" || code === "restored" || code === "gap";
  if (stops(code) || (r.fatal && !anewFor)) {
    end(l, "stopped", why);
    l.e.stop(code);
    return;
  }
  if (!anewFor) {
    backOff(l, why, Math.min(r.retry, maxTold));
    return;
  }
  if (code === "fork") l.e.reidentify();
  if (code === "restored") l.fresh = true;
  anew(l, code, r.message);
}

/**
 * Which refusals a new token cures: none came or it is not good any more, or it
 * is of somebody who may not. Until then coming back is no use.
 */
function needsAuth(code: string): boolean {
  return code === "unauthenticated" || code === "forbidden";
}

/**
 * Which refusals coming back does not cure, fatal or not: it is another server,
 * another space. A message that the server could not read is no such case:
 * something in between may have changed it.
 */
function stops(code: string): boolean {
  return code === "incarnation" || code === "wrong_space";
}

/** Leaves the network for a state without a timer. */
function end(l: Loop, s: State, error: TidemarkError): void {
  l.do({ type: "close" });
  l.enter(s, 0);
  l.notify({ error });
}

/**
 * Begins a new session at once, on a new connection, so that nothing of the old
 * one can be taken for an answer in the new one.
 */
export function anew(l: Loop, code: Code, message: string): void {
  l.lasted();
  if (++l.again > maxAgain) {
    l.again = 0;
    backOff(l, new TidemarkError(code, message, { op }));
    return;
  }
  l.retries++;
  dropCheck(l);
  l.do({ type: "close" });
  dial(l);
}

/** Asks an idle server for its head by a new session; it heals what a broken middlebox swallowed. */
export function probe(l: Loop): void {
  l.checkFailures = l.fruitless = 0; // a repair that was given up is tried again, at this pace
  l.do({ type: "close" });
  dial(l);
}

export function silence(l: Loop): void {
  backOff(l, new TidemarkError("offline", `the server did not answer in time (${l.state})`, { op }));
}

export function garbage(l: Loop): void {
  const hint = "something between here and the server may be changing what passes through";
  backOff(l, new TidemarkError("protocol", "a message came that is not of the protocol", { op, hint }));
}

/** The end of a connection. A transport that was told to authenticate says so by the code of its error. */
export function lost(l: Loop, _now: number, event: Event): void {
  if (event.type !== "disconnected") return;
  const { error, retryAfter = 0 } = event;
  const why =
    known(error) ?? new TidemarkError("offline", "the connection to the server is gone", { op, cause: error });
  if (needsAuth(why.code)) end(l, "auth needed", why);
  else backOff(l, why, Math.min(retryAfter, maxTold));
}

export function hangup(l: Loop): void {
  l.do({ type: "close" });
  l.enter("offline", 0);
}

/**
 * Closes the connection and waits: what the server asked for, if it did, and a
 * random part of a span that doubles with each failure, so that many replicas
 * do not come back in step.
 */
function backOff(l: Loop, error: TidemarkError, atLeast = 0): void {
  l.lasted();
  l.do({ type: "close" });
  l.retries++;
  dropCheck(l);
  l.enter("backoff", atLeast + jitter(l));
  l.attempts++;
  l.notify({ error });
}

/** A random part of the span, in milliseconds: drawn in nanoseconds, as every replica draws it. */
function jitter(l: Loop): number {
  const { minDelay, maxDelay, rand } = l.opts;
  const span = Math.min(maxDelay, minDelay * 2 ** l.attempts);
  const b = rand(8);
  const drawn = new DataView(b.buffer, b.byteOffset).getBigUint64(0, true);
  return Math.max(1, Number(drawn % BigInt(Math.round(span * 1e6))) / 1e6);
}

/** Leaves a session that the local file cannot follow. The states without one stay: there is nothing to leave. */
export function fileError(l: Loop, err: unknown): void {
  const why =
    err instanceof Moved
      ? new TidemarkError("busy", "another process syncs this file", { op, cause: err })
      : (known(err) ?? new TidemarkError("internal", String(err), { op, cause: err }));
  if (l.state === "offline" || l.state === "auth needed" || l.state === "stopped" || l.state === "backoff") {
    l.notify({ error: why });
  } else if ((l.state === "greeting" && stops(why.code)) || isOtherKind(why)) {
    // The welcome was one of another server.
    end(l, "stopped", why);
    try {
      l.e.stop(why.code);
    } catch {
      // The file fails, and that is told already.
    }
  } else if (needsAuth(why.code)) {
    end(l, "auth needed", why); // the welcome was one of another principal
  } else backOff(l, why);
}

/** The error of ours in a chain of causes. */
function known(err: unknown): TidemarkError | null {
  for (let e = err; e instanceof Error; e = e.cause) if (e instanceof TidemarkError) return e;
  return null;
}

/**
 * Gives a verification up with its session. It is made again in the next one,
 * but not for ever: a server that cannot answer must not keep the replica from
 * syncing. After a restore there is no way round it.
 */
export function dropCheck(l: Loop): void {
  if (!l.check) return;
  l.check = null;
  if (++l.checkFailures >= checkTries && l.wantCode !== "recovered") l.wanted = false;
}
