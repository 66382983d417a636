import type { Diff } from "@tidemark/client";
import { useDatabase } from "@tidemark/react";
import { useCallback, useEffect, useState } from "react";
import { BOARDS, type Board } from "./model.ts";

/** What became of a board, which this tab did not do. */
export interface BoardNews {
  readonly id: string;
  readonly name: string;
  /** `left`: this person is not on it any more, so this device does not hold it. Whether anybody does it is not told. */
  readonly what: "came" | "left" | "deleted";
}

interface Boards {
  readonly boards: readonly Board[];
  readonly loading: boolean;
  readonly news: readonly BoardNews[];
  /** How many rows left with a board, by its key. */
  readonly lost: ReadonlyMap<string, number>;
  readonly dismiss: (id: string) => void;
}

/** The boards that a person is on, and which came and went while one looked. */
export function useBoards(me: string): Boards {
  const db = useDatabase();
  const [shown, show] = useState<Pick<Boards, "boards" | "loading">>({ boards: [], loading: true });
  const [news, setNews] = useState<readonly BoardNews[]>([]);
  const [lost, setLost] = useState<Boards["lost"]>(new Map());
  useEffect(() => {
    let known = 0;
    const stop = db.watch<Board>(BOARDS, [me], (boards, diff) => {
      show({ boards, loading: false });
      // All of them come with the first copy: that is no news.
      const fresh = known === 0 ? [] : newsOf(diff, me);
      known = boards.length;
      if (fresh.length > 0) setNews((old) => [...fresh, ...old.filter((n) => fresh.every((f) => f.id !== n.id))]);
    });
    const end = db.onEvent((e) => {
      if (e.type !== "scope" || e.scope.state !== "lost") return;
      const { scope, rows } = e.scope;
      setLost((old) => new Map(old).set(scope.replace(/^board\//, ""), rows));
    });
    return () => {
      stop();
      end();
    };
  }, [db, me]);
  const dismiss = useCallback((id: string) => setNews((old) => old.filter((n) => n.id !== id)), []);
  return { ...shown, news, lost, dismiss };
}

/** What a change of the list says to somebody who looks at it. */
export function newsOf(diff: Pick<Diff<Board>, "added" | "removed" | "left">, me: string): readonly BoardNews[] {
  const left = new Set(diff.left.map((b) => b.id));
  return [
    ...diff.added.filter((b) => b.made_by !== me).map((b) => ({ id: b.id, name: b.name, what: "came" as const })),
    ...diff.removed.map((b) => ({
      id: b.id,
      name: b.name,
      what: left.has(b.id) ? ("left" as const) : ("deleted" as const),
    })),
  ];
}
