import type { Said } from "../describe.ts";

/** What a changeset does, one column after the other. */
export function SaidList({ said }: { readonly said: readonly Said[] }) {
  if (said.length === 0) return <span className="said">nothing came of it</span>;
  return (
    <span className="said">
      {said.map((s, i) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: the list of one changeset never changes
        <span key={i} className="said-one">
          <span className="said-column">{s.column}</span> {s.text}
        </span>
      ))}
    </span>
  );
}
