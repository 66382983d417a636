import type { ErrorInfo, ScopeStatus } from "@tidemark/client";
import { useMemo, useSyncExternalStore } from "react";
import { useOpening } from "./provider.ts";
import { useStatus } from "./status.ts";
import { type Store, still, storeOf } from "./store.ts";

/** What useScope gives; the same object until something changes. */
export interface ScopeResult {
  /** Whether the scope is whole on this device. */
  readonly ready: boolean;
  /** What is known of it; null while the database is being opened. */
  readonly status: ScopeStatus | null;
  /** Why it does not come: `forbidden` where the server does not grant it. */
  readonly error: ErrorInfo | null;
}

/** Options of useScope. */
export interface ScopeOptions {
  /** Scopes of a lower one come first; default: what it has, at first 0. */
  readonly priority?: number;
}

const UNKNOWN: ScopeResult = { ready: false, status: null, error: null };

/**
 * Subscribes this device to a scope, and follows it: the component renders again
 * when the scope fills, is ready or is lost. It stays subscribed when the component
 * goes, so that its rows are there the next time and without network;
 * Database.unsubscribe gives it up. A scope of null is none.
 */
export function useScope(scope: string | null, options: ScopeOptions = {}): ScopeResult {
  const db = useOpening();
  const { priority } = options;
  const store = useMemo<Store<ScopeResult>>(() => {
    if (db === null || scope === null) return still(UNKNOWN);
    return storeOf<ScopeResult>(db, `scope(${scope}, ${priority})`, UNKNOWN, (set) => {
      const over = new AbortController();
      const { signal } = over;
      const sub = db.subscribe(scope, priority === undefined ? { signal } : { signal, priority });
      let refused: ErrorInfo | null = null;
      const tell = (): void => {
        const { status } = sub;
        set({ ready: status.ready, status, error: status.granted ? null : refused });
      };
      sub.ready.catch((err: Partial<ErrorInfo>) => {
        refused = { code: err.code ?? "internal", message: err.message ?? "", hint: err.hint ?? "" };
        if (!signal.aborted) tell();
      });
      const stop = sub.onChange(tell);
      tell();
      return () => {
        stop();
        over.abort();
      };
    });
  }, [db, scope, priority]);
  return useSyncExternalStore(store.subscribe, store.snapshot, () => UNKNOWN);
}

/** The scopes that this device wants, that are granted or here, by their names. */
export function useScopes(): readonly ScopeStatus[] {
  return useStatus().scopes;
}
