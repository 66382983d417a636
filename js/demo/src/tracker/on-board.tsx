import { useQuery } from "@tidemark/react";
import { useState } from "react";
import type { Act } from "../ui/act.ts";
import { Avatar } from "../ui/avatar.tsx";
import { useShortcuts } from "../ui/shortcuts.ts";
import { type Board, MEMBERS, type Member, type Person } from "./model.ts";
import { PeopleDialog } from "./people-dialog.tsx";
import { useHere } from "./use-here.tsx";

interface Props {
  readonly board: Board;
  readonly me: string;
  readonly people: ReadonlyMap<string, Person>;
  readonly act: Act["act"];
}

/** Who is on the board, those who look at it now with a ring. Opens the list in which owners let people in. */
export function OnBoard({ board, me, people, act }: Props) {
  const { rows } = useQuery<Member>(MEMBERS, [board.id], { key: "id" });
  const here = useHere(board.id, me);
  const [open, setOpen] = useState(false);
  useShortcuts({ p: () => setOpen(true) });
  const now = (id: string): boolean => id === me || here.some((h) => h.id === id);
  return (
    <>
      <button
        type="button"
        className="on-board"
        aria-haspopup="dialog"
        title="Who is on this board (p)"
        onClick={() => setOpen(true)}
      >
        <span className="faces faces-members" aria-hidden="true">
          {rows.map((m) => (
            <span key={m.id} className="face" data-here={now(m.id)}>
              <Avatar name={m.name} hue={m.hue} />
            </span>
          ))}
        </span>
        <span className="on-board-text">
          {rows.length} {rows.length === 1 ? "person" : "people"}
        </span>
        <span className="visually-hidden">on this board, {1 + here.length} here now</span>
      </button>
      {open && (
        <PeopleDialog
          board={board}
          members={rows}
          me={me}
          people={people}
          here={here.map((h) => h.id)}
          act={act}
          onClose={() => setOpen(false)}
        />
      )}
    </>
  );
}
