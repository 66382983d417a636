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
  const field = useRef<HTMLInputElement & HTMLTextAreaElement>(null);
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

  const shared = {
    ref: field,
    value: draft,
    "aria-label": label,
    disabled: props.disabled ?? false,
    placeholder: props.placeholder ?? "",
    className: `live-text ${props.className ?? ""}`,
    onChange: (e: { currentTarget: { value: string } }) => setDraft(e.currentTarget.value),
    onBlur: () => commit(draft),
  };
  if (multiline) return <textarea {...shared} rows={3} />;
  return (
    <input
      {...shared}
      type="text"
      onKeyDown={(e) => {
        if (e.key === "Enter") e.currentTarget.blur();
        if (e.key === "Escape") {
          setDraft(base.current);
          e.stopPropagation();
        }
      }}
    />
  );
}
