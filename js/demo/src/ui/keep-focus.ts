const REACHED = "a[href], button:not(:disabled), [tabindex='0']";

/**
 * Keeps the focus on the page for who has no pointer: when what has it goes, what
 * came next in the page gets it, or what was before. Fields are passed over, since
 * a phone would open its keyboard.
 */
export function keepFocus(): void {
  let last: Element | null = null;
  let near: readonly HTMLElement[] = [];
  addEventListener("focusin", (e) => {
    last = e.target instanceof Element ? e.target : null;
    near = last ? neighboursOf(last) : [];
  });
  const look = (): void => {
    if (last === null || last.isConnected || document.activeElement !== document.body) return;
    last = null;
    near.find((el) => el.isConnected && el.checkVisibility())?.focus({ preventScroll: true });
  };
  new MutationObserver(look).observe(document.body, { childList: true, subtree: true });
}

/** What can have the focus: what comes behind an element, then what is before it, the nearest first. */
function neighboursOf(el: Element): readonly HTMLElement[] {
  const all = [...document.querySelectorAll<HTMLElement>(REACHED)].filter((x) => x !== el);
  const behind = (x: Element): boolean => (el.compareDocumentPosition(x) & Node.DOCUMENT_POSITION_FOLLOWING) !== 0;
  return [...all.filter(behind), ...all.filter((x) => !behind(x)).reverse()];
}
