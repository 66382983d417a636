import type { Database, PendingChangeset } from "@tidemark/client";
import { usePending } from "@tidemark/react";
import { useCallback, useEffect, useState } from "react";
import { type BoardCopy, copyBoard, putBack } from "./board-copy.ts";

/** A board that this tab deleted. */
export interface Deletion {
  readonly copy: BoardCopy;
  /** The changeset that does it, 0 where its outcome came at once. */
  readonly n: number;
  /** `merged`: somebody had changed something on it that the deleter had not seen. */
  readonly outcome: "" | "accepted" | "merged" | "rejected";
}

export interface Deletions {
  readonly list: readonly Deletion[];
  readonly remove: (id: string) => Promise<void>;
  readonly undo: (d: Deletion) => Promise<void>;
  readonly dismiss: (id: string) => void;
  /** Whether the server has not heard of it yet. */
  readonly waits: (d: Deletion) => boolean;
}

/** Deletes boards, and remembers what can be undone for as long as the page lives. */
export function useDeletions(db: Database, me: string): Deletions {
  const [list, setList] = useState<readonly Deletion[]>([]);
  const pending = usePending();
  const dismiss = useCallback((id: string) => setList((old) => old.filter((d) => d.copy.id !== id)), []);
  useEffect(
    () =>
      db.onEvent((e) => {
        if (e.type !== "outcome") return;
        const { n, kind } = e.outcome;
        setList((old) => old.map((d) => (d.n === n ? { ...d, outcome: kind } : d)));
      }),
    [db],
  );
  const remove = async (id: string): Promise<void> => {
    const copy = await copyBoard(db, id, me);
    await db.exec`DELETE FROM board WHERE id = ${id}`;
    const n = (await db.pending()).find((p) => deletes(p, id))?.n ?? 0;
    setList((old) => [{ copy, n, outcome: "" }, ...old.filter((d) => d.copy.id !== id)]);
  };
  const undo = async (d: Deletion): Promise<void> => {
    await putBack(db, d.copy, me);
    dismiss(d.copy.id);
  };
  const waits = (d: Deletion): boolean => pending.some((p) => deletes(p, d.copy.id));
  return { list, remove, undo, dismiss, waits };
}

function deletes(p: PendingChangeset, board: string): boolean {
  return p.changes.some((c) => c.table === "board" && c.op === "delete" && c.key.id === board);
}
