/**
 * Measures live queries on a database in memory, the worker's part and the
 * tab's: one row of a result of 100,000 changes; a commit that concerns 5 of
 * 1,000 standing queries; every row of a result changes. Build it with esbuild
 * (--bundle --platform=node --format=esm) and run it with node.
 */
import { Database } from "../src/lite/database.ts";
import { loadSqlite } from "../src/lite/load.ts";
import type { Cell, Cells } from "../src/watch/difference.ts";
import { LiveQueries } from "../src/watch/live-queries.ts";
import { readsOf } from "../src/watch/reads.ts";
import { type Spec, type Touched, Watches } from "../src/watch/watches.ts";
import { inspect } from "../test/inspect.ts";

const sqlite = await loadSqlite();
const db = Database.open(sqlite, ":memory:");
db.script(
  `CREATE TABLE task (id INTEGER PRIMARY KEY, project INT, title TEXT, rank REAL);
   WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100000)
   INSERT INTO task SELECT i, i % 1000, 'task number ' || i, i / 3.0 FROM n;
   CREATE INDEX by_project ON task (project)`,
);

const schema = inspect(db, new Map());
const columns = schema.tables[0]!.columns.map((c) => c.name);
const shown = (v: unknown): Cell => (typeof v === "bigint" ? Number(v) : (v as Cell));

const watches = new Watches({
  query: (sql: string, params: Cells): Cells[] => {
    const rows: Cells[] = [];
    db.each(
      sql,
      (s) => rows.push(s.row().map(shown)),
      ...params.map((p) => (Number.isInteger(p) ? BigInt(p as number) : p)),
    );
    return rows;
  },
  reads: (sql) => readsOf(db, schema, sql),
  table: () => ({ columns, key: ["id"] }),
  now: () => performance.now(),
});
const live = new LiveQueries({
  watch: async (spec: Spec) => structuredClone(watches.add("a", spec)),
  unwatch: (id) => watches.remove("a", id),
});

const touch = (...ids: number[]): Touched =>
  new Map([["task", { columns: new Set(["title"]), keys: ids.map((i) => [i]) }]]);

/** The middle of some times, in milliseconds; of the worker's part, and with the way to the tab. */
function measure(name: string, times: number, write: (i: number) => Touched): void {
  const worker: number[] = [];
  const whole: number[] = [];
  for (let i = 0; i < times; i++) {
    const touched = write(i);
    const begun = performance.now();
    watches.commit(touched);
    const patches = watches.run();
    worker.push(performance.now() - begun);
    live.receive(structuredClone(patches));
    whole.push(performance.now() - begun);
  }
  const middle = (all: number[]): string => all.sort((a, b) => a - b)[times >> 1]!.toFixed(2);
  console.log(`${name}: worker ${middle(worker)} ms, with the tab ${middle(whole)} ms`);
}

const settled = (): Promise<void> => new Promise((done) => setTimeout(done));
const update = (i: number, id: number): Touched => {
  db.run("UPDATE task SET title = ? WHERE id = ?", `title ${i}`, BigInt(id));
  return touch(id);
};
const nobody = (): void => {};

let stop = live.watch({ sql: "SELECT * FROM task ORDER BY id", params: [] }, nobody, nobody);
await settled();
measure("one of 100,000 rows shown changes", 15, (i) => update(i, 50_000 + i));
measure("one of 100,000 rows shown comes", 7, (i) => {
  db.run("INSERT INTO task VALUES (?, 1, 'new', 0)", BigInt(200_000 + i));
  return new Map([["task", { columns: null, keys: [[200_000 + i]] }]]);
});
stop();

stop = live.watch({ sql: "SELECT * FROM task ORDER BY rank LIMIT 1000", params: [] }, nobody, nobody);
await settled();
measure("every one of 1,000 rows shown changes", 25, (i) => {
  db.run("UPDATE task SET title = ? WHERE id <= 1000", `all ${i}`);
  return new Map([["task", { columns: new Set(["title"]), keys: null }]]);
});
stop();

for (let p = 0; p < 1000; p++) live.watch({ sql: "SELECT * FROM task WHERE project = ?", params: [p] }, nobody, nobody);
await settled();
measure("a commit that concerns 5 of 1,000 queries of 100 rows", 101, (i) => {
  const ids = [1, 2, 3, 4, 5].map((k) => 1000 * (i % 90) + k);
  for (const id of ids) update(i, id);
  return touch(...ids);
});
measure("a commit that concerns none of them", 101, (i) => {
  db.run("UPDATE task SET title = 'nowhere' WHERE id = ?", BigInt(i));
  return new Map([["task", { columns: new Set(["other"]), keys: null }]]);
});
