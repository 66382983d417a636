import { type Change, UPDATE } from "../change.ts";
import type { Schema } from "../schema.ts";
import { RawText, type Value } from "../value.ts";
import type { Cell, Cells } from "./difference.ts";
import type { Touch, Touched } from "./watches.ts";

/** From so many changed rows on their keys are not told: looking at each would cost more than running the queries. */
const maxKeys = 32;

/** A touch that is being put together. */
export interface Touching extends Touch {
  columns: Set<string> | null;
  keys: Cells[] | null;
}

/** Notes a changed row. */
export function noteKey(touch: Touching, key: readonly Value[]): void {
  const cells: Cell[] = [];
  for (const v of key) {
    // No parameter of a query finds text that is not UTF-8.
    if (v instanceof RawText) touch.keys = null;
    else cells.push(typeof v === "bigint" && Number.isSafeInteger(Number(v)) ? Number(v) : v);
  }
  touch.keys?.push(cells);
  if (touch.keys && touch.keys.length > maxKeys) touch.keys = null;
}

/** What changes do to the rows of synced tables: those of a changeset that was made, undone or received. */
export function touchedBy(schema: Schema, changes: Iterable<Change>): Touched {
  const touched = new Map<string, Touching>();
  const names = new Map(schema.tables.map((t) => [t.id, t]));
  for (const c of changes) {
    const t = names.get(c.table);
    if (!t) continue;
    let touch = touched.get(t.name);
    if (!touch) {
      touch = { columns: new Set(), keys: [] };
      touched.set(t.name, touch);
    }
    if (c.op !== UPDATE) touch.columns = null;
    for (const i of c.columns) touch.columns?.add(t.columns[i]!.name);
    const after = t.key.map((place, i) => {
      const at = c.op === UPDATE ? c.columns.indexOf(place) : -1;
      return at < 0 ? c.key[i]! : c.values[at]!;
    });
    noteKey(touch, c.key);
    if (after.some((v, i) => v !== c.key[i])) noteKey(touch, after);
  }
  return touched;
}
