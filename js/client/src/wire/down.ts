import { type Batch, readBatch } from "./batch.ts";
import { type Leases, readLeases } from "./leases.ts";
import { type Outcomes, readOutcomes } from "./outcomes.ts";
import { type Declined, type Heard, type Peers, readDeclined, readHeard, readPeers } from "./presence.ts";
import { type Ranges, readRanges } from "./ranges.ts";
import { decode, type Fields } from "./reader.ts";
import { type Refusal, readRefusal } from "./refusal.ts";
import { type Rows, readRows } from "./rows.ts";
import { readSchema, type Schema } from "./schema.ts";
import { readScopes, type Scopes } from "./scope.ts";
import { type Renewed, readRenewed } from "./token.ts";
import { readWelcome, type Welcome } from "./welcome.ts";

export type {
  Batch,
  Declined,
  Heard,
  Leases,
  Outcomes,
  Peers,
  Ranges,
  Refusal,
  Renewed,
  Rows,
  Schema,
  Scopes,
  Welcome,
};

/** A message from the server to a replica. */
export type Down = Welcome | Schema | Outcomes | Batch | Ranges | Rows | Leases | Refusal | Scopes | Aside;

/** What the shells take for themselves: the sync loop never sees it. */
export type Aside = Renewed | Peers | Heard | Declined;

const asides: readonly string[] = ["renewed", "peers", "heard", "declined"];

/** Whether a message is one for the shell alone. */
export const isAside = (m: Down | null): m is Aside => m !== null && asides.includes(m.type);

/** What the sync loop hears. */
export type Said = Exclude<Down, Aside>;

/** Readers by kind: the first element of a message. */
const kinds = new Map<string, (a: Fields) => Down>([
  ["w", readWelcome],
  ["s", readSchema],
  ["o", readOutcomes],
  ["b", readBatch],
  ["g", readRanges],
  ["r", readRows],
  ["l", readLeases],
  ["x", readRefusal],
  ["t", readRenewed],
  ["n", readPeers],
  ["m", readHeard],
  ["d", readDeclined],
  ["k", readScopes],
]);

/** Reads a message to a replica. Throws a TidemarkError of code protocol, and nothing else. */
export function decodeDown(text: string): Down {
  return decode(text, (r) =>
    r.fields((a) => {
      const read = kinds.get(a.str());
      return read ? read(a) : r.fail("no such message to a replica");
    }),
  );
}
