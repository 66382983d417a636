import { useDatabase, useQuery } from "@tidemark/react";
import { useState } from "react";
import type { Act } from "../ui/act.ts";
import { Avatar } from "../ui/avatar.tsx";
import { TrashIcon } from "../ui/icons.tsx";
import { momentText } from "./days.ts";
import { addComment, type Board, COMMENTS, type Comment, type Person } from "./model.ts";

interface Props {
  readonly task: string;
  readonly board: Board;
  readonly me: string;
  readonly people: ReadonlyMap<string, Person>;
  readonly act: Act["act"];
}

export function Comments({ task, board, me, people, act }: Props) {
  const db = useDatabase();
  const { rows } = useQuery<Comment>(COMMENTS, [task], { key: "id" });
  const [body, setBody] = useState("");
  const send = (e: React.FormEvent): void => {
    e.preventDefault();
    if (body.trim() === "") return;
    act(() => addComment(db, task, me, body.trim()));
    setBody("");
  };
  return (
    <section className="comments" aria-label="Comments">
      <h3 className="part-title">
        Comments <span className="count">{rows.length}</span>
      </h3>
      <ul className="comment-list">
        {rows.map((c) => {
          const author = people.get(c.author_id ?? "");
          return (
            <li key={c.id} className="comment">
              <Avatar name={author?.name ?? "?"} hue={author?.hue ?? 0} />
              <div>
                <p className="comment-head">
                  <strong>{author?.name ?? "Somebody who left"}</strong> <time>{momentText(c.created_at)}</time>
                </p>
                <p className="comment-body">{c.body}</p>
              </div>
              {(c.author_id === me || board.role === "owner") && (
                <button
                  type="button"
                  className="icon-button comment-delete"
                  aria-label="Delete this comment"
                  onClick={() => act(() => db.exec`DELETE FROM comment WHERE id = ${c.id}`)}
                >
                  <TrashIcon size={15} />
                </button>
              )}
            </li>
          );
        })}
      </ul>
      <form className="comment-form" onSubmit={send}>
        <input
          value={body}
          onChange={(e) => setBody(e.currentTarget.value)}
          placeholder={`Comment as ${people.get(me)?.name ?? "yourself"}`}
          aria-label="Your comment"
          maxLength={2000}
        />
        <button type="submit" className="button" disabled={body.trim() === ""}>
          Send
        </button>
      </form>
    </section>
  );
}
