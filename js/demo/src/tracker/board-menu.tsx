import { useQuery } from "@tidemark/react";
import type { Act } from "../ui/act.ts";
import { Menu } from "../ui/menu.tsx";
import { useShortcuts } from "../ui/shortcuts.ts";
import { type Board, MEMBERS, type Member } from "./model.ts";

interface Props {
  readonly board: Board;
  /** Whether this person may try what only owners may. */
  readonly trying: boolean;
  readonly act: Act["act"];
  readonly onRename: () => void;
  readonly onDelete: () => void;
}

/** What its owners can do with a board; others read why they cannot. */
export function BoardMenu({ board, trying, act, onRename, onDelete }: Props) {
  const { rows } = useQuery<Member>(MEMBERS, [board.id], { key: "id" });
  const owners = rows.filter((m) => m.role === "owner").map((m) => m.name);
  const barred = board.role === "owner" || trying ? "" : reserved(owners);
  useShortcuts({ F2: () => (barred === "" ? onRename() : act(() => Promise.reject(new Error(barred)))) });
  return (
    <Menu
      label={`Rename or delete ${board.name}`}
      barred={barred}
      items={[
        { label: "Rename", hint: "F2", onChoose: onRename },
        { label: "Delete…", grave: true, onChoose: onDelete },
      ]}
    />
  );
}

/** Why somebody who is no owner can neither rename nor delete. */
export function reserved(owners: readonly string[]): string {
  const who = owners.length === 0 ? "" : `: ${owners.join(", ")}`;
  return `Only an owner renames or deletes this board${who}.`;
}
