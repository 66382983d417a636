import { useState } from "react";
import { formatRoute } from "../route.ts";
import { LockIcon, PlusIcon } from "../ui/icons.tsx";
import { Faces } from "./faces.tsx";
import { type Board, type Person, scopeOf } from "./model.ts";
import { Present, useHere } from "./use-here.tsx";

interface Props {
  readonly boards: readonly Board[];
  readonly current: string;
  /** The task that is open on the current one. */
  readonly task: string;
  readonly me: string;
  readonly people: ReadonlyMap<string, Person>;
  /** Names of the scopes that the server grants. */
  readonly granted: ReadonlySet<string>;
  readonly onAdd: (name: string) => void;
}

/** The boards that this person is on, with who else looks at them now. */
export function BoardBar({ boards, current, task, me, people, granted, onAdd }: Props) {
  return (
    <nav className="board-bar" aria-label="Boards">
      {boards.map((b) => (
        <a
          key={b.id}
          className="board-tab"
          data-board={b.id}
          href={formatRoute("tracker", b.id)}
          aria-current={b.id === current ? "page" : undefined}
        >
          {b.private === 1 && <Lock />}
          {b.name}
          {granted.has(scopeOf(b.id)) && (
            <>
              <Present board={b.id} here={b.id === current} task={task} />
              <Others board={b.id} me={me} people={people} />
            </>
          )}
        </a>
      ))}
      <AddBoard onAdd={onAdd} />
    </nav>
  );
}

function Lock() {
  return (
    <span className="board-lock" title="Not everybody is on this board">
      <LockIcon size={14} />
      <span className="visually-hidden">Private: </span>
    </span>
  );
}

function Others({ board, me, people }: { readonly board: string } & Pick<Props, "me" | "people">) {
  const here = useHere(board, me);
  return <Faces ids={here.map((h) => h.id)} people={people} doing="looking at this board" />;
}

function AddBoard({ onAdd }: Pick<Props, "onAdd">) {
  const [name, setName] = useState<string | null>(null);
  const add = (e: React.FormEvent): void => {
    e.preventDefault();
    if (name?.trim()) onAdd(name.trim());
    setName(null);
  };
  if (name === null) {
    return (
      <button type="button" className="icon-button" aria-label="Add a board" onClick={() => setName("")}>
        <PlusIcon size={16} />
      </button>
    );
  }
  return (
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
  );
}
