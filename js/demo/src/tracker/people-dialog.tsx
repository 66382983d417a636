import { id } from "@tidemark/client";
import { useDatabase } from "@tidemark/react";
import { useState } from "react";
import type { Act } from "../ui/act.ts";
import { Avatar } from "../ui/avatar.tsx";
import { Dialog } from "../ui/dialog.tsx";
import type { Member } from "./model.ts";
import { hueOf } from "./task-card.tsx";

interface Props {
  readonly members: readonly Member[];
  readonly me: Member | undefined;
  readonly act: Act["act"];
  readonly onClose: () => void;
}

const roles: readonly Member["role"][] = ["owner", "editor", "viewer"];

/** Who is in the project. Only an owner may change that. */
export function PeopleDialog({ members, me, act, onClose }: Props) {
  const db = useDatabase();
  const [name, setName] = useState("");
  const owner = me?.role === "owner";
  const owners = members.filter((m) => m.role === "owner");
  const add = (e: React.FormEvent): void => {
    e.preventDefault();
    const clean = name.trim();
    if (clean !== "")
      act(() => db.exec`INSERT INTO member (id, name, hue) VALUES (${id()}, ${clean}, ${hueOf(clean)})`);
    setName("");
  };
  return (
    <Dialog title="Members" onClose={onClose}>
      <ul className="people">
        {members.map((m) => (
          <li key={m.id} className="person">
            <Avatar name={m.name} hue={m.hue} size="large" />
            <span className="person-name">{m.name}</span>
            <select
              className="field"
              aria-label={`Role of ${m.name}`}
              value={m.role}
              disabled={!owner || (m.role === "owner" && owners.length === 1)}
              onChange={(e) => act(() => db.exec`UPDATE member SET role = ${e.currentTarget.value} WHERE id = ${m.id}`)}
            >
              {roles.map((r) => (
                <option key={r} value={r}>
                  {r}
                </option>
              ))}
            </select>
          </li>
        ))}
      </ul>
      {owner && (
        <form className="comment-form" onSubmit={add}>
          <input
            value={name}
            onChange={(e) => setName(e.currentTarget.value)}
            placeholder="Name"
            aria-label="Name of a new member"
            maxLength={60}
          />
          <button type="submit" className="button" disabled={name.trim() === ""}>
            Add
          </button>
        </form>
      )}
      <p className="panel-foot">
        Owners change this list, editors the tasks; viewers read and comment. The server has no accounts yet, so it is
        this page that keeps to the roles.
      </p>
    </Dialog>
  );
}
