import { type Database, open } from "@tidemark/client";
import { useEffect, useState } from "react";
import { tokenOf } from "../token.ts";

/** The tracker's databases, one for each person: opened when first shown, and kept while the page lives. */
const opened = new Map<string, Promise<Database>>();

export function openTracker(person: string): Promise<Database> {
  const known = opened.get(person);
  if (known) return known;
  const db = open({ name: `tracker-${person}`, server: "/tracker", token: tokenOf(person) });
  opened.set(person, db);
  db.catch(() => opened.delete(person));
  return db;
}

export type OpenedTracker = { readonly db: Database } | { readonly error: unknown } | null;

export function useTracker(person: string): OpenedTracker {
  const [state, setState] = useState<OpenedTracker>(null);
  useEffect(() => {
    let gone = false;
    openTracker(person).then(
      (db) => !gone && setState({ db }),
      (error: unknown) => !gone && setState({ error }),
    );
    return () => {
      gone = true;
    };
  }, [person]);
  return state;
}
