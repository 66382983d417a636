import type { Person } from "./people.ts";

/** Which replica is whose, by its name. */
export type Names = ReadonlyMap<string, Person>;

/** Who made a changeset: its name begins with that of the replica. */
export function authorOf(names: Names, by: string): Person | undefined {
  for (const [replica, person] of names) if (replica !== "" && by.startsWith(replica)) return person;
  return undefined;
}
