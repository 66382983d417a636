import type { Database } from "@tidemark/client";
import { useConflicts, useDatabase, useQuery } from "@tidemark/react";
import { useCallback, useEffect, useMemo, useRef } from "react";
import type { Act } from "../ui/act.ts";
import { shake } from "../ui/motion.ts";
import { useShortcuts } from "../ui/shortcuts.ts";
import { neighbour } from "./arrange.ts";
import { Column } from "./column.tsx";
import { type Filter, filters, matches } from "./filter.ts";
import { addTask, type Board, CARDS, type Card, type Person, states, type TaskState } from "./model.ts";
import { useCarry } from "./use-carry.ts";
import { useDrag } from "./use-drag.ts";
import { useFlip } from "./use-flip.ts";
import { useHere } from "./use-here.tsx";

interface Props {
  readonly board: Board;
  readonly filter: Filter;
  readonly me: string;
  readonly people: ReadonlyMap<string, Person>;
  readonly mayEdit: boolean;
  readonly act: Act["act"];
  readonly onOpen: (id: string) => void;
}

const OPEN = { states: ["open"], table: "task" } as const;
const ARROWS = ["ArrowUp", "ArrowDown", "ArrowLeft", "ArrowRight"];

/** The three columns of a board. */
export function BoardView({ board, filter, me, people, mayEdit, act, onOpen }: Props) {
  const db = useDatabase();
  const { rows: all } = useQuery<Card>(CARDS, [board.id], { key: "id" });
  const cards = useMemo(() => (filters(filter) ? all.filter((c) => matches(c, filter, me)) : all), [all, filter, me]);
  const area = useRef<HTMLDivElement>(null);
  const { lifted, columns, carrying, key, said } = useCarry(db, cards, mayEdit, act);
  const conflicts = useConflictingTasks();
  const here = useHere(board.id, me);
  useRollbacks(db, area);
  useDrag(area, carrying);
  useFlip(area);
  useShortcuts({ n: () => area.current?.querySelector<HTMLElement>("[data-add='todo']")?.focus() });
  useKeepFocus(area, lifted?.by === "keys" ? lifted.id : "");

  const vote = useCallback(
    (id: string) => {
      if (mayEdit) act(() => db.exec`UPDATE task SET votes = votes + 1 WHERE id = ${id}`);
    },
    [db, act, mayEdit],
  );
  const press = (id: string, e: React.KeyboardEvent): void => {
    if (e.ctrlKey || e.metaKey || e.altKey) return;
    if (key(id, e.key)) e.preventDefault();
    else if (e.key === "v") vote(id);
    else if (ARROWS.includes(e.key)) {
      e.preventDefault();
      focusCard(area.current, neighbour(columns, id, e.key));
    }
  };
  const latest = useRef(press);
  useEffect(() => {
    latest.current = press;
  });
  const onKey = useCallback((id: string, e: React.KeyboardEvent) => latest.current(id, e), []);
  const add = (state: TaskState, title: string): void => act(() => addTask(db, board.id, state, title));
  return (
    <>
      <p id="carry-help" className="visually-hidden">
        Enter opens the task. Space lifts it, arrow keys carry it.
      </p>
      <p className="visually-hidden" role="status">
        {said}
      </p>
      <div className="board" ref={area}>
        {states.map((s) => (
          <Column
            key={s.id}
            state={s.id}
            name={s.name}
            cards={columns[s.id]}
            hidden={all.filter((c) => c.state === s.id).length - cards.filter((c) => c.state === s.id).length}
            people={people}
            here={here}
            conflicts={conflicts}
            lifted={lifted}
            mayEdit={mayEdit}
            onAdd={add}
            onVote={vote}
            onOpen={onOpen}
            onKey={onKey}
          />
        ))}
      </div>
    </>
  );
}

/** Shakes the card that a refused change had touched, as it goes back. */
function useRollbacks(db: Database, area: React.RefObject<HTMLElement | null>): void {
  useEffect(
    () =>
      db.onEvent((e) => {
        if (e.type !== "outcome" || e.outcome.kind !== "rejected" || e.outcome.table !== "task") return;
        shake(area.current?.querySelector(`[data-card="${CSS.escape(String(e.outcome.key[0] ?? ""))}"]`) ?? null);
      }),
    [db, area],
  );
}

/** The tasks about which two people disagree. */
function useConflictingTasks(): ReadonlySet<string> {
  const open = useConflicts(OPEN);
  return useMemo(() => new Set(open.map((c) => String(c.key[0]))), [open]);
}

function focusCard(area: HTMLElement | null, id: string): void {
  if (id !== "") area?.querySelector<HTMLElement>(`[data-focus="${CSS.escape(id)}"]`)?.focus();
}

/** A card that is carried into another column is another element there: the focus goes with it. */
function useKeepFocus(area: React.RefObject<HTMLElement | null>, id: string): void {
  useEffect(() => {
    focusCard(area.current, id);
  });
}
