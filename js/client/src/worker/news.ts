import { list } from "../conflict/conflict.ts";
import type { DatabaseEvent } from "../database.ts";
import type { Applied } from "../replica/apply.ts";
import type { Replica } from "../replica/replica.ts";
import { type Schema, tableByID } from "../schema.ts";
import type { Cells } from "../watch/difference.ts";
import type { Left } from "../watch/left.ts";
import { touchedBy } from "../watch/touched.ts";
import type { Touched } from "../watch/watches.ts";
import type { Batch } from "../wire/batch.ts";
import { shown } from "./statements.ts";
import { conflictView, outcomeInfo, pendingView } from "./views.ts";

/** What a batch changed: row by row where it alone did, else by table. */
export function touchedTables(replica: Replica, a: Applied, batch: Batch | null): Touched {
  const { schema, db } = replica;
  const tables = schema.tables.filter((t) => a.tables.includes(t.id));
  // Where something is or was pending, a batch may move rows that it does not name.
  const alone = batch && !a.gathered && a.settled.length === 0;
  const changes = batch ? [...batch.changes, ...batch.parts.flatMap((p) => p.changes)] : [];
  const fine = alone && db.int("SELECT count(*) FROM main._tm_pending") === 0 ? touchedBy(schema, changes) : null;
  if (fine && tables.every((t) => fine.has(t.name))) return fine;
  return new Map(tables.map((t) => [t.name, { columns: null, keys: null }]));
}

/** What an app is told of a batch; conflicts are news that came with a seq behind `told`. */
export function eventsOf(replica: Replica, a: Applied, told: number): DatabaseEvent[] {
  const { schema, db } = replica;
  const events: DatabaseEvent[] = [];
  for (const o of a.settled) events.push({ type: "outcome", outcome: outcomeInfo(o) });
  for (const s of a.scopes) events.push({ type: "scope", scope: s });
  for (const p of a.suspended) events.push({ type: "suspended", changeset: pendingView(schema, p) });
  if (a.seq <= told || !schema.tables.some((t) => t.name === "tm_conflicts" && a.tables.includes(t.id))) return events;
  for (const c of list(db, ["open"])) {
    if (c.seq > told) events.push({ type: "conflict", conflict: conflictView(c) });
  }
  return events;
}

/** Keys of rows that left the copy without being deleted. */
export function leftOf(schema: Schema, a: Applied): Left {
  const left = new Map<string, Cells[]>();
  for (const [id, keys] of a.left) {
    const name = tableByID(schema, id)?.name ?? "";
    left.set(
      name,
      keys.map((key) => key.map((v) => shown(v))),
    );
  }
  return left;
}
