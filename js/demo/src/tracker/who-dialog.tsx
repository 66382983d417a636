import { addressAs } from "../me.ts";
import { Avatar } from "../ui/avatar.tsx";
import { Dialog } from "../ui/dialog.tsx";
import { NewTabIcon } from "../ui/icons.tsx";
import type { Person } from "./model.ts";

interface Props {
  readonly people: ReadonlyMap<string, Person>;
  readonly me: string;
  readonly onChoose: (id: string) => void;
  readonly onClose: () => void;
}

/** Who to be, in this tab or in another one. */
export function WhoDialog({ people, me, onChoose, onClose }: Props) {
  return (
    <Dialog title="Who are you?" onClose={onClose}>
      <ul className="people">
        {[...people.values()].map((p) => (
          <li key={p.id} className="person">
            <button
              type="button"
              className="person-choice"
              aria-current={p.id === me ? "true" : undefined}
              onClick={() => {
                onClose();
                onChoose(p.id);
              }}
            >
              <Avatar name={p.name} hue={p.hue} size="large" />
              <span className="person-name">{p.name}</span>
              {p.id === me && <span className="person-note">that is you</span>}
            </button>
            <a
              className="icon-button"
              href={addressAs(p.id)}
              target="_blank"
              rel="noreferrer"
              aria-label={`Open a tab as ${p.name}`}
              title={`Open a tab as ${p.name}`}
            >
              <NewTabIcon size={16} />
            </a>
          </li>
        ))}
      </ul>
      <p className="panel-foot">
        Each of them has a database of their own in this browser, which holds what they may see and nothing else. The
        server knows them by a token. Open two tabs as two people, side by side.
      </p>
    </Dialog>
  );
}
