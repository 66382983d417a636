import { useEffect, useLayoutEffect, useRef, useState } from "react";
import { rebaseDraft, shift, spliceOf } from "./draft.ts";
import { glow } from "./motion.ts";

interface LiveTextProps {
  readonly value: string;
  readonly onCommit: (text: string) => void;
  readonly label: string;
  readonly multiline?: boolean;
  readonly required?: boolean;
  readonly disabled?: boolean;
  readonly placeholder?: string;
  readonly className?: string;
  /** Glows in this hue when a change comes from elsewhere. */
  readonly hue?: number;
}

/** How long the keyboard rests before a note is written. */
const REST = 500;

/**
 * A text that other people may change while one types. A line is written when
 * it is left or Enter is pressed, a note also when the keyboard rests; what
 * comes meanwhile is taken in around what was typed.
 */
export function LiveText(props: LiveTextProps) {
  const { value, onCommit, label, multiline = false, required = false, hue = 200 } = props;
  const [draft, setDraft] = useState(value);
  const base = useRef(value);
  const field = useRef<HTMLTextAreaElement>(null);
  const caret = useRef<readonly [number, number] | null>(null);

  useEffect(() => {
    if (value === base.current) return;
    const before = field.current?.value ?? base.current;
    const after = rebaseDraft(base.current, before, value);
    base.current = value;
    if (after === before) return;
    if (field.current === document.activeElement && field.current) {
      const moved = spliceOf(before, after);
      caret.current = [shift(field.current.selectionStart, moved), shift(field.current.selectionEnd, moved)];
    }
    setDraft(after);
    glow(field.current, hue);
  }, [value, hue]);

  useLayoutEffect(() => {
    if (caret.current && field.current) field.current.setSelectionRange(...caret.current);
    caret.current = null;
  });

  const commit = (text: string): void => {
    if (text === base.current) return;
    if (required && text.trim() === "") {
      setDraft(base.current);
      return;
    }
    base.current = text;
    onCommit(text);
  };

  const last = useRef(commit);
  last.current = commit;
  useEffect(() => {
    if (!multiline || draft === base.current) return;
    const timer = setTimeout(() => last.current(draft), REST);
    return () => clearTimeout(timer);
  }, [draft, multiline]);

  return (
    <textarea
      ref={field}
      rows={multiline ? 3 : 1}
      value={draft}
      aria-label={label}
      disabled={props.disabled ?? false}
      placeholder={props.placeholder ?? ""}
      className={`live-text ${multiline ? "live-note" : "live-line"} ${props.className ?? ""}`}
      enterKeyHint={multiline ? "enter" : "done"}
      onChange={(e) => setDraft(multiline ? e.currentTarget.value : e.currentTarget.value.replaceAll("\n", " "))}
      onBlur={() => commit(draft)}
      onKeyDown={(e) => {
        if (multiline) return;
        if (e.key === "Enter") {
          e.preventDefault();
          e.currentTarget.blur();
        }
        if (e.key === "Escape" && draft !== base.current) {
          e.preventDefault(); // a dialog around it stays open
          setDraft(base.current);
        }
      }}
    />
  );
}
