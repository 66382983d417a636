import type { Work } from "../lite/work.ts";
import { type Event, type Loop, STATES, type State } from "./loop.ts";
import { garbage, hangup, lost, probe, refused, silence } from "./loop-end.ts";
import { resubscribe, scopes } from "./loop-scopes.ts";
import {
  batch,
  blocks,
  dial,
  drop,
  early,
  greet,
  local,
  outcomes,
  renew,
  schema,
  seal,
  skip,
  welcome,
} from "./loop-session.ts";
import { later, ranges, rows, verify } from "./verify.ts";

/** Carries one cell of the table out, step by step where it is long. What it throws is an error of the local file. */
export type Action = (l: Loop, now: number, event: Event) => Work<void> | void;

/**
 * The whole sync loop: what every event means in every state, by the columns of
 * STATES. A message counts by its kind; one that cannot be read is garbage.
 *
 * The four states with a live session differ in what they wait for, not in what
 * they take: confirmed changes come while local ones are pending, and a session
 * that only verifies still follows the server.
 */
export const table = {
  start: [dial, skip, skip, skip, skip, skip, skip, dial, dial, dial],
  connected: [drop, greet, skip, skip, skip, skip, skip, drop, drop, drop],
  welcome: [skip, skip, welcome, renew, renew, renew, renew, skip, skip, skip],
  schema: [skip, skip, skip, schema, schema, schema, schema, skip, skip, skip],
  outcomes: [skip, skip, skip, outcomes, outcomes, outcomes, outcomes, skip, skip, skip],
  batch: [skip, skip, skip, batch, batch, batch, batch, skip, skip, skip],
  ranges: [skip, skip, skip, skip, skip, skip, ranges, skip, skip, skip],
  rows: [skip, skip, skip, skip, skip, skip, rows, skip, skip, skip],
  leases: [skip, skip, early, blocks, blocks, blocks, blocks, skip, skip, skip],
  scopes: [skip, skip, skip, scopes, scopes, scopes, scopes, skip, skip, skip],
  refusal: [skip, skip, refused, refused, refused, refused, refused, skip, skip, skip],
  garbage: [skip, garbage, garbage, garbage, garbage, garbage, garbage, skip, skip, skip],
  disconnected: [skip, lost, lost, lost, lost, lost, lost, skip, skip, skip],
  local: [seal, seal, seal, local, local, local, local, seal, seal, seal],
  tick: [skip, silence, silence, silence, silence, probe, silence, dial, skip, skip],
  rewant: [skip, skip, skip, resubscribe, resubscribe, resubscribe, resubscribe, skip, skip, skip],
  verify: [later, later, later, verify, verify, verify, verify, later, later, later],
  hangup: [skip, hangup, hangup, hangup, hangup, hangup, hangup, hangup, hangup, hangup],
} satisfies Record<string, readonly Action[]>;

/** What the table distinguishes in events. */
export type Kind = keyof typeof table;

/** The row of an event. */
export function kindOf(event: Event): Kind {
  return event.type === "received" ? (event.message?.type ?? "garbage") : event.type;
}

/** The cell of an event in a state. */
export function actionFor(event: Event, state: State): Action {
  return table[kindOf(event)][STATES.indexOf(state)]!;
}
