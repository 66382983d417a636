import { policyOf } from "../policy.ts";
import type { Table } from "../schema.ts";
import { KEY_SLOTS, SLOTS } from "./capture.ts";

/**
 * Where a table's values stand in log records. The key's columns come first,
 * as many as have room; the others follow in groups. Columns are only ever
 * appended and a key never changes, so records keep their meaning.
 */
export interface Layout {
  /** Key columns in the record itself. */
  readonly inline: number[];
  /** Key columns in records behind it. */
  readonly rest: number[];
  /** The other columns by group; at least one group, which may be empty. */
  readonly groups: number[][];
  /** Bits in a mask of group 0 whose columns keep the newest edit; -1, where such a column is in another group. */
  readonly newest: number;
}

const layouts = new WeakMap<Table, Layout>();

/** The layout of a table's records. */
export function layoutOf(t: Table): Layout {
  const known = layouts.get(t);
  if (known) return known;
  const inline = t.key.slice(0, KEY_SLOTS);
  const values = t.columns.flatMap((_, c) => (t.key.includes(c) ? [] : [c]));
  const per = SLOTS - inline.length;
  const groups = [values.slice(0, per)];
  for (let i = per; i < values.length; i += per) groups.push(values.slice(i, i + per));
  let newest = 0;
  values.forEach((c, i) => {
    if (policyOf(t, c) === "latest-edit") newest = i < per && newest >= 0 ? newest | (1 << i) : -1;
  });
  const l: Layout = { inline, rest: t.key.slice(KEY_SLOTS), groups, newest };
  layouts.set(t, l);
  return l;
}

/** Whether some column of a table merges by the time of edits, so that the triggers record it. */
export function keepsTime(t: Table): boolean {
  return t.columns.some((_, c) => policyOf(t, c) === "latest-edit");
}
