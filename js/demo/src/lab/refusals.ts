import type { OutcomeInfo } from "@tidemark/client";
import { useCallback, useState } from "react";
import type { Person } from "./people.ts";

/** What the server refused since the page was opened. Its log does not hold it: nothing came of it. */
export interface Refusal {
  readonly person: Person;
  readonly n: number;
  /** The server's head then. */
  readonly seq: number;
  readonly code: string;
  /** What it was about: a booking by its slot, anything else by its table. */
  readonly about: string;
  readonly message: string;
}

export type Refused = (person: Person, outcome: OutcomeInfo) => void;

/** How many are kept. */
const KEPT = 20;

export function useRefusals(): readonly [readonly Refusal[], Refused, () => void] {
  const [list, setList] = useState<readonly Refusal[]>([]);
  const refused = useCallback<Refused>((person, { n, seq, code, message, table, key }) => {
    const about = table === "booking" ? String(key[0] ?? "") : table;
    setList((old) => [{ person, n, seq, code, about, message }, ...old].slice(0, KEPT));
  }, []);
  return [list, refused, useCallback(() => setList([]), [])];
}
