import { quote } from "../literal/literal.ts";
import { encodeWants, type Want } from "./scope.ts";
import { array, strings, sum } from "./writer.ts";

/** Opens a session. A replica without a name leaves replica and ticket empty; one that knows nothing of the space, incarnation. */
export interface Hello {
  readonly type: "hello";
  readonly protocol: number;
  readonly space: string;
  readonly incarnation: string;
  /** Term of the checkpoint. */
  readonly term: string;
  readonly replica: string;
  readonly ticket: string;
  /** Hash of the schema that the replica has. */
  readonly schema: string;
  readonly seq: number;
  readonly sum: bigint;
  /** Cursor of the last staged chunk, "" for none. */
  readonly staged: string;
  /** Every changeset up to this n is settled on the replica. */
  readonly settled: number;
  readonly readOnly: boolean;
  /** Program and version, for logs. */
  readonly agent: string;
  /** The replica's clock, Unix milliseconds. */
  readonly clock: number;
  /** Who the principal is; "" where the Authorization header says so. */
  readonly token: string;

  // Of a space with scopes.

  /** Scopes that the replica has whole at `seq`. */
  readonly held: readonly string[];
  /** It wants those of `want` and no others. */
  readonly only: boolean;
  readonly want: readonly Want[];
  /** Comes back with the list that answers this. */
  readonly ask: number;
}

export function encodeHello(m: Hello): string {
  return array([
    '"h"',
    `${m.protocol}`,
    ...[m.space, m.incarnation, m.term, m.replica, m.ticket, m.schema].map(quote),
    `${m.seq}`,
    sum(m.sum),
    quote(m.staged),
    `${m.settled}`,
    `${m.readOnly}`,
    quote(m.agent),
    `${m.clock}`,
    quote(m.token),
    strings(m.held),
    `${m.only}`,
    encodeWants(m.want),
    `${m.ask}`,
  ]);
}
