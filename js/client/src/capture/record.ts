import { GROUP, KEY_REST, SLOTS } from "./capture.ts";
import type { Maker } from "./triggers.ts";

/** One log record as a trigger writes it. */
export interface LogRecord {
  readonly op: number;
  /** Prefix of the row whose key it names: "NEW.", "OLD." or the table's; null: the key that NEW will have. */
  readonly row: string | null;
  readonly group?: number;
  readonly mask?: string;
  /** SQL of the values behind the key; none for a record without cells. */
  readonly cells?: readonly string[];
  /** Whether it is written with the time. */
  readonly timed?: boolean;
}

/** Where a column keeps the newest edit, the time of the write stands above the bits of the mask. */
export const TIME_SHIFT = 16;
const timeNow = "65536 * CAST((julianday('now') - 2440587.5) * 86400000.0 + 0.5 AS INTEGER)";

/**
 * The statements that write records: for each row of a source, which begins
 * with FROM or WHERE, or without one in any case. A record of a wide key takes
 * more than one.
 */
export function statements(m: Maker, source: string, ...records: LogRecord[]): string[] {
  return records.flatMap((r) => {
    const { inline, rest } = m.layout;
    const head: [string, string][] = [["op", `${r.op + GROUP * (r.group ?? 0)}`]];
    if (r.timed) head.push(["m", r.cells ? `(${r.mask}) + ${timeNow}` : timeNow]);
    else if (r.cells) head.push(["m", `${r.mask}`]);
    const key = (c: number) => (r.row === null ? m.newValue(c) : r.row + m.column(c));
    const out = [insert(m, head, [...inline.map(key), ...(r.cells ?? [])], source)];
    for (let at = 0; at < rest.length; at += SLOTS) {
      const op: [string, string] = ["op", `${KEY_REST + (GROUP * at) / SLOTS}`];
      out.push(insert(m, [op], rest.slice(at, at + SLOTS).map(key), source));
    }
    return out;
  });
}

function insert(m: Maker, head: [string, string][], values: string[], source: string): string {
  const all = [["t", `${m.table.id}`], ...head, ...values.map((v, i) => [`v${i}`, v])];
  const vals = all.map((a) => a[1]).join(", ");
  const into = `INSERT INTO _tm_log (${all.map((a) => a[0]).join(", ")})`;
  return source ? `${into} SELECT ${vals} ${source}` : `${into} VALUES (${vals})`;
}

/** The records of a whole row, one for each group. */
export function image(m: Maker, op: number, row: string): LogRecord[] {
  return m.layout.groups.map((cols, group) => {
    const cells = cols.map((c) => row + m.column(c));
    return { op, row, group, mask: `${2 ** cells.length - 1}`, cells };
  });
}
