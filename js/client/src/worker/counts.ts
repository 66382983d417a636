import { countOpen } from "../conflict/conflict.ts";
import type { Shared } from "../tabs/messages.ts";
import type { Copy } from "./copy.ts";

/** The part of a status that is read from the database. */
type Counts = Omit<
  Shared,
  "scopes" | "phase" | "waiting" | "storage" | "progress" | "online" | "sync" | "connected" | "error" | "server"
>;

/** What a copy says of itself; without one nothing is known. */
export function countsOf(copy: Copy | null): Counts {
  const s = copy?.replica.status();
  return {
    seq: s?.seq ?? 0,
    head: s?.head ?? 0,
    pending: (s?.pending ?? 0) + (s?.unsealed ? 1 : 0),
    suspended: s?.suspended ?? 0,
    rejected: s?.rejected ?? 0,
    conflicts: copy ? countOpen(copy.db) : 0,
    proven: s?.proven ?? false,
    contact: s?.contact ?? 0,
    readOnly: s?.readOnly ?? false,
    replica: s?.replica ?? "",
    space: s?.space ?? "",
    out: Object.fromEntries(s?.out ?? []),
  };
}
