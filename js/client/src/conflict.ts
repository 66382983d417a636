/** The synced table of values that a policy threw away, and of edits that wait for a decision. Mirrors conflict.go. */
export const CONFLICTS_TABLE = "tm_conflicts";

/** State of a conflict: it waits for a decision, is a value that lost, or was resolved. */
export type ConflictState = "open" | "kept" | "resolved";

/** Whose value stands. */
export type Winner = "theirs" | "mine" | "both";
