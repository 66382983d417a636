import { useEffect, useRef, useState } from "react";
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
  /** The board whose name is written now, "" for none. */
  readonly renaming: string;
  /** The board whose tab is to have the focus, "" for none. */
  readonly focus: string;
  readonly onAdd: (name: string) => void;
  readonly onRename: (board: Board, name: string) => void;
  /** No name is written any more; by a key, so that the focus goes back to the tab. */
  readonly onRenamed: (board: Board, byKey: boolean) => void;
  readonly onFocused: () => void;
}

/** The boards that this person is on, with who else looks at them now. */
export function BoardBar({ boards, current, task, me, people, granted, renaming, focus, ...on }: Props) {
  const bar = useRef<HTMLElement>(null);
  const { onFocused } = on;
  useEffect(() => {
    const tab = focus === "" ? null : bar.current?.querySelector<HTMLElement>(tabOf(focus));
    tab?.focus();
    if (tab) onFocused();
  });
  useEffect(() => {
    bar.current?.querySelector(tabOf(current))?.scrollIntoView({ block: "nearest", inline: "nearest" });
  }, [current]);
  return (
    <nav className="board-bar" aria-label="Boards" ref={bar}>
      {boards.map((b) =>
        b.id === renaming ? (
          <NameField
            key={b.id}
            initial={b.name}
            label={`New name of ${b.name}`}
            onDone={(name, byKey) => {
              if (name !== "") on.onRename(b, name);
              on.onRenamed(b, byKey);
            }}
          />
        ) : (
          <a
            key={b.id}
            className="board-tab"
            data-board={b.id}
            href={formatRoute("tracker", b.id)}
            aria-current={b.id === current ? "page" : undefined}
          >
            {b.private === 1 && <Lock />}
            <span className="board-name">{b.name}</span>
            {granted.has(scopeOf(b.id)) && (
              <>
                <Present board={b.id} here={b.id === current} task={task} />
                <Others board={b.id} me={me} people={people} />
              </>
            )}
          </a>
        ),
      )}
      <AddBoard onAdd={on.onAdd} />
    </nav>
  );
}

const tabOf = (board: string): string => `[data-board="${CSS.escape(board)}"]`;

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
  const [open, setOpen] = useState(false);
  const button = useRef<HTMLButtonElement>(null);
  const back = useRef(false);
  useEffect(() => {
    if (!open && back.current) button.current?.focus();
    back.current = false;
  }, [open]);
  if (!open) {
    return (
      <button ref={button} type="button" className="icon-button" aria-label="Add a board" onClick={() => setOpen(true)}>
        <PlusIcon size={16} />
      </button>
    );
  }
  return (
    <NameField
      initial=""
      label="Name of the board"
      onDone={(name, byKey) => {
        back.current = byKey;
        setOpen(false);
        if (name !== "") onAdd(name);
      }}
    />
  );
}

interface NameFieldProps {
  readonly initial: string;
  readonly label: string;
  /** Once: with the name, or "" when it was given up. */
  readonly onDone: (name: string, byKey: boolean) => void;
}

/** A line for a board's name, in its tab's place. Enter and leaving it keep what was typed, Escape gives it up. */
function NameField({ initial, label, onDone }: NameFieldProps) {
  const [name, setName] = useState(initial);
  const over = useRef(false);
  const end = (text: string, byKey: boolean): void => {
    if (over.current) return; // it is left as it goes
    over.current = true;
    onDone(text.trim(), byKey);
  };
  return (
    <form
      onSubmit={(e) => {
        e.preventDefault();
        end(name, true);
      }}
    >
      <input
        className="board-add"
        // biome-ignore lint/a11y/noAutofocus: the key or button that was pressed asks for it
        autoFocus
        value={name}
        onFocus={(e) => e.currentTarget.select()}
        onChange={(e) => setName(e.currentTarget.value)}
        onBlur={() => end(name, false)}
        onKeyDown={(e) => e.key === "Escape" && end("", true)}
        placeholder="Name of the board"
        aria-label={label}
        maxLength={60}
        enterKeyHint="done"
      />
    </form>
  );
}
