import { memo } from "react";
import { readLabels } from "../labels.ts";
import { useArrival } from "../ui/arrival.ts";
import { Avatar } from "../ui/avatar.tsx";
import { CalendarIcon, CommentIcon, EyeIcon, NoteIcon, UpIcon } from "../ui/icons.tsx";
import { dayText, overdue } from "./days.ts";
import type { Card, Person } from "./model.ts";

interface Props {
  readonly card: Card;
  readonly assignee: Person | undefined;
  /** Names of others who have it open; "" for none. */
  readonly readers: string;
  readonly lifted: "pointer" | "keys" | null;
  readonly conflicting: boolean;
  readonly mayEdit: boolean;
  readonly onVote: (id: string) => void;
  readonly onOpen: (id: string) => void;
  readonly onKey: (id: string, e: React.KeyboardEvent) => void;
}

/** A task on the board. Its title is the button; the rest of the card belongs to that. */
export const TaskCard = memo(function TaskCard({ card, assignee, readers, lifted, conflicting, ...on }: Props) {
  const votes = useArrival<HTMLButtonElement, number>(card.votes, 170);
  const title = useArrival<HTMLButtonElement, string>(card.title, 170);
  return (
    <li className="card" data-card={card.id} data-lifted={lifted ?? undefined} data-done={card.state === "done"}>
      <button
        ref={title.ref}
        type="button"
        className="card-title"
        data-focus={card.id}
        aria-describedby="carry-help"
        onClick={() => on.onOpen(card.id)}
        onKeyDown={(e) => on.onKey(card.id, e)}
      >
        {card.title}
      </button>
      {readers !== "" && (
        <p className="card-readers">
          <EyeIcon size={13} /> {readers}
        </p>
      )}
      <CardLabels labels={card.labels} />
      <div className="card-foot">
        <button
          ref={votes.ref}
          type="button"
          className="votes votes-small"
          data-still
          disabled={!on.mayEdit}
          onClick={() => {
            votes.expect(card.votes + 1);
            on.onVote(card.id);
          }}
          aria-label={`Vote for ${card.title}. Votes so far: ${card.votes}`}
        >
          <UpIcon size={14} /> {card.votes}
        </button>
        {card.due !== null && (
          <span className={`fact ${overdue(card) ? "fact-late" : ""} ${conflicting ? "fact-conflict" : ""}`}>
            <CalendarIcon size={14} /> {dayText(card.due)}
            {conflicting && <span> · two answers</span>}
          </span>
        )}
        {card.notes !== "" && (
          <span className="fact" title="Has notes">
            <NoteIcon size={14} />
            <span className="visually-hidden">Has notes</span>
          </span>
        )}
        {card.comments > 0 && (
          <span className="fact">
            <CommentIcon size={14} /> {card.comments}
            <span className="visually-hidden"> comments</span>
          </span>
        )}
        {assignee && (
          <span className="card-assignee">
            <Avatar name={assignee.name} hue={assignee.hue} />
            <span className="visually-hidden">Assigned to {assignee.name}</span>
          </span>
        )}
      </div>
    </li>
  );
});

export function CardLabels({ labels }: { readonly labels: string }) {
  const list = readLabels(labels);
  if (list.length === 0) return null;
  return (
    <span className="card-labels">
      {list.map((l) => (
        <span key={l} className="label" style={{ "--hue": String(hueOf(l)) } as React.CSSProperties}>
          {l}
        </span>
      ))}
    </span>
  );
}

/** A label's colour follows from its name, so that it is the same everywhere. */
export function hueOf(label: string): number {
  let sum = 0;
  for (const c of label) sum = (sum * 31 + (c.codePointAt(0) ?? 0)) % 3600;
  return sum % 360;
}
