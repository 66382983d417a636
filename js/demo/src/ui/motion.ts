/** Whether the person asked for less motion. */
export function calm(): boolean {
  return matchMedia("(prefers-reduced-motion: reduce)").matches;
}

/** Lets an element glow for a moment: something came from elsewhere. */
export function glow(el: Element | null, hue: number): void {
  const colour = `oklch(0.75 0.14 ${hue} / 0.45)`;
  el?.animate(
    // To what the stylesheet says.
    [{ boxShadow: `0 0 0 3px ${colour}`, backgroundColor: colour }, {}],
    { duration: 1600, easing: "ease-out" },
  );
}

/** Shows that something was taken back. */
export function shake(el: Element | null): void {
  const red = "oklch(0.65 0.2 27 / 0.55)";
  el?.animate([{ boxShadow: `0 0 0 3px ${red}`, backgroundColor: red }, {}], {
    duration: 1800,
    easing: "ease-in",
  });
  if (calm()) return;
  const steps = [0, -6, 5, -4, 3, -1, 0].map((x) => ({ transform: `translateX(${x}px)` }));
  el?.animate(steps, { duration: 460, easing: "ease-out" });
}

interface Flight {
  readonly from: Element | null;
  readonly to: Element | null;
  readonly hue: number;
  /** Comes back red: it was refused. */
  readonly refused?: boolean;
}

/** Lets a changeset travel over the page. */
export function fly({ from, to, hue, refused = false }: Flight): void {
  if (!from || !to || calm()) return;
  const a = middle(from);
  const b = middle(to);
  if (!a || !b) return;
  const dot = document.createElement("div");
  dot.className = refused ? "flight flight-refused" : "flight";
  dot.style.setProperty("--hue", String(hue));
  document.body.append(dot);
  const at = (p: DOMPoint, scale: number, opacity: number): Keyframe => ({
    transform: `translate(${p.x}px, ${p.y}px) scale(${scale})`,
    opacity,
  });
  const path = refused
    ? [at(a, 0.6, 0), at(a, 1, 1), at(b, 1, 1), at(a, 1, 1), at(a, 0.4, 0)]
    : [at(a, 0.6, 0), at(a, 1, 1), at(b, 1, 1), at(b, 0.4, 0)];
  const flight = dot.animate(path, { duration: refused ? 1100 : 700, easing: "cubic-bezier(.4,0,.2,1)" });
  flight.onfinish = () => dot.remove();
  flight.oncancel = () => dot.remove();
}

/** The middle of an element in the window, or nothing when it is hidden. */
function middle(el: Element): DOMPoint | null {
  const r = el.getBoundingClientRect();
  return r.width === 0 ? null : new DOMPoint(r.left + r.width / 2, r.top + Math.min(r.height / 2, 120));
}
