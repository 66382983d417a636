import type { Fields } from "./reader.ts";

/**
 * Ends a session or answers a message that cannot be taken. It is never an
 * outcome: whatever was pending stays pending.
 */
export interface Refusal {
  readonly type: "refusal";
  /** A code of spec/errors.json, of a later version perhaps. */
  readonly code: string;
  readonly message: string;
  readonly hint: string;
  /** Milliseconds to wait before coming back; 0: the replica's own backoff. */
  readonly retry: number;
  /** Coming back as it is will not help. */
  readonly fatal: boolean;
}

export function readRefusal(a: Fields): Refusal {
  return { type: "refusal", code: a.str(), message: a.str(), hint: a.str(), retry: a.int(), fatal: a.bool() };
}
