import { useQuery, useStatus } from "@tidemark/react";
import { useMemo } from "react";
import { Dialog } from "../ui/dialog.tsx";
import {
  type Board,
  CONTENTS,
  type Contents,
  contentsParams,
  EMPTY,
  MEMBERS,
  type Member,
  sayContents,
} from "./model.ts";

interface Props {
  readonly board: Board;
  readonly me: string;
  readonly onDelete: () => void;
  readonly onClose: () => void;
}

/** Asks before a board is deleted, and says what goes with it. */
export function DeleteDialog({ board, me, onDelete, onClose }: Props) {
  const params = useMemo(() => contentsParams(board.id, me), [board.id, me]);
  const { rows, loading } = useQuery<Contents>(CONTENTS, params);
  const { rows: members } = useQuery<Member>(MEMBERS, [board.id], { key: "id" });
  const { online } = useStatus();
  const contents = rows[0] ?? EMPTY;
  return (
    <Dialog title={`Delete “${board.name}”?`} onClose={onClose}>
      <p>{loading ? "…" : <strong>{goes(contents)}</strong>}</p>
      <p>{whom(members.filter((m) => m.id !== me).map((m) => m.name))}</p>
      {!online && (
        <p>
          You are offline: it goes from this device now, and from the others when you are back. What they change
          meanwhile is deleted with it, and the server keeps a record of that.
        </p>
      )}
      <p className="panel-foot">
        {contents.foreign === 0
          ? "As long as this tab is open you can undo it."
          : "It cannot be undone: nobody may write the comments of others again in their names."}
      </p>
      <div className="dialog-actions">
        {/* Who presses Enter without reading loses nothing. */}
        <button type="button" className="button" data-first onClick={onClose}>
          Keep it
        </button>
        <button type="button" className="button button-grave" disabled={loading} onClick={onDelete}>
          Delete the board
        </button>
      </div>
    </Dialog>
  );
}

function goes(c: Contents): string {
  const what = sayContents(c);
  return what === "" ? "There is nothing on it." : `With it ${c.tasks + c.comments === 1 ? "goes" : "go"} ${what}.`;
}

function whom(others: readonly string[]): string {
  if (others.length === 0) return "Nobody else is on it.";
  const last = others.at(-1) ?? "";
  const names = others.length === 1 ? last : `${others.slice(0, -1).join(", ")} and ${last}`;
  return `${names} ${others.length === 1 ? "loses" : "lose"} it, too.`;
}
