interface Props {
  /** What went wrong; "" shows nothing. */
  readonly text: string;
  readonly onClose?: (() => void) | undefined;
}

/** Says what went wrong with something that a person asked for. */
export function Problem({ text, onClose }: Props) {
  if (text === "") return null;
  return (
    <p className="problem" role="alert">
      {text}
      {onClose && (
        <button type="button" className="link" onClick={onClose}>
          Close
        </button>
      )}
    </p>
  );
}
