import { Avatar } from "../ui/avatar.tsx";
import type { Person } from "./model.ts";

interface Props {
  readonly ids: readonly string[];
  readonly people: ReadonlyMap<string, Person>;
  /** What they do, for who cannot see them: "look at this board". */
  readonly doing: string;
}

/** Small faces of those who are here now. */
export function Faces({ ids, people, doing }: Props) {
  const known = ids.flatMap((id) => people.get(id) ?? []);
  if (known.length === 0) return null;
  const names = known.map((p) => p.name).join(", ");
  return (
    <span className="faces" title={`${names} ${doing}`} data-faces={known.map((p) => p.id).join(" ")}>
      {known.map((p) => (
        <Avatar key={p.id} name={p.name} hue={p.hue} />
      ))}
      <span className="visually-hidden">
        {names} {doing}
      </span>
    </span>
  );
}
