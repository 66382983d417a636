import { type Database, id } from "@tidemark/client";
import { between, spread } from "./rank.ts";

export type TaskState = "todo" | "doing" | "done";

/** Somebody there is, on whatever boards. */
export interface Person {
  readonly id: string;
  readonly name: string;
  readonly hue: number;
}

export type Role = "owner" | "editor" | "viewer";

/** A board that this person is on. */
export interface Board {
  readonly id: string;
  readonly name: string;
  /** Not everybody is on it. */
  readonly private: number;
  /** What this person may do there: null for a moment, when he leaves. */
  readonly role: Role | null;
  readonly made_by: string | null;
}

/** Somebody on a board. */
export interface Member extends Person {
  readonly role: Role;
}

/** A task as its card shows it. */
export interface Card {
  readonly id: string;
  readonly title: string;
  readonly state: TaskState;
  readonly rank: string;
  readonly votes: number;
  readonly labels: string;
  readonly notes: string;
  readonly due: string | null;
  readonly assignee_id: string | null;
  readonly comments: number;
}

export interface Comment {
  readonly id: string;
  readonly author_id: string | null;
  readonly body: string;
  readonly created_at: string;
}

export const states: readonly { readonly id: TaskState; readonly name: string }[] = [
  { id: "todo", name: "To do" },
  { id: "doing", name: "Doing" },
  { id: "done", name: "Done" },
];

/** The scope of a board: what those who are on it hold. */
export const scopeOf = (board: string): string => `board/${board}`;

export const BOARDS = `SELECT id, name, made_by,
  (SELECT role FROM member WHERE board_id = board.id AND person_id = ?) AS role,
  (SELECT count(*) FROM member WHERE board_id = board.id) < (SELECT count(*) FROM person) AS private
  FROM board ORDER BY rank, id`;
export const PEOPLE = "SELECT id, name, hue FROM person ORDER BY name, id";
export const MEMBERS = `SELECT person.id, name, hue, role FROM member JOIN person ON person.id = person_id
  WHERE board_id = ? ORDER BY name, person.id`;
const CARD = `id, title, state, rank, votes, labels, notes, due, assignee_id,
  (SELECT count(*) FROM comment WHERE comment.task_id = task.id) AS comments`;
export const CARDS = `SELECT ${CARD} FROM task WHERE board_id = ? ORDER BY rank, id`;
export const ONE_CARD = `SELECT ${CARD} FROM task WHERE id = ?`;
export const COMMENTS = "SELECT id, author_id, body, created_at FROM comment WHERE task_id = ? ORDER BY created_at, id";

export async function addTask(db: Database, board: string, state: TaskState, title: string): Promise<string> {
  const key = id();
  const last = await db.queryOne<{ rank: string }>`
    SELECT rank FROM task WHERE board_id = ${board} AND state = ${state} ORDER BY rank DESC LIMIT 1`;
  await db.exec`INSERT INTO task (id, board_id, title, state, rank)
    VALUES (${key}, ${board}, ${title}, ${state}, ${between(last?.rank ?? "", "")})`;
  return key;
}

/**
 * Puts a card to a place among the cards of a column, which are given without
 * it. Where two ranks leave no room all of the column get new ones.
 */
export async function moveTask(
  db: Database,
  task: string,
  state: TaskState,
  others: readonly Pick<Card, "id" | "rank">[],
  place: number,
): Promise<void> {
  const rank = roomAt(others, place);
  if (rank !== null) {
    await db.exec`UPDATE task SET state = ${state}, rank = ${rank} WHERE id = ${task}`;
    return;
  }
  const order = [...others.slice(0, place).map((c) => c.id), task, ...others.slice(place).map((c) => c.id)];
  const ranks = spread(order.length);
  await db.transaction(async (tx) => {
    for (const [i, key] of order.entries()) {
      await tx.exec`UPDATE task SET rank = ${ranks[i] ?? "V"} WHERE id = ${key}`;
    }
    await tx.exec`UPDATE task SET state = ${state} WHERE id = ${task}`;
  });
}

function roomAt(others: readonly Pick<Card, "rank">[], place: number): string | null {
  try {
    return between(others[place - 1]?.rank ?? "", others[place]?.rank ?? "");
  } catch {
    return null; // two copies chose one rank, or somebody wrote it by hand
  }
}

/** Makes a board, with its maker as the only one on it. */
export async function addBoard(db: Database, name: string, owner: string): Promise<string> {
  const key = id();
  const last = await db.queryOne<{ rank: string }>`SELECT rank FROM board ORDER BY rank DESC LIMIT 1`;
  const rank = between(last?.rank ?? "", "");
  await db.transaction(async (tx) => {
    await tx.exec`INSERT INTO board (id, name, rank, made_by) VALUES (${key}, ${name}, ${rank}, ${owner})`;
    await tx.exec`INSERT INTO member (board_id, person_id, role) VALUES (${key}, ${owner}, 'owner')`;
  });
  return key;
}

export async function addComment(db: Database, task: string, author: string, body: string): Promise<void> {
  await db.exec`INSERT INTO comment (id, task_id, author_id, body) VALUES (${id()}, ${task}, ${author}, ${body})`;
}

/** Writes a board's new name; the one that it has stays where nothing is left of the new one. */
export async function renameBoard(db: Database, board: Pick<Board, "id" | "name">, text: string): Promise<void> {
  const name = text.trim();
  if (name !== "" && name !== board.name) await db.exec`UPDATE board SET name = ${name} WHERE id = ${board.id}`;
}

/** How much goes with a board. */
export interface Contents {
  readonly tasks: number;
  readonly comments: number;
  /** Of the comments those of others. */
  readonly foreign: number;
  readonly people: number;
}

export const EMPTY: Contents = { tasks: 0, comments: 0, foreign: 0, people: 0 };

export const CONTENTS = `SELECT (SELECT count(*) FROM task WHERE board_id = ?) AS tasks, comments, "foreign",
  (SELECT count(*) FROM member WHERE board_id = ?) AS people
  FROM (SELECT count(*) AS comments, count(CASE WHEN author_id IS NOT ? THEN 1 END) AS "foreign"
    FROM comment JOIN task ON task.id = task_id WHERE board_id = ?)`;

export const contentsParams = (board: string, me: string): readonly string[] => [board, board, me, board];

export async function contentsOf(db: Database, board: string, me: string): Promise<Contents> {
  const [row] = await db.query<Contents>(CONTENTS, contentsParams(board, me));
  return row ?? EMPTY;
}

const some = (n: number, one: string, many: string): string => `${n} ${n === 1 ? one : many}`;

/** What goes with a board in words, "" for nothing: "8 tasks and 3 comments". */
export function sayContents({ tasks, comments }: Pick<Contents, "tasks" | "comments">): string {
  const parts = [tasks && some(tasks, "task", "tasks"), comments && some(comments, "comment", "comments")];
  return parts.filter(Boolean).join(" and ");
}
