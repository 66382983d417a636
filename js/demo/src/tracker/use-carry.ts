import type { Database } from "@tidemark/client";
import { useEffect, useState } from "react";
import type { Act } from "../ui/act.ts";
import { arrange, type Columns, carry, type Lifted } from "./arrange.ts";
import { type Card, moveTask, states } from "./model.ts";
import type { Carrying } from "./use-drag.ts";

interface Carry {
  readonly lifted: Lifted | null;
  readonly columns: Columns;
  /** For the pointer. */
  readonly carrying: Carrying;
  /** For the keyboard: true when the key was for the carried card. */
  readonly key: (id: string, key: string) => boolean;
  /** What a screen reader should say. */
  readonly said: string;
}

/** How long a card stays where it was put while the query has not told yet. */
const SETTLE = 400;

/** Cards on the move. Nothing is written until a card is put down. */
export function useCarry(db: Database, cards: readonly Card[], mayEdit: boolean, act: Act["act"]): Carry {
  const [lifted, setLifted] = useState<Lifted | null>(null);
  const [settling, setSettling] = useState(false);
  const [said, say] = useState("");
  const columns = arrange(cards, lifted);
  // biome-ignore lint/correctness/useExhaustiveDependencies: the cards' coming is what it waits for
  useEffect(() => {
    if (settling) setLifted(null);
    setSettling(false);
  }, [cards]);
  useEffect(() => {
    if (!settling) return;
    const timer = setTimeout(() => {
      setLifted(null);
      setSettling(false);
    }, SETTLE);
    return () => clearTimeout(timer);
  }, [settling]);

  const lift = (id: string, by: Lifted["by"]): boolean => {
    const card = cards.find((c) => c.id === id);
    if (!card || !mayEdit) return false;
    const place = cards.filter((c) => c.state === card.state).indexOf(card);
    setSettling(false);
    setLifted({ id, state: card.state, place, by });
    say(`Lifted ${card.title}. Arrow keys carry it, space puts it down, escape back.`);
    return true;
  };
  const cancel = (): void => {
    if (lifted?.by === "keys") say("Put back.");
    setLifted(null);
  };
  const drop = (): void => {
    if (!lifted) return;
    const card = cards.find((c) => c.id === lifted.id);
    const others = columns[lifted.state].filter((c) => c.id !== lifted.id);
    const was = cards.filter((c) => c.state === card?.state);
    if (!card || (card.state === lifted.state && was.indexOf(card) === lifted.place)) {
      cancel();
      return;
    }
    say(`Put down in ${nameOf(lifted)}, place ${lifted.place + 1} of ${others.length + 1}.`);
    setSettling(true);
    act(() => moveTask(db, lifted.id, lifted.state, others, lifted.place));
  };
  const over = (state: Lifted["state"], place: number): void =>
    setLifted((l) => (l && (l.state !== state || l.place !== place) ? { ...l, state, place } : l));
  const key = (id: string, pressed: string): boolean => {
    if (!lifted || settling) return pressed === " " && lift(id, "keys");
    if (lifted.id !== id) return false;
    if (pressed === " " || pressed === "Enter") drop();
    else if (pressed === "Escape" || pressed === "Tab") cancel();
    else {
      const next = carry(lifted, pressed, columns);
      if (next === lifted) return false;
      setLifted(next);
      say(`${nameOf(next)}, place ${next.place + 1}.`);
    }
    return pressed !== "Tab";
  };
  return { lifted, columns, carrying: { lift: (id) => lift(id, "pointer"), over, drop, cancel }, key, said };
}

function nameOf(l: Lifted): string {
  return states.find((s) => s.id === l.state)?.name ?? l.state;
}
