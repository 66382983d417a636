import { quote } from "../lite/quote.ts";
import type { Condition } from "./condition.ts";
import { type Cell, type Cells, difference, keyOf, type Part, sameCell, sameCells, written } from "./difference.ts";
import { Leavers, type Left } from "./left.ts";

/** A query to keep up to date. Two that are equal share one run. */
export interface Spec {
  readonly sql: string;
  readonly params: Cells;
  /** Columns of the result that tell its rows apart; without it the primary keys of the tables, where the result has them. */
  readonly key?: readonly string[] | undefined;
  /** Give every integer as a bigint. */
  readonly bigint?: boolean | undefined;
}

/** What a query reads, as SQLite tells it. Names are as declared. */
export interface Reads {
  /** Synced tables, and the columns that are read of them; null: any change matters. An empty set: which rows there are. */
  readonly tables: ReadonlyMap<string, ReadonlySet<string> | null>;
  /** Also something of which commits do not tell: an unsynced table, the structure. */
  readonly other: boolean;
  /** Names of the result's columns. */
  readonly columns: readonly string[];
  /** Places of the columns that tell rows apart: the primary keys; empty: the whole row does. */
  readonly key: readonly number[];
  /** The same by table, of those whose primary keys the result has. */
  readonly keys: ReadonlyMap<string, readonly number[]>;
  /** For a query that gives rows of one table, told apart by its primary key; else null. */
  readonly shape: Shape | null;
}

/** What makes the rows of a query that gives rows of one table. */
export interface Shape {
  /** What they must meet. */
  readonly conditions: readonly Condition[];
  /** Gives one row of the result, without order and limit, after its parameters by those of the key; null where it has none. */
  readonly one: string | null;
  /** How many parameters of the query stand before the key's. */
  readonly params: number;
  readonly limited: boolean;
  /** Columns that say which rows there are, in which order, and their places in the result; null when not all are stored, or shown. */
  readonly columns: ReadonlySet<string> | null;
  readonly places: readonly number[] | null;
}

/** What a commit changed in one table. */
export interface Touch {
  /** The columns that changed; null when rows came or went too. */
  readonly columns: ReadonlySet<string> | null;
  /** Primary keys of the changed rows, before and after; null when they are not told. */
  readonly keys: readonly Cells[] | null;
}

/** What a commit changed, by the names of synced tables as declared. */
export type Touched = ReadonlyMap<string, Touch>;

/** What the engine needs of its surroundings. */
export interface WatchHost {
  /** Runs a query that only reads. */
  query(sql: string, params: Cells, bigint: boolean): Cells[];
  /** Compiles a query and tells what it reads. */
  reads(sql: string): Reads;
  /** Names of the stored columns of a synced table, and of its primary key in key order. */
  table(name: string): { readonly columns: readonly string[]; readonly key: readonly string[] };
  /** Milliseconds, for the costs. */
  now(): number;
}

/** News of one query, for the tabs in `to`. */
export interface Patch {
  readonly id: number;
  readonly to: readonly string[];
  /** 1, 2, 3 ... A patch with parts builds on the version before. */
  readonly version: number;
  /** The whole result, with names and key. */
  readonly whole?: {
    readonly columns: readonly string[];
    readonly key: readonly number[];
    readonly rows: readonly Cells[];
  };
  /** How it comes out of the version before. */
  readonly parts?: readonly Part[];
  /** Places in the version before of rows that are gone because they left this device. */
  readonly left?: readonly number[];
  /** Why there is no new result; the rows of before stand. */
  readonly error?: unknown;
}

/** What one query cost. */
export interface WatchCost {
  readonly id: number;
  readonly sql: string;
  readonly tables: readonly string[];
  readonly tabs: number;
  readonly rows: number;
  readonly runs: number;
  /** Of all runs together. */
  readonly ms: number;
}

