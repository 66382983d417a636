import { useEffect, useMemo } from "react";
import { useStored } from "../ui/stored.ts";
import { type Person, people } from "./people.ts";

/** Which replica is whose, by its name. */
export type Names = ReadonlyMap<string, Person>;

/** One that is open now. */
export interface Named {
  readonly replica: string;
  readonly person: Person;
}

/** Who made a changeset: its name begins with that of the replica. */
export function authorOf(names: Names, by: string): Person | undefined {
  for (const [replica, person] of names) if (by.startsWith(replica)) return person;
  return undefined;
}

/** How many names are remembered. */
const REMEMBERED = 30;

/** The names of the replicas of this browser, also of those that were put away: the log goes on telling of them. */
export function useNames(open: readonly Named[]): Names {
  const [line, setLine] = useStored<string>("tidemark-lab-names", "");
  const next = remember(line, open);
  useEffect(() => {
    if (next !== line) setLine(next);
  }, [next, line, setLine]);
  return useMemo(() => readNames(next), [next]);
}

/** Adds names to a line like "ana=1f2e ben=90ab". */
export function remember(line: string, open: readonly Named[]): string {
  const fresh = open.map((o) => `${o.person.id}=${o.replica}`).filter((w) => !line.split(" ").includes(w));
  return fresh.length === 0 ? line : [...line.split(" "), ...fresh].filter(Boolean).slice(-REMEMBERED).join(" ");
}

export function readNames(line: string): Names {
  const pairs = line.split(" ").map((w) => w.split("="));
  return new Map(
    pairs.flatMap(([id, replica]) => {
      const person = people.find((p) => p.id === id);
      return person && replica ? [[replica, person] as const] : [];
    }),
  );
}
