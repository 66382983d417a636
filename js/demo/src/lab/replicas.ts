import { type Database, open } from "@tidemark/client";
import { useEffect, useState } from "react";
import { tokenOf } from "../token.ts";
import type { Person } from "./people.ts";

/** Replicas that are open, by person: one each, however often React mounts. */
const opened = new Map<string, Promise<Database>>();

export function openReplica(person: Person): Promise<Database> {
  const known = opened.get(person.id);
  if (known) return known;
  const db = open({ name: `lab-${person.id}`, server: "/lab", token: tokenOf(person.id) });
  opened.set(person.id, db);
  db.catch(() => opened.delete(person.id));
  return db;
}

/** What came of opening a database. */
export type Opened = { readonly db: Database } | { readonly error: unknown } | null;

export function useReplica(person: Person): Opened {
  const [state, setState] = useState<Opened>(null);
  useEffect(() => {
    let gone = false;
    openReplica(person).then(
      (db) => !gone && setState({ db }),
      (error: unknown) => !gone && setState({ error }),
    );
    return () => {
      gone = true;
    };
  }, [person]);
  return state;
}

/** Closes a replica, which stays on the device. */
export async function closeReplica(person: Person): Promise<void> {
  const db = opened.get(person.id);
  opened.delete(person.id);
  await (await db)?.close();
}
