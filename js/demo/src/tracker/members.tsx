import { Avatar } from "../ui/avatar.tsx";
import { PeopleIcon } from "../ui/icons.tsx";
import type { Member } from "./model.ts";

interface Props {
  readonly members: readonly Member[];
  readonly me: Member | undefined;
  readonly onChoose: (id: string) => void;
  readonly onManage: () => void;
}

/** Who sits in front of this page. The server has no accounts yet: roles are kept by the page. */
export function MemberMenu({ members, me, onChoose, onManage }: Props) {
  return (
    <div className="members">
      <label className="member-menu" title="Who you are. A viewer reads and comments; the others edit">
        {me && <Avatar name={me.name} hue={me.hue} />}
        <span className="visually-hidden">Who you are</span>
        <select value={me?.id ?? ""} onChange={(e) => onChoose(e.currentTarget.value)}>
          {members.map((m) => (
            <option key={m.id} value={m.id}>
              {m.name} · {m.role}
            </option>
          ))}
        </select>
      </label>
      <button type="button" className="icon-button" onClick={onManage} aria-label="Members" title="Members">
        <PeopleIcon />
      </button>
    </div>
  );
}
