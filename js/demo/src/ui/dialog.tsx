import { type ReactNode, useLayoutEffect, useRef } from "react";
import { CrossIcon } from "./icons.tsx";

interface DialogProps {
  readonly title: string;
  readonly onClose: () => void;
  readonly children: ReactNode;
  /** In the middle, or at the side of the window. */
  readonly place?: "middle" | "side";
}

/**
 * A modal dialog: the browser keeps the focus in it and closes it with Escape.
 * What is marked with data-first has the focus first.
 */
export function Dialog({ title, onClose, children, place = "middle" }: DialogProps) {
  const box = useRef<HTMLDialogElement>(null);
  // Closed while it is still in the page, the browser gives the focus back.
  useLayoutEffect(() => {
    const el = box.current;
    if (el && !el.open) {
      el.showModal();
      el.querySelector<HTMLElement>("[data-first]")?.focus();
    }
    return () => el?.close();
  }, []);
  return (
    // biome-ignore lint/a11y/useKeyWithClickEvents: Escape closes it; the click is on the backdrop
    <dialog
      ref={box}
      className={`dialog dialog-${place}`}
      aria-label={title}
      onCancel={(e) => {
        e.preventDefault();
        onClose();
      }}
      onClick={(e) => {
        if (e.target === box.current) onClose();
      }}
    >
      <div className="dialog-body">
        <header className="dialog-head">
          <h2>{title}</h2>
          <button type="button" className="icon-button" onClick={onClose} aria-label="Close">
            <CrossIcon />
          </button>
        </header>
        {children}
      </div>
    </dialog>
  );
}
