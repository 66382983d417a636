import { useEffect, useId, useLayoutEffect, useRef, useState } from "react";
import { MoreIcon } from "./icons.tsx";

interface MenuItem {
  readonly label: string;
  /** The key that does the same. */
  readonly hint?: string;
  /** Whether it destroys something. */
  readonly grave?: boolean;
  readonly onChoose: () => void;
}

interface MenuProps {
  readonly label: string;
  readonly items: readonly MenuItem[];
  /** Why nothing of it can be chosen; "" if it can. */
  readonly barred?: string;
}

/** Where keys go from an item, of n. */
const steps: Readonly<Record<string, (i: number, n: number) => number>> = {
  ArrowDown: (i, n) => (i + 1) % n,
  ArrowUp: (i, n) => (i + n - 1) % n,
  Home: () => 0,
  End: (_, n) => n - 1,
};

/** A button with a menu under it. Escape closes it, and the button has the focus again. */
export function Menu({ label, items, barred = "" }: MenuProps) {
  const [open, setOpen] = useState(false);
  const box = useRef<HTMLDivElement>(null);
  const button = useRef<HTMLButtonElement>(null);
  const why = useId();
  const entries = (): HTMLElement[] => [...(box.current?.querySelectorAll<HTMLElement>("[role=menuitem]") ?? [])];
  useLayoutEffect(() => {
    if (open) box.current?.querySelector<HTMLElement>("[role=menuitem]")?.focus();
  }, [open]);
  useEffect(() => {
    if (!open) return;
    const away = (e: PointerEvent): void => {
      if (e.target instanceof Node && !box.current?.contains(e.target)) setOpen(false);
    };
    addEventListener("pointerdown", away);
    return () => removeEventListener("pointerdown", away);
  }, [open]);
  const close = (): void => {
    button.current?.focus();
    setOpen(false);
  };
  const press = (e: React.KeyboardEvent): void => {
    const list = entries();
    const step = steps[e.key];
    if (step)
      list[step(list.indexOf(e.target as HTMLElement), list.length)]?.focus(); // only items have the focus here
    else if (e.key === "Escape") close();
    else if (e.key === "Tab") setOpen(false);
    if (step || e.key === "Escape") e.preventDefault();
  };
  return (
    <div className="menu" ref={box}>
      <button
        ref={button}
        type="button"
        className="icon-button"
        aria-haspopup="menu"
        aria-expanded={open}
        aria-label={label}
        title={label}
        onClick={() => setOpen(!open)}
      >
        <MoreIcon />
      </button>
      {open && (
        <div className="menu-list" role="menu" aria-label={label} tabIndex={-1} onKeyDown={press}>
          {items.map((item) => (
            <button
              key={item.label}
              type="button"
              role="menuitem"
              tabIndex={-1}
              className={item.grave ? "menu-item menu-grave" : "menu-item"}
              aria-disabled={barred !== ""}
              aria-describedby={barred === "" ? undefined : why}
              onClick={() => {
                if (barred !== "") return;
                close();
                item.onChoose();
              }}
            >
              {item.label}
              {item.hint && <kbd>{item.hint}</kbd>}
            </button>
          ))}
          {barred !== "" && (
            <p className="menu-why" id={why}>
              {barred}
            </p>
          )}
        </div>
      )}
    </div>
  );
}
