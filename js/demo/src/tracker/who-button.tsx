import { useState } from "react";
import { Avatar } from "../ui/avatar.tsx";
import { useShortcuts } from "../ui/shortcuts.ts";
import type { Person } from "./model.ts";
import { WhoDialog } from "./who-dialog.tsx";

interface Props {
  readonly people: ReadonlyMap<string, Person>;
  readonly me: string;
  readonly onChoose: (id: string) => void;
}

/** Says who sits in front of this tab, and lets them be somebody else. */
export function WhoButton({ people, me, onChoose }: Props) {
  const [open, setOpen] = useState(false);
  const { name, hue } = people.get(me) ?? { name: "…", hue: 200 };
  useShortcuts({ w: () => setOpen(true) });
  return (
    <>
      <button
        type="button"
        className="who"
        title="Be somebody else (w)"
        aria-haspopup="dialog"
        onClick={() => setOpen(true)}
      >
        <Avatar name={name} hue={hue} />
        <span>
          You are <strong>{name}</strong>
        </span>
      </button>
      {open && <WhoDialog people={people} me={me} onChoose={onChoose} onClose={() => setOpen(false)} />}
    </>
  );
}
