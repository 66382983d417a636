import { quote } from "../lite/quote.ts";
import { sameName, type Table } from "../schema.ts";
import { ABSENT, DELETED, FROM, IMAGE, PART, TO, VACANT } from "./capture.ts";
import { keepsTime, type Layout, layoutOf } from "./layout.ts";
import { probes } from "./probe.ts";
import { image, type LogRecord, statements } from "./record.ts";

/** A trigger to be made: `body` is everything behind CREATE TRIGGER, as sqlite_schema keeps it. */
export interface Trigger {
  readonly table: Table;
  readonly name: string;
  readonly body: string;
}

/** Writes the triggers of one table. All SQL is that of SQLite 3.8. */
export interface Maker {
  readonly table: Table;
  readonly layout: Layout;
  /** All columns, the generated ones too. */
  readonly names: readonly string[];
  /** The synced table as it stands in FROM inside a trigger. */
  readonly source: string;
  /** How that table's columns are named. */
  readonly prefix: string;
  column(c: number): string;
  /** The value that NEW will have in a column. */
  newValue(c: number): string;
  /** Finishes a trigger of a kind: its time and event, condition and steps. */
  named(kind: string, event: string, when: string, steps: readonly string[]): Trigger;
}

/** Ends the name of the trigger whose place among the app's matters. */
export const INSERTED = "ins";

/** The triggers that capture a table, or those of a copy that nobody may write. */
export function triggersOf(table: Table, names: readonly string[], readOnly: boolean): Trigger[] {
  const m = makerOf(table, names);
  if (readOnly) return refusals(m);
  const timed = keepsTime(table);
  return [
    // The one trigger that looks back after the write: before it an automatic rowid is not known.
    m.named(INSERTED, "AFTER INSERT", "", statements(m, "", { op: ABSENT, row: "NEW.", timed })),
    m.named("del", "BEFORE DELETE", "", statements(m, "", ...image(m, DELETED, "OLD."))),
    ...m.layout.groups.map((cols, g) => updated(m, cols, g, timed && g === 0)),
    keyChanging(m),
    m.named(
      "move",
      `AFTER UPDATE OF ${list(m, table.key)}`,
      anyChanges(m, table.key),
      statements(m, "", { op: FROM, row: "OLD." }, { op: TO, row: "NEW." }),
    ),
    ...probes(m),
  ];
}

function makerOf(table: Table, names: readonly string[]): Maker {
  const q = quote(table.name);
  // A table that is called new or old gets another name inside a trigger.
  const ambiguous = sameName(table.name, "new") || sameName(table.name, "old");
  const column = (c: number) => quote(table.columns[c]!.name);
  return {
    table,
    layout: layoutOf(table),
    names,
    source: q + (ambiguous ? " AS _tm_x" : ""),
    prefix: ambiguous ? "_tm_x." : `${q}.`,
    column,
    newValue(c) {
      // OR REPLACE puts the default where NULL is not allowed, after the triggers that look before.
      const col = table.columns[c]!;
      const v = `NEW.${column(c)}`;
      const alias = table.rowidAlias && table.key[0] === c;
      return col.notNull && col.default && !alias ? `coalesce(${v}, ${col.default})` : v;
    },
    named(kind, event, when, steps) {
      const name = `_tm_${table.id}_${kind}`;
      const on = `${quote(name)} ${event} ON ${q}${when && ` WHEN ${when}`}`;
      return { table, name, body: `${on} BEGIN ${steps.join("; ")}; END` };
    },
  };
}

/**
 * Records the old values of the group's columns that change. Group 0 does so
 * for every update, so that each leaves a trace of its key.
 */
function updated(m: Maker, cols: readonly number[], group: number, timed: boolean): Trigger {
  const mask = cols.map((c, i) => `((${changes(m, c)}) << ${i})`).join(" | ") || "0";
  const cells = cols.map((c) => `CASE WHEN ${changes(m, c)} THEN OLD.${m.column(c)} END`);
  const r: LogRecord = { op: PART, row: "OLD.", group, mask, cells, timed };
  const event = group ? `BEFORE UPDATE OF ${list(m, cols)}` : "BEFORE UPDATE";
  return m.named(`upd_${group}`, event, group ? anyChanges(m, cols) : "", statements(m, "", r));
}

/** Records the whole row that moves and what is where it goes. */
function keyChanging(m: Maker): Trigger {
  const there = matchKey(m, m.newValue);
  return m.named("key", `BEFORE UPDATE OF ${list(m, m.table.key)}`, anyChanges(m, m.table.key), [
    ...statements(m, "", ...image(m, IMAGE, "OLD.")),
    ...imageWhere(m, there),
    ...statements(m, `WHERE NOT EXISTS (SELECT 1 FROM ${m.source} WHERE ${there})`, { op: VACANT, row: null }),
  ]);
}

/** The steps that record the row of the table that meets the condition; it must not meet more than one. */
export function imageWhere(m: Maker, where: string): string[] {
  return statements(m, `FROM ${m.source} WHERE ${where}`, ...image(m, IMAGE, m.prefix));
}

function refusals(m: Maker): Trigger[] {
  return ["INSERT", "UPDATE", "DELETE"].map((event) =>
    m.named(`ro_${event.slice(0, 3).toLowerCase()}`, `BEFORE ${event}`, "", [
      "SELECT RAISE(ABORT, 'this copy is read-only: make a writable clone to change it')",
    ]),
  );
}

/**
 * The condition that column c changes. It may hold for a value that stays the
 * same, netting drops that; it never fails to hold for one that changes. What
 * IS NOT takes for equal and is not depends on what the column can hold: -2^63
 * as integer and as real; 1 and 1.0, 0.0 and -0.0 where nothing is converted.
 */
function changes(m: Maker, c: number): string {
  const q = m.column(c);
  const differ = `OLD.${q} IS NOT NEW.${q}`;
  if (m.table.rowidAlias && m.table.key[0] === c) return differ;
  const binary = `${differ} COLLATE BINARY`;
  const { affinity } = m.table.columns[c]!;
  if (affinity === 1 || affinity === 4) return binary;
  if (affinity === 0) return `${binary} OR OLD.${q} IS 0 OR typeof(OLD.${q}) <> typeof(NEW.${q})`;
  return `${binary} OR OLD.${q} IS -9223372036854775808`;
}

/** Joins the conditions of many columns, in a balanced way since SQLite bounds the depth of an expression. */
function anyChanges(m: Maker, cols: readonly number[]): string {
  if (cols.length === 1) return `(${changes(m, cols[0]!)})`;
  const half = cols.length >> 1;
  return `(${anyChanges(m, cols.slice(0, half))} OR ${anyChanges(m, cols.slice(half))})`;
}

/** The names of columns, as they stand behind UPDATE OF. */
export function list(m: Maker, cols: readonly number[]): string {
  return cols.map(m.column).join(", ");
}

/** The condition that a row of the table has the key with these values. */
export function matchKey(m: Maker, value: (c: number) => string): string {
  return m.table.key.map((c) => `${m.prefix + m.column(c)} = ${value(c)}`).join(" AND ");
}
