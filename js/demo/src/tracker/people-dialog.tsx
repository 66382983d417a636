import { useDatabase } from "@tidemark/react";
import type { Act } from "../ui/act.ts";
import { Avatar } from "../ui/avatar.tsx";
import { Dialog } from "../ui/dialog.tsx";
import type { Board, Member, Person, Role } from "./model.ts";

interface Props {
  readonly board: Board;
  readonly members: readonly Member[];
  readonly me: string;
  readonly people: ReadonlyMap<string, Person>;
  /** Others who look at the board now. */
  readonly here: readonly string[];
  readonly act: Act["act"];
  readonly onClose: () => void;
}

const roles: readonly Role[] = ["owner", "editor", "viewer"];

/** Who is on a board, and in which role. Its owners change that; the server sees to it. */
export function PeopleDialog({ board, members, me, people, here, act, onClose }: Props) {
  const db = useDatabase();
  const owner = board.role === "owner";
  const others = [...people.values()].filter((p) => !members.some((m) => m.id === p.id));
  const remove = (id: string): void =>
    act(() => db.exec`DELETE FROM member WHERE board_id = ${board.id} AND person_id = ${id}`);
  const add = (id: string): void =>
    act(() => db.exec`INSERT INTO member (board_id, person_id, role) VALUES (${board.id}, ${id}, 'editor')`);
  const give = (id: string, role: string): void =>
    act(() => db.exec`UPDATE member SET role = ${role} WHERE board_id = ${board.id} AND person_id = ${id}`);
  return (
    <Dialog title={`Who is on “${board.name}”`} onClose={onClose}>
      <ul className="people" aria-label="On the board">
        {members.map((m) => (
          <li key={m.id} className="person" data-member={m.id}>
            <span className="face" data-here={m.id === me || here.includes(m.id)}>
              <Avatar name={m.name} hue={m.hue} size="large" />
            </span>
            <span className="person-name">
              {m.name}
              {m.id === me && <span className="person-note"> you</span>}
              {here.includes(m.id) && <span className="person-note"> here now</span>}
            </span>
            {owner && m.id !== me ? (
              <>
                <select
                  className="field"
                  aria-label={`Role of ${m.name}`}
                  value={m.role}
                  onChange={(e) => give(m.id, e.currentTarget.value)}
                >
                  {roles.map((r) => (
                    <option key={r} value={r}>
                      {r}
                    </option>
                  ))}
                </select>
                <button
                  type="button"
                  className="button button-quiet"
                  aria-label={`Take off ${m.name}`}
                  onClick={() => remove(m.id)}
                >
                  Take off
                </button>
              </>
            ) : (
              <span className="person-role">{m.role}</span>
            )}
          </li>
        ))}
      </ul>
      {others.length > 0 && (
        <>
          <h3 className="part-title">Not on it</h3>
          <ul className="people" aria-label="Not on the board">
            {others.map((p) => (
              <li key={p.id} className="person person-out" data-member={p.id}>
                <Avatar name={p.name} hue={p.hue} size="large" />
                <span className="person-name">{p.name}</span>
                {owner && (
                  <button type="button" className="button" aria-label={`Let in ${p.name}`} onClick={() => add(p.id)}>
                    Let in
                  </button>
                )}
              </li>
            ))}
          </ul>
        </>
      )}
      {!owner && board.role !== null && (
        <button
          type="button"
          className="button button-quiet person-leave"
          onClick={() => {
            remove(me);
            onClose();
          }}
        >
          Leave this board
        </button>
      )}
      <p className="panel-foot">
        Who is not on a board holds nothing of it: the server never sends it to their devices, and takes it back when
        they go. Owners change this list, editors the tasks; viewers read and comment. The server keeps to it whatever a
        page does.
      </p>
    </Dialog>
  );
}
