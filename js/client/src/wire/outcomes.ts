import type { Cell, Outcome, OutcomeKind, Renumbered } from "../change.ts";
import type { Fields } from "./reader.ts";

/**
 * Brings the fates of changesets of this replica. Each settles in the
 * transaction that brings the replica to the outcome's seq.
 */
export interface Outcomes {
  readonly type: "outcomes";
  readonly list: Outcome[];
}

export function readOutcomes(a: Fields): Outcomes {
  return { type: "outcomes", list: a.lists(readOutcome) };
}

function readOutcome(a: Fields): Outcome {
  return {
    n: a.int(),
    hash: a.bytes(16),
    seq: a.int(),
    kind: readKind(a),
    replica: a.str(),
    code: a.str(),
    message: a.str(),
    table: a.str(),
    key: a.values(),
    columns: a.strings(),
    lost: a.lists(readCell),
    over: a.lists(readCell),
    renumbered: a.lists(readRenumbered),
  };
}

/** How a changeset ended. A word that is not known is an error: what a fate means cannot be guessed. */
function readKind(a: Fields): OutcomeKind {
  const kind = a.str() || "accepted";
  return kind === "accepted" || kind === "merged" || kind === "rejected" ? kind : a.r.fail("no such outcome");
}

function readCell(a: Fields): Cell {
  return { table: a.str(), key: a.values() ?? [], column: a.str() };
}

function readRenumbered(a: Fields): Renumbered {
  const table = a.str();
  const [from, to] = a.pair();
  return { table, from, to, before: a.int() };
}