interface Query {
  readonly id: number;
  readonly name: string;
  readonly spec: Spec;
  readonly tabs: Set<string>;
  /** null: must be learned before the next run. */
  reads: Reads | null;
  columns: readonly string[];
  key: readonly number[];
  rows: Cells[];
  /** Places of the rows by their keys, made when they are first asked for. */
  keys: Map<Cell, number> | null;
  /** Rows to look at in the next run, by their keys; null: at all. */
  todo: Map<Cell, Todo> | null;
  /** Rows that left since the last run, null for none. */
  left: Leavers | null;
  version: number;
  error: unknown;
  runs: number;
  ms: number;
}

/** A row that may be another, or elsewhere. */
interface Todo {
  readonly key: Cells;
  /** Whether a column changed that says where rows stand. */
  readonly placed: boolean;
}

/** From so many rows on a query runs as a whole. */
const maxTodo = 32;

/** Bounds what is remembered of SQL texts. */
const maxReads = 1000;

const nothing: readonly number[] = [];

/** Names a query: equal for those that share a run. */
export function nameOf(s: Spec): string {
  const params = s.params.map((c) => (Object.is(c, -0) ? "-0" : written(c)));
  return [s.bigint ? 1 : 0, JSON.stringify(s.key ?? 0), params.join(), s.sql].join("\0");
}

/**
 * The live queries of one replica, those of all tabs together. It does nothing
 * by itself: `commit` says after each commit what changed, `run` runs what that
 * concerns and returns the news for the tabs. So however many changes and
 * commits come before `run`, a query runs once.
 */
export class Watches {
  readonly #host: WatchHost;
  readonly #reads = new Map<string, Reads>();
  readonly #queries = new Map<string, Query>();
  readonly #dirty = new Set<Query>();
  #last = 0;

  constructor(host: WatchHost) {
    this.#host = host;
  }

  /** Whether `run` has work. */
  get due(): boolean {
    return this.#dirty.size > 0;
  }

  /** A tab watches a query from now on: its result as it is known, whole. A tab says it once for all its listeners. */
  add(tab: string, spec: Spec): Patch {
    const name = nameOf(spec);
    let q = this.#queries.get(name);
    if (!q) {
      q = {
        id: ++this.#last,
        name,
        spec,
        tabs: new Set(),
        reads: null,
        columns: [],
        key: nothing,
        rows: [],
        keys: null,
        todo: new Map(),
        left: null,
        version: 0,
        error: undefined,
        runs: 0,
        ms: 0,
      };
      this.#queries.set(name, q);
      this.#rerun(q);
    }
    q.tabs.add(tab);
    return this.#whole(q, [tab]);
  }

  /** A tab watches a query no longer. */
  remove(tab: string, id: number): void {
    for (const q of this.#queries.values()) if (q.id === id) this.#leave(q, tab);
  }

  /** A tab is gone. */
  leave(tab: string): void {
    for (const q of this.#queries.values()) this.#leave(q, tab);
  }

  /** A commit happened; null: anything may have changed. Of the rows that are gone, `left` names those that were not deleted. */
  commit(touched: Touched | null, left: Left = new Map()): void {
    const rows = new Probe(this.#host);
    for (const q of this.#queries.values()) {
      // One that runs as a whole learns of everything.
      const whole = this.#dirty.has(q) && q.todo === null;
      if (!whole && concerns(q, touched, rows)) this.#dirty.add(q);
      if (left.size === 0 || !this.#dirty.has(q)) continue;
      q.left ??= new Leavers();
      q.left.add(left);
    }
  }

  /** The structure changed: every query is learned and run again. */
  moved(): void {
    this.#reads.clear();
    for (const q of this.#queries.values()) {
      q.reads = null;
      q.todo = null;
      this.#dirty.add(q);
    }
  }

  /** Runs what commits concerned, until `enough`, and returns the news. */
  run(enough: () => boolean = () => false): Patch[] {
    const news: Patch[] = [];
    for (const q of this.#dirty) {
      this.#dirty.delete(q);
      const patch = this.#rerun(q);
      if (patch) news.push(patch);
      if (enough()) break;
    }
    return news;
  }

  /** What the queries cost so far. */
  costs(): WatchCost[] {
    return [...this.#queries.values()].map((q) => ({
      id: q.id,
      sql: q.spec.sql.trim(),
      tables: [...(q.reads?.tables.keys() ?? [])],
      tabs: q.tabs.size,
      rows: q.rows.length,
      runs: q.runs,
      ms: q.ms,
    }));
  }

  #leave(q: Query, tab: string): void {
    q.tabs.delete(tab);
    if (q.tabs.size > 0) return;
    this.#queries.delete(q.name);
    this.#dirty.delete(q);
  }

  #whole(q: Query, to: readonly string[]): Patch {
    const whole = { columns: q.columns, key: q.key, rows: q.rows };
    return { id: q.id, to, version: q.version, whole, ...(q.error === undefined ? {} : { error: q.error }) };
  }

