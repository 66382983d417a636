import { type Column, type Schema, type SchemaObject, sameName, type Table, tableByID, tableNamed } from "../schema.ts";
import { listIn } from "./token.ts";

/** The difference between two schemas of one space. */
export interface Move {
  /** New tables. */
  readonly added: Table[];
  /** Tables that got columns at the end. */
  readonly widened: Widened[];
  /** Tables that changed in any other way. */
  readonly out: Out[];
  /** New indexes, views, triggers, unsynced tables. */
  readonly objects: SchemaObject[];
  /** Indexes, views, triggers that have another definition now. */
  readonly changed: SchemaObject[];
  /** Indexes, views, triggers that are gone. */
  readonly dropped: SchemaObject[];
  /** Tables of the new schema that stay and merge by other rules. */
  readonly policies: Table[];
}

/** A table that got new columns at the end. */
export interface Widened {
  readonly from: Table;
  readonly to: Table;
  /** The column definitions, as they stand in ALTER TABLE ADD COLUMN. */
  readonly defs: string[];
}

/** A table that leaves syncing. */
export interface Out {
  readonly table: Table;
  readonly reason: string;
}

/** Finds what changed from one schema to the next. */
export function compare(from: Schema, to: Schema): Move {
  const m: Move = { added: [], widened: [], out: [], objects: [], changed: [], dropped: [], policies: [] };
  for (const f of from.tables) if (!f.out) compareTable(m, f, to);
  m.added.push(...to.tables.filter((t) => !t.out && !tableByID(from, t.id)));
  compareObjects(m, from, to);
  return m;
}

/** Says how a table that left comes back. */
const again = "To sync it again, detach the served file, serve it anew and clone again.";

function compareTable(m: Move, f: Table, to: Schema): void {
  const t = tableByID(to, f.id);
  const reason = t ? t.out : missing(f, to);
  if (!t || reason) {
    m.out.push({ table: f, reason });
    return;
  }
  if (t.sql !== f.sql || !sameShape(f, t)) {
    const defs = widening(f, t);
    if (typeof defs === "string") {
      const message = `table ${f.name} changed: ${defs}. Only columns added with ALTER TABLE ADD COLUMN can travel. ${again}`;
      m.out.push({ table: f, reason: message });
      return;
    }
    m.widened.push({ from: f, to: t, defs });
  }
  if (!samePolicies(f, t)) m.policies.push(t);
}

function missing(f: Table, to: Schema): string {
  const recreated = to.objects.some((o) => o.type === "table" && sameName(o.name, f.name));
  const what = recreated ? "recreated in a form that cannot sync. Run tidemark check to see why" : "dropped or renamed";
  return `table ${f.name} was ${what}. ${again}`;
}

const alike = (a: unknown, b: unknown): boolean => JSON.stringify(a) === JSON.stringify(b);

/** A column without the rules by which it merges: these may change at any time, the column stays the same. */
const bare = (c: Column): Column => ({ ...c, policy: "", custom: "", group: "" });

const shape = (t: Table): unknown[] => [t.key, t.withoutRowid, t.strict, t.rowidAlias];

function sameShape(f: Table, t: Table): boolean {
  return alike(f.columns.map(bare), t.columns.map(bare)) && alike(f.key, t.key);
}

/** Compares by what rules the columns that both tables have merge. */
function samePolicies(f: Table, t: Table): boolean {
  const n = Math.min(f.columns.length, t.columns.length);
  const rules = (x: Table): unknown[] => [
    x.policy,
    x.columns.slice(0, n).map((c) => [c.policy, c.custom, c.group]),
    x.foreignKeys.map((k) => k.setNull),
  ];
  return alike(rules(f), rules(t));
}

/**
 * Derives the column definitions that turn one table into the other, or says
 * why none do. The server found that they do; here they are tried when they run.
 */
function widening(f: Table, t: Table): string[] | string {
  const n = f.columns.length;
  if (t.columns.length < n) return "it has fewer columns";
  const other = f.columns.find((c, i) => !alike(bare(c), bare(t.columns[i]!)));
  if (other) return `column ${other.name} is not what it was`;
  if (!alike(shape(f), shape(t))) return "it has another primary key or another kind of storage";
  const empty = t.columns.slice(n).find((c) => c.notNull && (c.default === "" || c.default.toLowerCase() === "null"));
  if (empty) return `the new column ${empty.name} is NOT NULL and has no default`;
  return added(f.sql, t.sql) ?? "its definition was rewritten";
}

/**
 * Finds the definitions that stand in `to` and not in `from`, all together in
 * one place, with everything around them untouched.
 */
function added(from: string, to: string): string[] | null {
  const f = listIn(from);
  const t = listIn(to);
  if (!f || !t || t.parts.length < f.parts.length || f.before !== t.before || f.after !== t.after) return null;
  let i = 0;
  while (i < f.parts.length && f.parts[i] === t.parts[i]) i++;
  const end = i + t.parts.length - f.parts.length;
  return alike(f.parts.slice(i), t.parts.slice(end)) ? t.parts.slice(i, end) : null;
}

/** Finds what is new beside the tables that sync. */
function compareObjects(m: Move, from: Schema, to: Schema): void {
  const find = (s: Schema, o: SchemaObject): SchemaObject | undefined =>
    s.objects.find((x) => x.type === o.type && sameName(x.name, o.name));
  for (const o of to.objects) {
    if (o.type === "table" && tableNamed(to, o.name)) continue;
    const was = find(from, o);
    if (!was) m.objects.push(o);
    else if (was.sql !== o.sql && o.type !== "table") m.changed.push(o);
  }
  m.dropped.push(...from.objects.filter((o) => o.type !== "table" && !find(to, o)));
}
