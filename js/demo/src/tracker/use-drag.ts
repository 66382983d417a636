import { type RefObject, useEffect, useRef } from "react";
import type { TaskState } from "./model.ts";

/** What the board does while a pointer carries a card. */
export interface Carrying {
  readonly lift: (id: string) => boolean;
  readonly over: (state: TaskState, place: number) => void;
  readonly drop: () => void;
  readonly cancel: () => void;
}

/** A mouse lifts a card when it has moved this far, a finger when it rests for so long. */
const FAR = 6;
const REST = 240;

interface Press {
  readonly card: HTMLElement;
  readonly pointer: number;
  readonly x: number;
  readonly y: number;
  ghost: HTMLElement | null;
  timer: ReturnType<typeof setTimeout> | undefined;
}

/**
 * Carries cards with mouse, pen or finger. Cards are elements with data-card,
 * columns with data-column; a copy of the card follows the pointer.
 */
export function useDrag(board: RefObject<HTMLElement | null>, carrying: Carrying): void {
  const current = useRef(carrying);
  useEffect(() => {
    current.current = carrying;
  });
  useEffect(() => {
    const el = board.current;
    if (!el) return;
    return listen(el, {
      lift: (id) => current.current.lift(id),
      over: (state, place) => current.current.over(state, place),
      drop: () => current.current.drop(),
      cancel: () => current.current.cancel(),
    });
  }, [board]);
}

function listen(board: HTMLElement, carrying: Carrying): () => void {
  let press: Press | null = null;
  const end = (how: "drop" | "cancel"): void => {
    if (!press) return;
    clearTimeout(press.timer);
    const carried = press.ghost !== null;
    press.ghost?.remove();
    press = null;
    if (!carried) return;
    document.documentElement.classList.remove("carrying");
    carrying[how]();
    // The click that follows a drop is none.
    addEventListener("click", stop, { capture: true, once: true });
    setTimeout(() => removeEventListener("click", stop, { capture: true }));
  };
  const lift = (p: Press): void => {
    if (!carrying.lift(p.card.dataset.card ?? "")) {
      end("cancel");
      return;
    }
    p.ghost = ghostOf(p.card);
    document.documentElement.classList.add("carrying");
    if (board.hasPointerCapture?.(p.pointer) === false) board.setPointerCapture(p.pointer);
  };
  const events: { [K in keyof HTMLElementEventMap]?: (e: HTMLElementEventMap[K]) => void } = {
    pointerdown: (e) => {
      const target = e.target instanceof Element ? e.target : null;
      const card = target?.closest<HTMLElement>("[data-card]");
      if (!card || e.button !== 0 || press || target?.closest("[data-still]")) return;
      press = { card, pointer: e.pointerId, x: e.clientX, y: e.clientY, ghost: null, timer: undefined };
      const mine = press;
      if (e.pointerType === "touch") press.timer = setTimeout(() => press === mine && lift(mine), REST);
    },
    pointermove: (e) => {
      if (press?.pointer !== e.pointerId) return;
      const [dx, dy] = [e.clientX - press.x, e.clientY - press.y];
      if (!press.ghost) {
        if (Math.hypot(dx, dy) < FAR) return;
        if (e.pointerType === "touch")
          end("cancel"); // it scrolls
        else lift(press);
      }
      if (!press?.ghost) return;
      press.ghost.style.transform = `translate(${dx}px, ${dy}px) rotate(1.5deg)`;
      hover(e.clientX, e.clientY, press.card.dataset.card ?? "", carrying.over);
    },
    pointerup: (e) => press?.pointer === e.pointerId && end("drop"),
    pointercancel: (e) => press?.pointer === e.pointerId && end("cancel"),
    touchmove: (e) => press?.ghost && e.cancelable && e.preventDefault(),
  };
  const giveUp = (e: KeyboardEvent): void => {
    if (e.key === "Escape" && press?.ghost) end("cancel");
  };
  const entries = Object.entries(events) as [string, EventListener][]; // each under its own name
  for (const [name, fn] of entries) board.addEventListener(name, fn, { passive: false });
  addEventListener("keydown", giveUp);
  return () => {
    end("cancel");
    removeEventListener("keydown", giveUp);
    for (const [name, fn] of entries) board.removeEventListener(name, fn);
  };
}

function stop(e: Event): void {
  e.preventDefault();
  e.stopPropagation();
}

/** A copy of the card that lies over everything, where the card is. */
function ghostOf(card: HTMLElement): HTMLElement {
  const at = card.getBoundingClientRect();
  const ghost = card.cloneNode(true) as HTMLElement; // of an element comes an element
  ghost.classList.add("ghost");
  ghost.removeAttribute("data-card");
  ghost.setAttribute("aria-hidden", "true");
  Object.assign(ghost.style, { left: `${at.left}px`, top: `${at.top}px`, width: `${at.width}px` });
  document.body.append(ghost);
  return ghost;
}

/** Finds the column and the place in it under a point. */
function hover(x: number, y: number, id: string, over: Carrying["over"]): void {
  const column = document.elementFromPoint(x, y)?.closest<HTMLElement>("[data-column]");
  if (!column) return;
  const cards = [...column.querySelectorAll<HTMLElement>("[data-card]")].filter((c) => c.dataset.card !== id);
  const below = cards.findIndex((c) => {
    const r = c.getBoundingClientRect();
    return y < r.top + r.height / 2;
  });
  over(column.dataset.column as TaskState, below < 0 ? cards.length : below); // we wrote the attribute
}