  /** Runs a query; null when there is nothing new to tell. */
  #rerun(q: Query): Patch | null {
    const learned = q.reads === null;
    const failed = q.error;
    const begun = this.#host.now();
    const { todo, rows: before } = q;
    let rows: Cells[] = q.rows;
    let parts: Part[] | null = null;
    try {
      q.error = undefined;
      if (learned) this.#learn(q);
      const some = !learned && failed === undefined && todo !== null ? this.#refresh(q, todo) : undefined;
      if (some === undefined) {
        rows = this.#host.query(q.spec.sql, q.spec.params, q.spec.bigint ?? false);
        parts = difference(q.rows, rows, q.key);
      } else {
        parts = some;
        rows = q.rows;
      }
    } catch (err) {
      q.error = err;
    }
    q.todo = new Map();
    q.runs++;
    q.ms += this.#host.now() - begun;
    const left = parts && q.reads ? q.left?.of(before, parts, q.reads.keys) : undefined;
    q.left = null;
    const patch = this.#tell(q, rows, parts, learned, failed);
    return patch?.parts && left && left.length > 0 ? { ...patch, left } : patch;
  }

  /** Queries that differ in parameters only are compiled once. */
  #readsOf(sql: string): Reads {
    const known = this.#reads.get(sql);
    if (known) return known;
    const reads = this.#host.reads(sql);
    if (this.#reads.size >= maxReads) this.#reads.clear();
    this.#reads.set(sql, reads);
    return reads;
  }

  #learn(q: Query): void {
    const reads = this.#readsOf(q.spec.sql);
    const places = q.spec.key?.map((name) => reads.columns.indexOf(name)) ?? reads.key;
    const missing = places.indexOf(-1);
    if (missing >= 0) throw new Error(`the result has no column ${q.spec.key![missing]}, which the key names`);
    q.reads = reads;
    q.columns = reads.columns;
    q.key = places;
  }

  /**
   * Looks only at rows that changed, and puts them in their places: possible
   * while no row comes or finds another place. undefined: the query must run as
   * a whole; null: nothing changed.
   */
  #refresh(q: Query, todo: ReadonlyMap<Cell, Todo>): Part[] | null | undefined {
    const shape = q.reads?.shape;
    if (!shape?.one) return undefined;
    const news: [number, Cells | null][] = [];
    const params = q.spec.params.slice(0, shape.params);
    for (const [name, { key, placed }] of todo) {
      const row = this.#host.query(shape.one, [...params, ...key], false)[0] ?? null;
      if (row && keyOf(row, q.key) !== name) return undefined;
      const at = placeOf(q, key);
      if (at === undefined) {
        if (row) return undefined;
        continue;
      }
      const old = q.rows[at]!;
      if (row === null ? shape.limited : placed && !shape.places?.every((i) => sameCell(old[i]!, row[i]!)))
        return undefined;
      if (row === null || !sameCells(old, row)) news.push([at, row]);
    }
    return news.length > 0 ? replace(q, news) : null;
  }

  #tell(q: Query, rows: Cells[], parts: Part[] | null, learned: boolean, failed: unknown): Patch | null {
    const to = [...q.tabs];
    if (q.error !== undefined) {
      if (failed !== undefined && `${failed}` === `${q.error}`) return null;
      return { id: q.id, to, version: ++q.version, parts: [[0, rows.length]], error: q.error };
    }
    if (parts === null && failed === undefined && !learned) return null;
    if (q.rows !== rows) {
      q.rows = rows;
      q.keys = null;
    }
    q.version++;
    if (learned) return this.#whole(q, to);
    return { id: q.id, to, version: q.version, parts: parts ?? [[0, rows.length]] };
  }
}

