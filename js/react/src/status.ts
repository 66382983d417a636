import {
  type Conflict,
  type ConflictFilter,
  type Database,
  type PendingChangeset,
  type RejectedChangeset,
  type Status,
  unknownStatus,
} from "@tidemark/client";
import { useMemo, useSyncExternalStore } from "react";
import { useOpening } from "./provider.ts";
import { type Store, still, storeOf, textOf } from "./store.ts";

const opening = (): Status => unknownStatus;

/** What is known of the database. On the server, and while it is being opened, its phase is `opening`. */
export function useStatus(): Status {
  const db = useOpening();
  const store = useMemo<Store<Status>>(
    () =>
      db ? { subscribe: (changed) => db.onStatus(() => changed()), snapshot: () => db.status } : still(unknownStatus),
    [db],
  );
  return useSyncExternalStore(store.subscribe, store.snapshot, opening);
}

const NONE: readonly never[] = [];

const none = (): readonly never[] => NONE;

/** What of the status tells that a list may have changed. */
const mark = (s: Status): string => [s.phase, s.seq, s.pending, s.suspended, s.rejected, s.conflicts].join();

/** Follows a list that is asked for: again after each change of the status and each event, one question at a time. */
function useList<T>(name: string, ask: (db: Database) => Promise<readonly T[]>): readonly T[] {
  const db = useOpening();
  // biome-ignore lint/correctness/useExhaustiveDependencies: the name says what is asked
  const store = useMemo<Store<readonly T[]>>(() => {
    if (db === null) return still(NONE);
    return storeOf<readonly T[]>(db, name, NONE, (set) => {
      let known = new Map<string, T>();
      let over = false;
      let asking = false;
      let again = false;
      const take = (list: readonly T[]): void => {
        const next = new Map<string, T>();
        for (const item of list) {
          const text = textOf(item);
          next.set(text, known.get(text) ?? item);
        }
        const same = [...known.keys()].join() === [...next.keys()].join();
        known = next;
        if (!over && !same) set([...next.values()]);
      };
      const load = async (): Promise<void> => {
        again = true;
        if (asking) return;
        asking = true;
        while (again && !over) {
          again = false;
          // What cannot be read now is asked for at the next change.
          await ask(db).then(take, () => {});
        }
        asking = false;
      };
      let last = mark(db.status);
      const stops = [
        db.onEvent(() => void load()),
        db.onStatus((s) => {
          const now = mark(s);
          if (now !== last) void load();
          last = now;
        }),
      ];
      void load();
      return () => {
        over = true;
        for (const stop of stops) stop();
      };
    });
  }, [db, name]);
  return useSyncExternalStore(store.subscribe, store.snapshot, none);
}

/** Changesets that the server has not answered yet, the oldest first. */
export function usePending(): readonly PendingChangeset[] {
  return useList("pending()", (db) => db.pending());
}

/** Rejected changesets that are kept, the oldest first. */
export function useRejected(): readonly RejectedChangeset[] {
  return useList("rejected()", (db) => db.rejected());
}

/** What policies threw away and what waits for a decision; by default what is open or kept. */
export function useConflicts(filter?: ConflictFilter): readonly Conflict[] {
  return useList(`conflicts(${textOf(filter ?? null)})`, (db) => db.conflicts(filter));
}
