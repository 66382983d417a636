import type { Cast, ErrorInfo, Peer } from "@tidemark/client";
import { useCallback, useEffect, useMemo, useRef, useSyncExternalStore } from "react";
import { useOpening } from "./provider.ts";
import { type Store, still, storeOf, textOf } from "./store.ts";

/** What usePresence gives. */
export interface PresenceResult<S> {
  /** Who is present, this tab included: the same objects for those who did not change. */
  readonly peers: readonly Peer<S>[];
  /** The same without this tab. */
  readonly others: readonly Peer<S>[];
  /** Why others do not see this tab, or what the server declined last. */
  readonly error: ErrorInfo | null;
  /** Says something to everyone who is present now. */
  readonly cast: (body: unknown) => void;
}

interface Seen {
  readonly peers: readonly Peer[];
  readonly others: readonly Peer[];
  readonly error: ErrorInfo | null;
}

const NOBODY: Seen = { peers: [], others: [], error: null };

/**
 * This tab is present in a scope while a component that says so is mounted, and
 * the component renders again when others come, change or go. Of several
 * components with a state the one that rendered another last wins; one without
 * a state only looks.
 */
export function usePresence<S extends object = Record<string, unknown>>(scope = "all", state?: S): PresenceResult<S> {
  const db = useOpening();
  const text = state === undefined ? undefined : textOf(state);
  const latest = useRef(state);
  const store = useMemo<Store<Seen>>(() => {
    if (db === null) return still(NOBODY);
    return storeOf<Seen>(db, `presence(${scope})`, NOBODY, (set) => {
      const presence = db.presence(scope);
      let last = NOBODY;
      const stop = presence.onChange((peers) => {
        const others = peers.filter((p) => !p.me);
        const same = others.length === last.others.length && others.every((p, i) => p === last.others[i]);
        last = { peers, others: same ? last.others : others, error: presence.error };
        set(last);
      });
      presence.join({ ...latest.current });
      return () => {
        stop();
        presence.leave();
      };
    });
  }, [db, scope]);
  const seen = useSyncExternalStore(store.subscribe, store.snapshot, () => NOBODY);
  // biome-ignore lint/correctness/useExhaustiveDependencies: the text says all of the state
  useEffect(() => {
    latest.current = state;
    if (db !== null && state !== undefined) db.presence<S>(scope).join(state);
  }, [db, scope, text]);
  const cast = useCallback((body: unknown) => db?.presence(scope).cast(body), [db, scope]);
  return useMemo(() => {
    // What states look like is the app's to say.
    return { ...(seen as unknown as Omit<PresenceResult<S>, "cast">), cast };
  }, [seen, cast]);
}

/** Calls fn with what others cast in a scope in which a component is present by usePresence. */
export function useCasts(fn: (cast: Cast) => void, scope = "all"): void {
  const db = useOpening();
  const latest = useRef(fn);
  useEffect(() => {
    latest.current = fn;
  });
  useEffect(() => db?.presence(scope).onCast((cast) => latest.current(cast)), [db, scope]);
}
