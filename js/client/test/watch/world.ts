import { afterEach } from "vitest";
import type { Change } from "../../src/change.ts";
import type { Row } from "../../src/database.ts";
import { Database } from "../../src/lite/database.ts";
import { loadSqlite } from "../../src/lite/load.ts";
import type { Schema, Table } from "../../src/schema.ts";
import type { Cell, Cells } from "../../src/watch/difference.ts";
import type { Left } from "../../src/watch/left.ts";
import { LiveQueries, rowOf } from "../../src/watch/live-queries.ts";
import { readsOf } from "../../src/watch/reads.ts";
import { touchedBy } from "../../src/watch/touched.ts";
import { type Patch, type Spec, Watches } from "../../src/watch/watches.ts";

const sqlite = await loadSqlite();

const open: Database[] = [];
afterEach(() => {
  for (const db of open.splice(0)) db.close();
});

/** A table of the schema by its columns; the first `keys` of them are the primary key. */
export function table(id: number, name: string, columns: readonly string[], keys = 1, collation = "BINARY"): Table {
  return {
    id,
    name,
    sql: "",
    columns: columns.map((c) => ({
      name: c,
      type: "",
      affinity: 2,
      collation,
      notNull: false,
      default: "",
      policy: "",
      custom: "",
      group: "",
    })),
    key: columns.slice(0, keys).map((_, i) => i),
    rowidAlias: false,
    withoutRowid: false,
    strict: false,
    autoincrement: false,
    uniques: [],
    foreignKeys: [],
    out: "",
    policy: { columns: "", onDelete: "", onInsert: "", onUnique: "", keep: "", keepFor: 0, maxSkew: 0, lease: 0 },
  };
}

/** A database, its live queries, and tabs that watch: the worker and the tabs without the wires. */
export class World {
  readonly db: Database;
  readonly schema: Schema;
  watches: Watches;
  readonly tabs = new Map<string, LiveQueries>();
  /** Runs of queries by their text. */
  readonly runs = new Map<string, number>();

  constructor(sql: string, ...tables: Table[]) {
    this.db = Database.open(sqlite, ":memory:");
    open.push(this.db);
    this.db.script(sql);
    this.schema = { hash: "", tables: [...tables], objects: [], scopes: [], public: [], declared: "", guards: [] };
    this.watches = this.restart();
  }

  /** Another worker takes over. */
  restart(): Watches {
    this.watches = new Watches({
      query: (text, params, bigint) => this.#query(text, params, bigint),
      reads: (text) => readsOf(this.db, this.schema, text),
      table: (name) => {
        const t = this.schema.tables.find((t) => t.name === name)!;
        return { columns: t.columns.map((c) => c.name), key: t.key.map((k) => t.columns[k]!.name) };
      },
      now: () => 0,
    });
    return this.watches;
  }

  #query(text: string, params: Cells, bigint: boolean): Cells[] {
    this.runs.set(text, (this.runs.get(text) ?? 0) + 1);
    const rows: Cells[] = [];
    const cell = (v: unknown): Cell =>
      typeof v === "bigint" && !bigint && Number.isSafeInteger(Number(v)) ? Number(v) : (v as Cell);
    this.db.each(
      text,
      (s) => rows.push(s.row().map(cell)),
      ...params.map((p) => (Number.isSafeInteger(p) ? BigInt(p as number) : p)),
    );
    return rows;
  }

  tab(name: string): LiveQueries {
    const live = new LiveQueries({
      watch: async (spec: Spec) => structuredClone(this.watches.add(name, spec)),
      unwatch: (id) => this.watches.remove(name, id),
    });
    this.tabs.set(name, live);
    return live;
  }

  /** Executes, tells what it changed, runs what is concerned, and lets the tabs hear. */
  commit(sql: string, changes: readonly Partial<Change>[], left?: Left): Patch[] {
    this.db.script(sql);
    this.note(changes, left);
    return this.deliver();
  }

  /** Tells what a commit changed, and runs nothing. */
  note(changes: readonly Partial<Change>[], left?: Left): void {
    const whole = changes.map(
      (c): Change => ({ table: 1, op: 2, key: [], columns: [], values: [], old: null, edits: null, madeAt: 0, ...c }),
    );
    this.watches.commit(touchedBy(this.schema, whole), left);
  }

  /** What a query gives now. */
  rows(sql: string, params: Cells): Row[] {
    const { columns } = readsOf(this.db, this.schema, sql);
    return this.#query(sql, params, false).map((r) => rowOf(columns, r));
  }

  deliver(): Patch[] {
    const patches = structuredClone(this.watches.run());
    for (const [name, live] of this.tabs) live.receive(patches.filter((p) => p.to.includes(name)));
    return patches;
  }
}
