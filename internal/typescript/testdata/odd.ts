// Written by `tidemark generate ts http://127.0.0.1:7420/* /odd`. Do not edit: write it anew when the schema changes.

/** A row of * /. */
export interface Table {
  id: number;
}

/** What an insert into * / gives. */
export interface TableInsert {
  id?: number | undefined;
}

/** A row of 2do. */
export interface Table2do {
  id: number;
}

/** What an insert into 2do gives. */
export interface Table2doInsert {
  id?: number | undefined;
}

/** A row of Task-Insert. */
export interface TaskInsert {
  id: number;
}

/** What an insert into Task-Insert gives. */
export interface TaskInsertInsert {
  id?: number | undefined;
}

/** A row of order. */
export interface Order {
  id: number;
  "first name": string | null;
  "*/ alert()": number | null;
  "quo\"te": string | null;
  "ünï": string | null;
  class: string | null;
  "new\nline": string | null;
}

/** What an insert into order gives. */
export interface OrderInsert {
  id?: number | undefined;
  "first name"?: string | null | undefined;
  "*/ alert()"?: number | null | undefined;
  "quo\"te"?: string | null | undefined;
  "ünï"?: string | null | undefined;
  class?: string | null | undefined;
  "new\nline"?: string | null | undefined;
}

/** A row of tables. */
export interface Tables2 {
  id: number;
}

/** What an insert into tables gives. */
export interface Tables2Insert {
  id?: number | undefined;
}

/** A row of task. */
export interface Task2 {
  id: number;
}

/** What an insert into task gives. */
export interface Task2Insert {
  id?: number | undefined;
}

/** A row of task_insert. */
export interface TaskInsert2 {
  id: number;
}

/** What an insert into task_insert gives. */
export interface TaskInsert2Insert {
  id?: number | undefined;
}

/** All tables and views by their names. A view has no insert. */
export interface Tables {
  "*/": { row: Table; insert: TableInsert };
  "2do": { row: Table2do; insert: Table2doInsert };
  "Task-Insert": { row: TaskInsert; insert: TaskInsertInsert };
  order: { row: Order; insert: OrderInsert };
  tables: { row: Tables2; insert: Tables2Insert };
  task: { row: Task2; insert: Task2Insert };
  task_insert: { row: TaskInsert2; insert: TaskInsert2Insert };
}

export type TableName = keyof Tables;