/** Whether a commit can have changed the result; notes at which rows to look. */
function concerns(q: Query, touched: Touched | null, rows: Probe): boolean {
  if (touched === null) {
    q.todo = null;
    return true;
  }
  if (!q.reads) return false;
  let concerned = q.reads.other;
  if (concerned) q.todo = null;
  for (const [table, touch] of touched) {
    const read = q.reads.tables.get(table);
    if (read === undefined || (read && touch.columns && !meets(read, touch.columns))) continue;
    const shape = q.error === undefined && !q.spec.key && !q.spec.bigint ? q.reads.shape : null;
    if (!touch.keys || !shape) {
      q.todo = null;
      return true;
    }
    const placed = !touch.columns || !shape.columns || meets(shape.columns, touch.columns);
    for (const key of touch.keys) {
      if (!rows.fits(table, key, shape.conditions, q.spec.params) && placeOf(q, key) === undefined) continue;
      const name = keyOf(key, everyPlace(key));
      q.todo?.set(name, { key, placed: placed || q.todo.get(name)?.placed === true });
      if (q.todo && q.todo.size > maxTodo) q.todo = null;
      concerned = true;
    }
  }
  return concerned;
}

function meets(a: ReadonlySet<string>, b: ReadonlySet<string>): boolean {
  for (const c of b) if (a.has(c)) return true;
  return false;
}

/** Where a row stands in the result. */
function placeOf(q: Query, key: Cells): number | undefined {
  q.keys ??= new Map(q.rows.map((r, i) => [keyOf(r, q.key), i]));
  return q.keys.get(keyOf(key, everyPlace(key)));
}

/** Puts rows in the place of others, or takes them out. */
function replace(q: Query, news: [number, Cells | null][]): Part[] {
  const parts: Part[] = [];
  let next = 0;
  for (const [at, row] of news.sort((a, b) => a[0] - b[0])) {
    if (at > next) parts.push([next, at - next]);
    if (row) {
      parts.push([at, row]);
      q.rows[at] = row;
    }
    next = at + 1;
  }
  if (next < q.rows.length) parts.push([next, q.rows.length - next]);
  if (news.some(([, row]) => !row)) {
    const gone = new Set(news.flatMap(([at, row]) => (row ? [] : [at])));
    q.rows = q.rows.filter((_, i) => !gone.has(i));
    q.keys = null;
  }
  return parts;
}

const everyPlace = (key: Cells): number[] => key.map((_, i) => i);

/** Looks at changed rows as they are now, once for all queries of a commit. */
class Probe {
  readonly #host: WatchHost;
  readonly #rows = new Map<string, Map<string, Cell> | null>();

  constructor(host: WatchHost) {
    this.#host = host;
  }

  /** Whether a row is there and may meet the conditions; true when in doubt. */
  fits(table: string, key: Cells, conditions: readonly Condition[], params: Cells): boolean {
    const name = `${table}\0${keyOf(key, [])}`;
    let row = this.#rows.get(name);
    if (row === undefined) {
      try {
        row = this.#read(table, key);
      } catch {
        return true; // the commit stands; the queries will say what is wrong
      }
      this.#rows.set(name, row);
    }
    return row !== null && conditions.every((c) => mayEqual(row.get(c.column), params[c.param]));
  }

  #read(table: string, key: Cells): Map<string, Cell> | null {
    const t = this.#host.table(table);
    const where = t.key.map((k) => `${quote(k)} = ?`).join(" AND ");
    const sql = `SELECT ${t.columns.map(quote).join()} FROM ${quote(table)} WHERE ${where}`;
    const row = this.#host.query(sql, key, false)[0];
    return row ? new Map(t.columns.map((c, i) => [c, row[i]!])) : null;
  }
}

/** Whether SQLite may call a stored value and a parameter equal, whatever the column's type does to them. */
function mayEqual(stored: Cell | undefined, param: Cell | undefined): boolean {
  if (stored === null || param === null) return false;
  if (typeof stored === "string" || typeof stored === "number")
    return typeof stored !== typeof param || stored === param;
  return true;
}
