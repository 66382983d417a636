import { countOpen } from "../conflict/conflict.ts";
import { unknown } from "../status.ts";
import type { Shared } from "../tabs/messages.ts";
import type { Copy } from "./copy.ts";

/** The part of a status that is read from the database. */
type Counts = Omit<
  Shared,
  "scopes" | "phase" | "waiting" | "storage" | "progress" | "online" | "sync" | "connected" | "error" | "server"
>;

/** What a copy says of itself; without one nothing is known. */
export function countsOf(copy: Copy | null): Counts {
  if (copy === null) return unknown;
  const s = copy.replica.status();
  return {
    seq: s.seq,
    head: s.head,
    pending: s.pending + (s.unsealed ? 1 : 0),
    suspended: s.suspended,
    rejected: s.rejected,
    conflicts: countOpen(copy.db),
    proven: s.proven,
    contact: s.contact,
    readOnly: s.readOnly,
    replica: s.replica,
    space: s.space,
    out: Object.fromEntries(s.out),
  };
}
