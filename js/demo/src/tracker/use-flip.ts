import { type RefObject, useLayoutEffect, useRef } from "react";
import { calm } from "../ui/motion.ts";

interface Spot {
  readonly x: number;
  readonly y: number;
}

/** Of more cards the places are not measured: that takes longer than a glide is worth. */
const MOST = 300;

/** Lets cards glide to their new places instead of jumping, whoever moved them. */
export function useFlip(board: RefObject<HTMLElement | null>): void {
  const before = useRef(new Map<string, Spot>());
  useLayoutEffect(() => {
    const now = new Map<string, Spot>();
    const cards = board.current?.querySelectorAll<HTMLElement>("[data-card]") ?? [];
    for (const el of cards.length > MOST ? [] : cards) {
      const key = el.dataset.card ?? "";
      const spot = { x: el.offsetLeft, y: el.offsetTop }; // where it will be, not where it flies
      now.set(key, spot);
      const old = before.current.get(key);
      if (old && (old.x !== spot.x || old.y !== spot.y)) glide(el, old, spot);
    }
    before.current = now;
  });
}

function glide(el: HTMLElement, from: Spot, to: Spot): void {
  if (calm()) return;
  el.animate([{ transform: `translate(${from.x - to.x}px, ${from.y - to.y}px)` }, {}], {
    duration: 180,
    easing: "cubic-bezier(.2,.8,.2,1)",
  });
}
