import { list, one } from "../conflict/conflict.ts";
import { resolve } from "../conflict/resolve.ts";
import { codeOf, TidemarkError } from "../error.ts";
import { closed } from "../tabs/errors.ts";
import type { Method, Methods, Up } from "../tabs/messages.ts";
import type { Copy } from "./copy.ts";
import type { Host } from "./host.ts";
import { subscribe, unsubscribe } from "./scopes.ts";
import { type Statements, stored } from "./statements.ts";
import { conflictView, pendingView, rejectedView } from "./views.ts";

type Call = Extract<Up, { type: "call" }>;

/** Carries one method out. */
type Handler<M extends Method> = (
  args: Methods[M][0],
  at: {
    readonly host: Host;
    readonly copy: Copy;
    /** What a call that only reads is to read on; null for every other. */
    readonly reads: Statements | null;
    readonly call: Call;
    readonly signal: AbortSignal;
    readonly until: number;
  },
) => Methods[M][1] | Promise<Methods[M][1]>;

const nothing = (_: unknown): null => null;

const handlers: { readonly [M in Method]: Handler<M> } = {
  query: (s, { copy, reads, until }) => {
    const on = reads ?? copy.statements;
    return on.within(until, () => on.query(s));
  },
  exec: (s, { copy, reads, call, until }) =>
    reads
      ? { ...reads.within(until, () => reads.query(s)), changes: 0, lastId: 0 }
      : copy.statements.within(until, () => copy.write(call, () => copy.statements.exec(s))),
  transaction: (t, { copy, call, until }) =>
    copy.statements.within(until, () => copy.transactions.take(call.tab, call.id, t)),
  rollback: (id, { copy }) => nothing(copy.transactions.drop(id)),
  watch: (spec, { host, call }) => host.watches.add(call.tab, spec),
  unwatch: (id, { host, call }) => nothing(host.watches.remove(call.tab, id)),
  pending: async (_, { host }) => {
    await host.commits.gathered();
    await host.slices.free();
    const copy = await host.whenOpen();
    copy.transactions.yield(); // one that was begun meanwhile
    copy.replica.seal(Date.now()); // no session does it while the first sync is under way
    return copy.replica.pending(true).map((p) => pendingView(copy.replica.schema, p));
  },
  rejected: (_, { copy }) => copy.replica.rejected().map((r) => rejectedView(copy.replica.schema, r)),
  retry: ({ id, apart }, at) => disposing(at, () => at.copy.replica.retry(id, apart, Date.now()), 1),
  editAndRetry: ({ id, values }, at) => {
    const edits = values.map((v) => ({ ...v, value: stored(v.value), key: v.key.map(stored) }));
    return disposing(at, () => nothing(at.copy.replica.replaceAndRetry(id, edits, Date.now())), null);
  },
  discard: (id, at) => disposing(at, () => nothing(at.copy.replica.discard(id)), null),
  export: (id, { copy }) => copy.replica.export(id),
  conflicts: (f, { copy }) => list(copy.db, f.states ?? ["open", "kept"], f.table, f.limit).map(conflictView),
  resolve: ({ id, choice }, { copy, call, until }) => {
    const decision = typeof choice === "object" ? { value: stored(choice.value) } : choice;
    return copy.statements.within(until, () =>
      copy.write(call, () => {
        if (call.again && one(copy.db, id).state === "resolved") return { changedSince: false };
        return { changedSince: resolve(copy.db, copy.replica.schema, id, decision) };
      }),
    );
  },
  sync: (_, { host, signal }) => host.shellOrTrouble().then((shell) => shell.sync(signal)),
  flushed: (_, { host, signal }) => host.shellNow.then((shell) => shell.flushed(signal)).then(() => null),
  caughtUp: (_, { host, signal }) => host.shellNow.then((shell) => shell.caughtUp(signal)).then(() => null),
  ready: (_, { host, signal }) => host.filled(signal).then(() => null),
  network: (on, { host }) => nothing(host.setNetwork(on)),
  reconnect: (_, { host }) => nothing(host.reconnect()),
  verify: (_, { host, signal }) => host.shellOrTrouble().then((shell) => shell.verify(signal)),
  exportFile: (_, { copy }) => {
    copy.replica.seal(Date.now());
    return copy.db.serialize();
  },
  wipe: (force, { host }) => host.wipe(force).then(() => null),
  present: ({ scope, state }, { host, call }) => nothing(host.presences.set(call.tab, scope, state)),
  cast: ({ scope, body }, { host, call }) => {
    if (host.presences.cast(call.tab, scope, body)) return null;
    throw new TidemarkError("offline", "there is no session with the server", { hint: "casts are not kept" });
  },
  subscribe: (wishes, { host, copy }) => nothing(host.want(() => subscribe(copy.replica, wishes))),
  unsubscribe: (scope, { host, copy }) => nothing(host.want(() => unsubscribe(copy.replica, scope))),
  scopes: (_, { host, copy }) => host.scopes.infos(copy.replica),
  whole: (scope, { host, signal }) => host.whole(scope, signal).then(() => null),
  inspect: (_, { host, copy }) => ({
    watches: host.watches.costs(),
    tabs: host.heard.size,
    sqlite: host.sqlite.api.version.libVersion,
    bytes: copy.db.int("PRAGMA page_count") * copy.db.int("PRAGMA page_size"),
  }),
};

