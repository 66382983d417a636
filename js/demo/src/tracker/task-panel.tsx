import type { Conflict } from "@tidemark/client";
import { useConflicts, useDatabase, useQuery } from "@tidemark/react";
import { useEffect, useId, useState } from "react";
import { readLabels } from "../labels.ts";
import type { Act } from "../ui/act.ts";
import { useArrival } from "../ui/arrival.ts";
import { Dialog } from "../ui/dialog.tsx";
import { CrossIcon, ForkIcon, TrashIcon, UpIcon } from "../ui/icons.tsx";
import { LiveText } from "../ui/live-text.tsx";
import { Comments } from "./comments.tsx";
import { dayText } from "./days.ts";
import { Faces } from "./faces.tsx";
import { type Board, type Card, MEMBERS, type Member, ONE_CARD, type Person, states } from "./model.ts";
import { hueOf } from "./task-card.tsx";
import { useHere } from "./use-here.tsx";

interface Props {
  readonly task: string;
  readonly board: Board;
  readonly me: string;
  readonly people: ReadonlyMap<string, Person>;
  readonly mayEdit: boolean;
  readonly act: Act["act"];
  readonly onClose: () => void;
}

/** Everything about one task, live while it is open. */
export function TaskPanel(props: Props) {
  const { task, board, me, people, act } = props;
  const { rows, loading } = useQuery<Card>(ONE_CARD, [task], { key: "id" });
  const fate = useFate(task);
  const here = useHere(board.id, me);
  const readers = here.filter((h) => h.task === task).map((h) => h.id);
  const card = rows[0];
  return (
    <Dialog title={card ? "Task" : loading ? "Loading" : titles[fate]} onClose={props.onClose} place="side">
      {card ? (
        <>
          {readers.length > 0 && (
            <p className="also-here">
              <Faces ids={readers} people={people} doing="" />
              <span aria-hidden="true">{readers.map((id) => people.get(id)?.name ?? id).join(", ")}</span>{" "}
              {readers.length === 1 ? "is" : "are"} looking at this, too
            </p>
          )}
          <Fields {...props} card={card} />
          <Comments task={card.id} board={board} me={me} people={people} act={act} />
        </>
      ) : (
        !loading && <p>{fates[fate]}</p>
      )}
    </Dialog>
  );
}

/** What became of a task that is not here. */
type Fate = "unknown" | "left" | "deleted";

const titles: Readonly<Record<Fate, string>> = {
  unknown: "No such task",
  left: "This task left",
  deleted: "This task is gone",
};

const fates: Readonly<Record<Fate, string>> = {
  unknown: "There is no such task on this device.",
  left: "It is somewhere now where you may not see it, so it left this device. Nothing was deleted.",
  deleted: "Somebody deleted it. What was written into it is kept as a conflict record.",
};

function useFate(task: string): Fate {
  const db = useDatabase();
  const [fate, setFate] = useState<Fate>("unknown");
  useEffect(
    () =>
      db.watch(
        ONE_CARD,
        [task],
        (_, diff) => {
          if (diff.left.length > 0) setFate("left");
          else if (diff.removed.length > 0) setFate("deleted");
        },
        { key: "id" },
      ),
    [db, task],
  );
  return fate;
}

interface FieldsProps extends Props {
  readonly card: Card;
}

