// Measures what everything else stands on against plain SQLite and JSON.parse
// in the same run, as CPU time. Bundle it with esbuild and run it in Node:
//   npx esbuild client/bench/ground.ts --bundle --format=esm --platform=node \
//     --external:@sqlite.org/sqlite-wasm --outfile=client/bench/ground.mjs && node client/bench/ground.mjs
import { type Change, INSERT } from "../src/change.ts";
import { Hasher } from "../src/digest/digest.ts";
import { Sums } from "../src/digest/sums.ts";
import { Database } from "../src/lite/database.ts";
import { loadSqlite } from "../src/lite/load.ts";
import type { Row } from "../src/value.ts";
import { appendChanges } from "../src/wire/changes.ts";
import { decodeDown } from "../src/wire/down.ts";
import { columnOf, tableOf } from "../test/tables.ts";

/** The least CPU time of some runs, in milliseconds. */
function time(fn: () => void): number {
  let least = Infinity;
  for (let i = 0; i < 5; i++) {
    const before = process.cpuUsage().user;
    fn();
    least = Math.min(least, (process.cpuUsage().user - before) / 1000);
  }
  return least;
}

function report(what: string, ours: number, plain: number, than: string): void {
  console.log(`${what}: ${ours.toFixed(0)} ms, ${(ours / plain).toFixed(1)} times ${than} (${plain.toFixed(0)} ms)`);
}

const count = 100_000;
const rows: Row[] = Array.from({ length: count }, (_, i) => {
  return [
    BigInt(i),
    `title of ${i}`,
    `some longer text of about fifty characters, number ${i}`,
    1n,
    i / 3,
    "anna",
    42n,
  ];
});
const ddl = "CREATE TABLE t (id INTEGER PRIMARY KEY, title TEXT, body TEXT, done INTEGER, prio REAL, who TEXT, n)";
const sqlite = await loadSqlite();

function filled(fill: (db: Database) => void): Database {
  const db = Database.open(sqlite, ":memory:");
  db.script(ddl);
  db.transaction(() => fill(db));
  return db;
}

const insert = "INSERT INTO t VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
const inSQL = `WITH RECURSIVE c(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM c WHERE i < ${count - 1})
  INSERT INTO t SELECT i, 'title of ' || i, 'some longer text of about fifty characters, number ' || i, 1, i / 3.0, 'anna', 42 FROM c`;
const plainInsert = time(() => filled((db) => db.run(inSQL)).close());
report(
  "insert 100,000 rows of 7 columns",
  time(() =>
    filled((db) => {
      for (const row of rows) db.run(insert, ...row);
    }).close(),
  ),
  plainInsert,
  "one INSERT ... SELECT",
);

const db = filled((d) => d.run(inSQL));
const sum = "SELECT sum(id + length(title) + length(body) + done + prio + length(who) + n) FROM t";
const plainRead = time(() => db.run(sum));
report(
  "read them",
  time(() => db.each("SELECT * FROM t", (s) => s.row())),
  plainRead,
  "a sum over all columns",
);
db.close();

const columns = ["title", "body", "done", "prio", "who", "n"].map((name) => columnOf(name));
const table = tableOf({ key: ["BINARY"], columns });
const hasher = new Hasher(new Uint8Array(16).fill(3));
report(
  "sum their 700,000 cells",
  time(() => {
    const sums = new Sums();
    for (const row of rows) sums.add(hasher, table, row, 1);
  }),
  plainRead,
  "a sum over all columns in SQL",
);

const changes = rows.map((row): Change => {
  return { table: 1, op: INSERT, key: [row[0]!], columns: [], values: [...row], old: null, edits: null, madeAt: 0 };
});
const message = `["b",1,"",${new TextDecoder().decode(appendChanges(changes))}]`;
report(
  "decode them from a batch",
  time(() => decodeDown(message)),
  time(() => JSON.parse(message)),
  "JSON.parse",
);
