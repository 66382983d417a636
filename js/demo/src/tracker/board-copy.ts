import type { Database } from "@tidemark/client";
import { type Contents, contentsOf } from "./model.ts";

interface TaskRow {
  readonly id: string;
  readonly title: string;
  readonly state: string;
  readonly rank: string;
  readonly votes: number;
  readonly labels: string;
  readonly notes: string;
  readonly due: string | null;
  readonly assignee_id: string | null;
  readonly created_at: string;
}

interface CommentRow {
  readonly id: string;
  readonly task_id: string;
  readonly body: string;
  readonly created_at: string;
}

/** All that goes with a board. Its rows keep their keys, so that what points at them finds them again. */
export interface BoardCopy {
  readonly id: string;
  readonly name: string;
  readonly rank: string;
  readonly contents: Contents;
  readonly members: readonly { readonly person_id: string; readonly role: string }[];
  readonly tasks: readonly TaskRow[];
  readonly comments: readonly CommentRow[];
}

/** Reads what a board holds, before it is deleted. */
export async function copyBoard(db: Database, id: string, me: string): Promise<BoardCopy> {
  const board = await db.queryOne<Pick<BoardCopy, "name" | "rank">>`SELECT name, rank FROM board WHERE id = ${id}`;
  if (!board) throw new Error("The board is not here any more.");
  return {
    id,
    ...board,
    contents: await contentsOf(db, id, me),
    members: await db.query`SELECT person_id, role FROM member WHERE board_id = ${id}`,
    tasks: await db.query<TaskRow>`SELECT id, title, state, rank, votes, labels, notes, due, assignee_id, created_at
      FROM task WHERE board_id = ${id}`,
    comments: await db.query<CommentRow>`SELECT comment.id, task_id, body, comment.created_at
      FROM comment JOIN task ON task.id = task_id WHERE board_id = ${id}`,
  };
}

/** Whether all of it can be put back: the server lets nobody write a comment in the name of another. */
export const isWhole = ({ contents }: BoardCopy): boolean => contents.foreign === 0;

/** Puts a deleted board back, as one changeset: its new maker is who does it. */
export async function putBack(db: Database, copy: BoardCopy, me: string): Promise<void> {
  const { id } = copy;
  await db.transaction(async (tx) => {
    await tx.exec`INSERT INTO board (id, name, rank, made_by) VALUES (${id}, ${copy.name}, ${copy.rank}, ${me})`;
    for (const m of copy.members) {
      const role = m.person_id === me ? "owner" : m.role;
      await tx.exec`INSERT INTO member (board_id, person_id, role) VALUES (${id}, ${m.person_id}, ${role})`;
    }
    for (const t of copy.tasks) {
      await tx.exec`INSERT INTO task (id, board_id, title, state, rank, votes, labels, notes, due, assignee_id, created_at)
        VALUES (${t.id}, ${id}, ${t.title}, ${t.state}, ${t.rank}, ${t.votes}, ${t.labels}, ${t.notes}, ${t.due},
          ${t.assignee_id}, ${t.created_at})`;
    }
    for (const c of copy.comments) {
      await tx.exec`INSERT INTO comment (id, task_id, author_id, body, created_at)
        VALUES (${c.id}, ${c.task_id}, ${me}, ${c.body}, ${c.created_at})`;
    }
  });
}