function Fields({ card, board, people, mayEdit, act, onClose }: FieldsProps) {
  const db = useDatabase();
  const { rows: members } = useQuery<Member>(MEMBERS, [board.id], { key: "id" });
  const assignee = people.get(card.assignee_id ?? "");
  const names = useId();
  return (
    <div className="fields">
      <LiveText
        label="Title"
        className="field-title"
        value={card.title}
        required
        disabled={!mayEdit}
        onCommit={(title) => act(() => db.exec`UPDATE task SET title = ${title} WHERE id = ${card.id}`)}
      />
      <DueConflict task={card.id} act={act} mayEdit={mayEdit} />
      <div className="field-grid">
        <label htmlFor={`${names}-state`}>State</label>
        <select
          id={`${names}-state`}
          value={card.state}
          disabled={!mayEdit}
          onChange={(e) => act(() => db.exec`UPDATE task SET state = ${e.currentTarget.value} WHERE id = ${card.id}`)}
        >
          {states.map((s) => (
            <option key={s.id} value={s.id}>
              {s.name}
            </option>
          ))}
        </select>
        <label htmlFor={`${names}-who`}>Assigned to</label>
        <select
          id={`${names}-who`}
          value={card.assignee_id ?? ""}
          disabled={!mayEdit}
          onChange={(e) => {
            const who = e.currentTarget.value || null;
            act(() => db.exec`UPDATE task SET assignee_id = ${who} WHERE id = ${card.id}`);
          }}
        >
          <option value="">Nobody</option>
          {members.map((m) => (
            <option key={m.id} value={m.id}>
              {m.name}
            </option>
          ))}
          {assignee && members.every((m) => m.id !== assignee.id) && (
            <option value={assignee.id}>{assignee.name}, not on the board</option>
          )}
        </select>
        <label htmlFor={`${names}-due`}>Due</label>
        <input
          id={`${names}-due`}
          type="date"
          value={card.due ?? ""}
          disabled={!mayEdit}
          onChange={(e) => {
            const due = e.currentTarget.value || null;
            act(() => db.exec`UPDATE task SET due = ${due} WHERE id = ${card.id}`);
          }}
        />
        <span>Votes</span>
        <Votes card={card} mayEdit={mayEdit} act={act} />
      </div>
      <Labels card={card} mayEdit={mayEdit} act={act} />
      <LiveText
        label="Notes"
        className="field-notes"
        multiline
        placeholder="Notes. Two people can type here at once."
        value={card.notes}
        disabled={!mayEdit}
        onCommit={(notes) => act(() => db.exec`UPDATE task SET notes = ${notes} WHERE id = ${card.id}`)}
      />
      {mayEdit && (
        <button
          type="button"
          className="button button-quiet field-delete"
          onClick={() => {
            act(() => db.exec`DELETE FROM task WHERE id = ${card.id}`);
            onClose();
          }}
        >
          <TrashIcon size={16} /> Delete the task
        </button>
      )}
    </div>
  );
}

interface FieldProps {
  readonly card: Card;
  readonly mayEdit: boolean;
  readonly act: Act["act"];
}

function Votes({ card, mayEdit, act }: FieldProps) {
  const db = useDatabase();
  const { ref, expect } = useArrival<HTMLButtonElement, number>(card.votes, 170);
  return (
    <button
      ref={ref}
      type="button"
      className="votes votes-small"
      disabled={!mayEdit}
      aria-label={`Vote. Votes so far: ${card.votes}`}
      onClick={() => {
        expect(card.votes + 1);
        act(() => db.exec`UPDATE task SET votes = votes + 1 WHERE id = ${card.id}`);
      }}
    >
      <UpIcon size={14} /> {card.votes}
    </button>
  );
}

function Labels({ card, mayEdit, act }: FieldProps) {
  const db = useDatabase();
  const [text, setText] = useState("");
  const list = readLabels(card.labels);
  const write = (next: readonly string[]): void =>
    act(() => db.exec`UPDATE task SET labels = ${JSON.stringify(next)} WHERE id = ${card.id}`);
  const add = (e: React.FormEvent): void => {
    e.preventDefault();
    const label = text.trim().toLowerCase();
    if (label !== "" && !list.includes(label)) write([...list, label]);
    setText("");
  };
  return (
    <div className="field-labels">
      {list.map((l) => (
        <span key={l} className="label" style={{ "--hue": String(hueOf(l)) } as React.CSSProperties}>
          {l}
          {mayEdit && (
            <button
              type="button"
              className="label-remove"
              aria-label={`Remove the label ${l}`}
              onClick={() => write(list.filter((x) => x !== l))}
            >
              <CrossIcon size={12} />
            </button>
          )}
        </span>
      ))}
      {mayEdit && (
        <form onSubmit={add}>
          <input
            className="label-add"
            value={text}
            onChange={(e) => setText(e.currentTarget.value)}
            placeholder="Add a label"
            aria-label="Add a label"
            maxLength={30}
          />
        </form>
      )}
    </div>
  );
}

const OPEN = { states: ["open"], table: "task" } as const;

function DueConflict({ task, act, mayEdit }: { readonly task: string } & Pick<Props, "act" | "mayEdit">) {
  const db = useDatabase();
  const open = useConflicts(OPEN).filter((c) => c.key[0] === task);
  return open.map((c) => (
    <div key={c.id} className="notice notice-conflict" role="status">
      <p className="notice-text">
        <ForkIcon size={16} />
        <span>
          <strong>Two answers</strong> for {c.column || "this task"}: which is it?
        </span>
      </p>
      <div className="notice-actions">
        {(["theirs", "mine"] as const).map((side) => (
          <button
            key={side}
            type="button"
            className="button"
            disabled={!mayEdit}
            onClick={() => act(() => db.resolve(c.id, side))}
          >
            {sideText(c, side)}
          </button>
        ))}
      </div>
    </div>
  ));
}

function sideText(c: Conflict, side: "theirs" | "mine"): string {
  const v = c[side];
  if (v === null) return c.column === "" ? "Deleted" : "None";
  return typeof v === "string" ? dayText(v) : "The edited row";
}
