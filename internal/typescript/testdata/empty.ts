// Written by `tidemark generate ts `. Do not edit: write it anew when the schema changes.

/** All tables and views by their names. A view has no insert. */
export interface Tables {
}

export type TableName = keyof Tables;
