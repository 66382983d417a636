import { touched } from "../capture/capture.ts";
import { type Change, INSERT } from "../change.ts";
import { quote } from "../lite/quote.ts";
import { atOnce, step } from "../lite/work.ts";
import { columns, whereKeyless } from "../row/row.ts";
import { columnNames, keyOf, type Table } from "../schema.ts";
import type { Row } from "../value.ts";
import { appendChanges } from "../wire/changes.ts";
import { hashOf } from "../wire/wire.ts";
import { synced } from "./base.ts";
import { asEngine } from "./connection.ts";
import { Misfit } from "./misfit.ts";
import { keepRejected } from "./reject.ts";
import type { Replica } from "./replica.ts";

const why = "a primary key must not be NULL";

/**
 * A row whose primary key is NULL has no name: it can be neither sent nor
 * compared. When the app makes one it is kept as rejected and taken out of its
 * table; the rest of its transaction goes on. This does it for the tables that
 * were written since the last seal.
 */
export function expelKeyless(r: Replica): void {
  for (const id of touched(r.db, 0)) {
    const t = synced(r.schema, id);
    if (t) expelKeylessOf(r, t);
  }
}

/** The same for one table. */
export function expelKeylessOf(r: Replica, t: Table): void {
  const where = whereKeyless(t);
  if (!where) return;
  const from = `FROM main.${quote(t.name)} WHERE ${where}`;
  const rows: Change[] = [];
  r.db.each(`SELECT ${columns(t)} ${from}`, (s) => {
    const values = s.row();
    const key = keyOf(t, values);
    rows.push({ table: t.id, op: INSERT, key, columns: [], values, old: null, edits: null, madeAt: 0 });
  });
  if (rows.length === 0) return;
  keepKeyless(r, t, rows);
  atOnce(asEngine(r.db, () => step(() => r.db.run(`DELETE ${from}`))));
}

function keepKeyless(r: Replica, t: Table, rows: Change[]): void {
  const body = appendChanges(rows);
  const rejected = {
    n: 0,
    code: "not_null",
    message: why,
    table: t.name,
    key: rows[0]!.key,
    columns: columnNames(t, t.key),
    seq: 0,
    madeAt: r.now,
    at: r.now,
    schema: r.server.hash,
  } as const;
  keepRejected(r, rejected, hashOf(new Uint8Array(8), body), body);
}

/** Says why a changeset with a row without a key cannot be put on top. */
export function keyless(t: Table, key: Row): Misfit | null {
  const i = key.indexOf(null);
  if (i < 0) return null;
  return new Misfit({ code: "not_null", message: why, table: t.name, key, columns: columnNames(t, [t.key[i]!]) });
}
