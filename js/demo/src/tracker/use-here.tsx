import type { Peer } from "@tidemark/client";
import { usePresence } from "@tidemark/react";
import { useMemo } from "react";
import { scopeOf } from "./model.ts";

/** What a tab says to those who are on a board: whether it looks at it, and at which task. */
interface Looking {
  readonly here: boolean;
  readonly task: string;
}

/** Somebody else who looks at a board now. */
export interface Here {
  /** Who it is, as their token says. */
  readonly id: string;
  readonly task: string;
}

/** Has this tab be present for those who are on a board. On boards that it does not show it only looks who is there. */
export function Present({
  board,
  here,
  task,
}: {
  readonly board: string;
  readonly here: boolean;
  readonly task: string;
}) {
  usePresence<Looking>(scopeOf(board), { here, task: here ? task : "" });
  return null;
}

/** The others who look at a board now, each once, however many tabs they have. */
export function useHere(board: string, me: string): readonly Here[] {
  const { others } = usePresence<Partial<Looking>>(scopeOf(board));
  return useMemo(() => hereOf(others, me), [others, me]);
}

export function hereOf(peers: readonly Peer<Partial<Looking>>[], me: string): readonly Here[] {
  const all = new Map<string, Here>();
  for (const { principal, state } of peers) {
    if (state.here !== true || principal === me || principal === "") continue;
    const task = typeof state.task === "string" ? state.task : "";
    all.set(principal, { id: principal, task: task || (all.get(principal)?.task ?? "") });
  }
  return [...all.values()].sort((a, b) => (a.id < b.id ? -1 : 1));
}
