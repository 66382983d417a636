import { useEffect, useRef } from "react";

/** What each key does; of two keys, as in "g l", the second follows the first within a second. */
export type Shortcuts = Readonly<Record<string, () => void>>;

const PATIENCE = 1000;

/** Listens for keys that were not meant for a field, a menu or a dialog. */
export function useShortcuts(shortcuts: Shortcuts): void {
  const current = useRef(shortcuts);
  useEffect(() => {
    current.current = shortcuts;
  });
  useEffect(() => {
    let first = "";
    let at = 0;
    const press = (e: KeyboardEvent): void => {
      if (e.ctrlKey || e.metaKey || e.altKey || e.defaultPrevented || typing(e.target)) return;
      const both = e.timeStamp - at < PATIENCE ? `${first} ${e.key}` : e.key;
      const run = current.current[both] ?? current.current[e.key];
      first = e.key;
      at = e.timeStamp;
      if (!run) return;
      e.preventDefault();
      run();
    };
    addEventListener("keydown", press);
    return () => removeEventListener("keydown", press);
  }, []);
}

function typing(target: EventTarget | null): boolean {
  if (!(target instanceof HTMLElement)) return false;
  return target.isContentEditable || target.closest("input, textarea, select, dialog") !== null;
}
