import { useRef, useState } from "react";
import { PlusIcon } from "../ui/icons.tsx";
import type { Lifted } from "./arrange.ts";
import type { Card, Person, TaskState } from "./model.ts";
import { TaskCard } from "./task-card.tsx";
import type { Here } from "./use-here.tsx";

interface Props {
  readonly state: TaskState;
  readonly name: string;
  readonly cards: readonly Card[];
  /** How many there are beside those that are shown. */
  readonly hidden: number;
  readonly people: ReadonlyMap<string, Person>;
  /** Others who look at the board now. */
  readonly here: readonly Here[];
  readonly conflicts: ReadonlySet<string>;
  readonly lifted: Lifted | null;
  readonly mayEdit: boolean;
  readonly onAdd: (state: TaskState, title: string) => void;
  readonly onVote: (id: string) => void;
  readonly onOpen: (id: string) => void;
  readonly onKey: (id: string, e: React.KeyboardEvent) => void;
}

export function Column({ state, name, cards, hidden, people, here, conflicts, lifted, onAdd, ...on }: Props) {
  return (
    <section className="column" data-column={state} aria-label={name}>
      <header className="column-head">
        <h2>{name}</h2>
        <span className="count">{cards.length}</span>
        {hidden > 0 && <span className="column-hidden">{hidden} hidden</span>}
      </header>
      <ul className="cards" aria-label={`Tasks: ${name}`}>
        {cards.map((c) => (
          <TaskCard
            key={c.id}
            card={c}
            assignee={people.get(c.assignee_id ?? "")}
            readers={readersOf(c.id, here, people)}
            conflicting={conflicts.has(c.id)}
            lifted={lifted?.id === c.id ? lifted.by : null}
            {...on}
          />
        ))}
      </ul>
      {on.mayEdit && <AddTask state={state} name={name} onAdd={onAdd} />}
    </section>
  );
}

/** Names of those who have a task open, as one text: a card that nobody looks at does not render again. */
function readersOf(task: string, here: readonly Here[], people: ReadonlyMap<string, Person>): string {
  return here
    .filter((h) => h.task === task)
    .map((h) => people.get(h.id)?.name ?? h.id)
    .join(", ");
}

interface AddProps {
  readonly state: TaskState;
  readonly name: string;
  readonly onAdd: Props["onAdd"];
}

/** A field that adds one task after the other. */
function AddTask({ state, name, onAdd }: AddProps) {
  const [title, setTitle] = useState("");
  const field = useRef<HTMLInputElement>(null);
  const add = (e: React.FormEvent): void => {
    e.preventDefault();
    if (title.trim() === "") return;
    onAdd(state, title.trim());
    setTitle("");
    field.current?.focus();
  };
  return (
    <form className="add" onSubmit={add}>
      <PlusIcon size={16} />
      <input
        ref={field}
        data-add={state}
        value={title}
        onChange={(e) => setTitle(e.currentTarget.value)}
        onKeyDown={(e) => e.key === "Escape" && e.currentTarget.blur()}
        placeholder="Add a task"
        aria-label={`Add a task to ${name}`}
        maxLength={200}
        enterKeyHint="done"
      />
    </form>
  );
}
