import { useCallback, useState } from "react";
import { readStored, writeStored } from "./ui/stored.ts";

/** Who one is at the first visit. */
const FIRST = "ana";
const KEY = "tidemark-me";

/**
 * Who sits in front of this tab. Each tab may be somebody else: a tab keeps its
 * choice over a reload, and a new one begins as who was chosen last. An address
 * with ?as=ben opens a tab as Ben.
 */
export function useMe(): readonly [string, (id: string) => void] {
  const [me, setMe] = useState(begin);
  const choose = useCallback((id: string) => {
    keep(id);
    setMe(id);
  }, []);
  return [me, choose];
}

/** The address that opens a tab as somebody else, at the same place. */
export function addressAs(id: string): string {
  return `/?as=${encodeURIComponent(id)}${location.hash}`;
}

function begin(): string {
  const asked = new URLSearchParams(location.search).get("as") ?? "";
  if (asked === "") return readStored(KEY, "session") ?? readStored(KEY) ?? FIRST;
  history.replaceState(null, "", location.pathname + location.hash);
  const id = /^[\w-]{1,60}$/.test(asked) ? asked : FIRST; // it becomes a part of the database's name
  keep(id);
  return id;
}

function keep(id: string): void {
  writeStored(KEY, id, "session");
  writeStored(KEY, id);
}
