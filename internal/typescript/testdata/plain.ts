// Written by `tidemark generate ts shop.sqlite`. Do not edit: write it anew when the schema changes.

import type { SqlValue } from "@tidemark/client";

/** A row of draft, which does not sync. */
export interface Draft {
  text: string | null;
}

/** What an insert into draft gives. */
export interface DraftInsert {
  text?: string | null | undefined;
}

/** A row of exact. */
export interface Exact {
  id: number;
  what: SqlValue;
  n: number;
}

/** What an insert into exact gives. */
export interface ExactInsert {
  id?: number | undefined;
  what?: SqlValue | undefined;
  n: number;
}

/** A row of member. */
export interface Member {
  project: number;
  person: string;
  since: string | number | null;
}

/** What an insert into member gives. */
export interface MemberInsert {
  project: number;
  person: string;
  since?: string | number | null | undefined;
}

/** A row of open_task, a view. */
export interface OpenTask {
  id: string | null;
  title: string | null;
  project: string | null;
  n: SqlValue;
}

/** A row of project. */
export interface Project {
  id: number;
  name: string;
  created: string | number | null;
}

/** What an insert into project gives. */
export interface ProjectInsert {
  id?: number | undefined;
  name: string;
  created?: string | number | null | undefined;
}

/** A row of search, which does not sync. */
export interface Search {
  title: SqlValue;
}

/** What an insert into search gives. */
export interface SearchInsert {
  title?: SqlValue | undefined;
}

/** A row of task. */
export interface Task {
  id: string;
  project: number;
  title: string;
  done: number;
  rank: number | null;
  photo: Uint8Array | null;
  price: number | null;
  labels: string;
  anything: SqlValue;
  short: string | null;
  whole: string;
}

/** What an insert into task gives. */
export interface TaskInsert {
  id: string;
  project: number;
  title: string;
  done?: number | undefined;
  rank?: number | null | undefined;
  photo?: Uint8Array | null | undefined;
  price?: number | null | undefined;
  labels?: string | undefined;
  anything?: SqlValue | undefined;
}

/** All tables and views by their names. A view has no insert. */
export interface Tables {
  draft: { row: Draft; insert: DraftInsert };
  exact: { row: Exact; insert: ExactInsert };
  member: { row: Member; insert: MemberInsert };
  open_task: { row: OpenTask; insert: never };
  project: { row: Project; insert: ProjectInsert };
  search: { row: Search; insert: SearchInsert };
  task: { row: Task; insert: TaskInsert };
}

export type TableName = keyof Tables;
