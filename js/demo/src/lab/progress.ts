import type { Status } from "@tidemark/client";

/** How far a visitor is: somebody goes offline, both sides edit, the network comes back. */
export type Stage = "cut" | "edit" | "join" | "done";

export interface Progress {
  readonly stage: Stage;
  /** Who went offline, by id. */
  readonly away: string;
  /** The server's head then. */
  readonly head: number;
}

export const START: Progress = { stage: "cut", away: "", head: 0 };

/** What progress is made of. */
export interface Facts {
  readonly statuses: ReadonlyMap<string, Pick<Status, "online" | "pending">>;
  readonly head: number;
}

/** The next progress, as the facts show it; the same object when nothing moved. */
export function advance(p: Progress, { statuses, head }: Facts): Progress {
  const away = statuses.get(p.away);
  switch (p.stage) {
    case "cut": {
      const first = [...statuses].find(([, s]) => !s.online);
      return first ? { stage: "edit", away: first[0], head } : p;
    }
    case "edit":
      if (!away || away.online) return START;
      return away.pending > 0 && head > p.head ? { ...p, stage: "join" } : p;
    case "join":
      if (!away) return START;
      return away.online && away.pending === 0 ? { ...p, stage: "done" } : p;
    case "done":
      return p;
  }
}