/** What needs no tables. */
const early: readonly Method[] = [
  "network",
  "reconnect",
  "ready",
  "sync",
  "flushed",
  "caughtUp",
  "verify",
  "wipe",
  "unwatch",
  "present",
  "cast",
];

/** What leaves a transaction of a tab alone. */
const beside: readonly Method[] = ["transaction", "rollback", "ready", "caughtUp", "whole", "present", "cast"];

/** What a tab is to see in whatever it reads next, although it did not wait for the answer. */
const writing: readonly Method[] = ["exec", "resolve", "retry", "editAndRetry"];

/** What does not use the database itself. */
const away: readonly Method[] = [...early.filter((m) => m !== "wipe" && m !== "flushed"), "rollback", "whole"];

/** What writes nothing that would have to be stored. */
const reading: readonly Method[] = [
  "query",
  "rollback",
  "watch",
  "unwatch",
  "rejected",
  "export",
  "conflicts",
  "scopes",
  "inspect",
  "present",
  "cast",
];

const never = new Promise<never>(() => {});

/** Carries a call out; what it wrote is stored when it resolves. It has no end where the next worker is to be asked. */
export async function answer(host: Host, call: Call, signal: AbortSignal): Promise<unknown> {
  try {
    return await carryOut(host, call, signal);
  } finally {
    if (host.passed) await never;
  }
}

/**
 * What only reads goes on beside a long step of the sync, everything else waits for the
 * step's end, and the reads of a tab wait behind its writes.
 */
async function carryOut(host: Host, call: Call, signal: AbortSignal): Promise<unknown> {
  const until = performance.now() + call.left;
  if (!early.includes(call.method)) await ended(host.whenOpen(), signal);
  let reads = readsOn(host, call);
  if (host.slices.busy && reads === null && (call.again || !away.includes(call.method))) {
    if (writing.includes(call.method)) host.waiting.add(call);
    try {
      await ended(host.slices.free(), signal);
    } finally {
      host.waiting.delete(call);
    }
    reads = readsOn(host, call);
  }
  signal.throwIfAborted();
  if (host.ended) throw closed();
  const copy = host.copy;
  const known = reads ? null : copy?.done(call);
  if (known) return known.answer;
  if (!beside.includes(call.method)) copy?.transactions.yield();
  // The methods' types are told apart by the name; a tab of this version sends what belongs to it.
  const handler = handlers[call.method] as Handler<Method>;
  const result = await ended(
    Promise.resolve(handler(call.args as never, { host, copy: copy!, reads, call, signal, until })),
    signal,
  );
  if (reads === null && !reading.includes(call.method)) await host.storage?.flush();
  return result;
}

/** What a call reads on that does nothing else, as far as that can be seen; null for all others. */
function readsOn(host: Host, { tab, method, args }: Call): Statements | null {
  if (method !== "query" && method !== "exec" && method !== "watch") return null;
  if (host.slices.busy && [...host.waiting].some((write) => write.tab === tab)) return null;
  const statements = host.reader?.statements ?? null;
  try {
    // These methods' arguments have a statement.
    return statements?.reads((args as { readonly sql: string }).sql) ? statements : null;
  } catch {
    return null; // on the database itself it will be told what is wrong
  }
}

function ended<T>(p: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((done, fail) => {
    p.then(done, fail);
    signal.addEventListener("abort", () => fail(signal.reason), { once: true });
  });
}

/** A record that is gone when it is asked for again was disposed of the first time. */
function disposing<T>(at: { readonly host: Host; readonly call: Call }, fn: () => T, done: T): T {
  try {
    const result = fn();
    at.host.committed(null);
    return result;
  } catch (err) {
    if (at.call.again && codeOf(err) === "not_found") return done;
    throw err;
  }
}
