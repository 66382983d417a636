import { TidemarkError } from "../error.ts";
import type { Table } from "../schema.ts";
import type { Row, Value } from "../value.ts";
import { ABSENT, DELETED, FROM, IMAGE, PART, TO, VACANT } from "./capture.ts";
import type { Entry, Pass } from "./segment.ts";

/**
 * Puts one fact in force: behind it lies what the pass knows, before it lies
 * what the fact says.
 */
export function apply(p: Pass, e: Entry): void {
  const r = p.touch(e);
  // The pass comes from the end: the first time that it meets is the last edit's.
  r.last ||= e.at;
  if (timely(e)) r.at ||= e.at;
  if (e.op === ABSENT || e.op === VACANT) {
    r.now = null;
    if (e.op === ABSENT) p.moves.push({ kind: "appears", id: r.id, to: "" });
  } else if (e.op === PART) {
    if (r.now) r.now = over(e, r.now); // else the row's history before an insert, told by a trigger of the app
  } else if (e.op === DELETED || e.op === IMAGE) {
    r.now = over(e, r.now ?? defaultRow(p, e.table));
    if (e.op === DELETED && e.group === 0) p.moves.push({ kind: "disappears", id: r.id, to: "" });
  } else if (e.op === TO) {
    p.arrival = r.id;
  } else if (e.op === FROM) {
    p.moves.push({ kind: "moved", id: r.id, to: p.arrival });
  }
}

/** Whether the record's time is that of an edit of a column which keeps the newest. */
function timely(e: Entry): boolean {
  return e.op !== PART || e.layout.newest < 0 || (e.mask & e.layout.newest) !== 0;
}

/** A copy of the row with the record's key and cells in place. */
function over(e: Entry, before: Row): Row {
  const out: Value[] = [...before];
  e.table.key.forEach((c, i) => {
    out[c] = e.key[i]!;
  });
  e.layout.groups[e.group]?.forEach((c, i) => {
    if (e.mask & (1 << i)) out[c] = e.cells[i]!;
  });
  return out;
}

/**
 * What a record of a whole row is laid over: columns that are younger than its
 * trigger can only have had their default, which ALTER TABLE ADD COLUMN wants
 * to be a constant.
 */
function defaultRow(p: Pass, t: Table): Row {
  let row = p.defaults.get(t);
  if (!row) {
    row = t.columns.map((c) => {
      const v = c.default ? constant(p, c.default) : null;
      return c.affinity === 4 && typeof v === "bigint" ? Number(v) : v;
    });
    p.defaults.set(t, row);
  }
  return row;
}

/** The value of a default; null where it is no constant, so that every trigger knows the column. */
function constant(p: Pass, sql: string): Value {
  try {
    const v = p.db.get(`SELECT ${sql}`);
    return v?.length === 1 ? v[0]! : null;
  } catch (err) {
    if (err instanceof TidemarkError) throw err;
    return null;
  }
}
