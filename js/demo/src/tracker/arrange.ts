import type { Card, TaskState } from "./model.ts";
import { states } from "./model.ts";

/** A card that is being carried, and where it would be put down. */
export interface Lifted {
  readonly id: string;
  readonly state: TaskState;
  /** Place among the other cards of the column. */
  readonly place: number;
  readonly by: "pointer" | "keys";
}

export type Columns = Readonly<Record<TaskState, readonly Card[]>>;

/** The columns of a board, with the carried card where it would be. */
export function arrange(cards: readonly Card[], lifted: Lifted | null): Columns {
  const carried = lifted ? cards.find((c) => c.id === lifted.id) : undefined;
  const of = (state: TaskState): readonly Card[] => {
    const list = cards.filter((c) => c.state === state && c !== carried);
    return carried && lifted?.state === state ? list.toSpliced(lifted.place, 0, carried) : list;
  };
  return { todo: of("todo"), doing: of("doing"), done: of("done") };
}

/** Where the carried card goes when an arrow key is pressed. */
export function carry(lifted: Lifted, key: string, columns: Columns): Lifted {
  const others = (state: TaskState): number => columns[state].filter((c) => c.id !== lifted.id).length;
  const at = states.findIndex((s) => s.id === lifted.state);
  const into = (step: number): Lifted => {
    const state = states[at + step]?.id;
    return state ? { ...lifted, state, place: Math.min(lifted.place, others(state)) } : lifted;
  };
  switch (key) {
    case "ArrowUp":
      return { ...lifted, place: Math.max(0, lifted.place - 1) };
    case "ArrowDown":
      return { ...lifted, place: Math.min(others(lifted.state), lifted.place + 1) };
    case "ArrowLeft":
      return into(-1);
    case "ArrowRight":
      return into(1);
    default:
      return lifted;
  }
}

/** The card next to one in the direction of an arrow key. */
export function neighbour(columns: Columns, id: string, key: string): string {
  const at = states.findIndex((s) => columns[s.id].some((c) => c.id === id));
  const column = columns[states[at]?.id ?? "todo"];
  const place = column.findIndex((c) => c.id === id);
  if (key === "ArrowUp") return column[place - 1]?.id ?? "";
  if (key === "ArrowDown") return column[place + 1]?.id ?? "";
  const step = key === "ArrowLeft" ? -1 : 1;
  for (let i = at + step; states[i]; i += step) {
    const beside = columns[states[i]?.id ?? "todo"];
    const found = beside[Math.min(place, beside.length - 1)];
    if (found) return found.id;
  }
  return "";
}
