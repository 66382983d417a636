import { useState } from "react";
import { formatRoute } from "../route.ts";
import { PlusIcon } from "../ui/icons.tsx";
import type { Board } from "./model.ts";

interface Props {
  readonly boards: readonly Board[];
  readonly current: string;
  readonly onAdd: ((name: string) => void) | null;
}

export function BoardBar({ boards, current, onAdd }: Props) {
  const [name, setName] = useState<string | null>(null);
  const add = (e: React.FormEvent): void => {
    e.preventDefault();
    if (name?.trim()) onAdd?.(name.trim());
    setName(null);
  };
  return (
    <nav className="board-bar" aria-label="Boards">
      {boards.map((b) => (
        <a
          key={b.id}
          className="board-tab"
          href={formatRoute("tracker", b.id)}
          aria-current={b.id === current ? "page" : undefined}
        >
          {b.name}
        </a>
      ))}
      {onAdd && name === null && (
        <button type="button" className="icon-button" aria-label="Add a board" onClick={() => setName("")}>
          <PlusIcon size={16} />
        </button>
      )}
      {name !== null && (
        <form onSubmit={add}>
          <input
            className="board-add"
            // biome-ignore lint/a11y/noAutofocus: the button that was pressed asks for it
            autoFocus
            value={name}
            onChange={(e) => setName(e.currentTarget.value)}
            onBlur={() => name === "" && setName(null)}
            onKeyDown={(e) => e.key === "Escape" && setName(null)}
            placeholder="Name of the board"
            aria-label="Name of the board"
            maxLength={60}
          />
        </form>
      )}
    </nav>
  );
}
