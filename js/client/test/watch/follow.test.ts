import fc from "fast-check";
import { expect, test } from "vitest";
import { type Change, DELETE, INSERT } from "../../src/change.ts";
import type { Row } from "../../src/database.ts";
import { same, type Value } from "../../src/value.ts";
import { table, World } from "./world.ts";

/** Queries of all shapes; `?` is one parameter. */
const QUERIES = [
  "SELECT id, a, b FROM t WHERE a = ?",
  "SELECT id, b FROM t WHERE a = ? AND b > 1",
  "SELECT id FROM t WHERE a = ? ORDER BY b, id LIMIT 2",
  "SELECT * FROM t WHERE c = ? ORDER BY b DESC, id",
  "SELECT id, c FROM t WHERE id = ?",
  "SELECT b, id FROM t WHERE b = ? AND (a = 1 OR c = 'x') ORDER BY id",
  "SELECT count(*), sum(b) FROM t WHERE a = ?",
  "SELECT DISTINCT b FROM t WHERE a = ?",
  "SELECT id FROM t WHERE a = ? ORDER BY id LIMIT 2 OFFSET 1",
  "SELECT t.id, u.a FROM t JOIN u ON u.p = t.a WHERE t.b = ?",
  "SELECT p, q, a FROM u WHERE q = ?",
  "SELECT p, q FROM u WHERE q = ? AND p = 1",
  "SELECT a, count(*) FROM t WHERE id > ? GROUP BY a",
  "SELECT id, (SELECT max(a) FROM u) FROM t WHERE a = ?",
  "SELECT id, g FROM t WHERE g = ?",
  "SELECT id, a FROM v WHERE a = ?",
  "SELECT id, a, b, c, g FROM t WHERE a IS NOT ?",
  "SELECT c, id FROM t WHERE a IS NOT ? ORDER BY b, id -- by b",
  "SELECT id, b AS a, a AS b FROM t WHERE a <> ? ORDER BY a DESC, id DESC",
  "SELECT id, c, b FROM t WHERE b IS NOT ? ORDER BY b, id LIMIT 3",
  "SELECT id, b, a FROM t WHERE a IS NOT ? ORDER BY 2, 1",
  "SELECT id, a, a AS b FROM t WHERE b IS NOT ? ORDER BY b",
  "SELECT id, id FROM t WHERE a IS NOT ?",
  "SELECT q, p, a FROM u WHERE a IS NOT ? ORDER BY q, p /* all */;",
  "SELECT a, k FROM w WHERE b IS NOT ?",
];

const value = fc.constantFrom("0", "1", "2", "'1'", "'x'", "'X'", "NULL", "1.5", "x'31'", "9007199254740993");
const param = fc.constantFrom(0, 1, 2, "1", "x", "X", null, 1.5, 9007199254740993n);
const place = fc.constantFrom("id = 1", "id = 2", "id IN (3, 4)", "a = 1", "b > 1", "c = 'x'", "id = 9");
const key = fc.integer({ min: 1, max: 6 });
const statement = fc.oneof(
  fc.tuple(key, value, value, value).map(([id, ...v]) => `INSERT OR REPLACE INTO t VALUES (${id}, ${v.join()})`),
  fc.tuple(fc.constantFrom("a", "b", "c"), value, place).map(([c, v, w]) => `UPDATE t SET ${c} = ${v} WHERE ${w}`),
  fc.tuple(key, key).map(([a, b]) => `UPDATE OR REPLACE t SET id = ${a} WHERE id = ${b}`),
  place.map((w) => `DELETE FROM t WHERE ${w}`),
  fc.tuple(key, key, value).map((v) => `INSERT OR REPLACE INTO u VALUES (${v.join()})`),
  fc.tuple(key, key).map(([a, b]) => `UPDATE OR REPLACE u SET p = ${a} WHERE q = ${b}`),
  fc
    .tuple(fc.constantFrom("'x'", "'X'", "'y'"), value, value)
    .map((v) => `INSERT OR REPLACE INTO w VALUES (${v.join()})`),
  fc
    .tuple(fc.constantFrom("x", "X", "y"), value)
    .map(([k, v]) => `UPDATE OR REPLACE w SET a = ${v}, k = '${k}' WHERE k = 'X'`),
  fc.tuple(key, value).map(([a, v]) => `UPDATE u SET a = ${v} WHERE p = ${a}`),
);

/** What happened to a table's rows, by comparing them before and after. */
function changes(id: number, keys: number, before: readonly Value[][], after: readonly Value[][]): Partial<Change>[] {
  const name = (r: readonly Value[]): string => r.slice(0, keys).join();
  const now = new Map(after.map((r) => [name(r), r]));
  const old = new Map(before.map((r) => [name(r), r]));
  const found: Partial<Change>[] = [];
  for (const r of before) if (!now.has(name(r))) found.push({ table: id, op: DELETE, key: r.slice(0, keys) });
  for (const r of after) {
    const was = old.get(name(r));
    if (!was) found.push({ table: id, op: INSERT, key: r.slice(0, keys), values: r });
    else {
      const columns = r.flatMap((v, i) => (same(v, was[i]!) ? [] : [i]));
      if (columns.length > 0)
        found.push({ table: id, key: r.slice(0, keys), columns, values: columns.map((i) => r[i]!) });
    }
  }
  return found;
}

test("results stay equal to what the query gives, whatever commits", async () => {
  const numRuns = 60;
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.tuple(fc.constantFrom(...QUERIES), param), { minLength: 3, maxLength: 12 }),
      fc.array(fc.array(statement, { minLength: 1, maxLength: 3 }), { minLength: 1, maxLength: 12 }),
      fc.array(fc.boolean(), { minLength: 12, maxLength: 12 }),
      async (queries, commits, runs) => {
        const w = new World(
          `CREATE TABLE t (id INTEGER PRIMARY KEY, a, b INT, c TEXT COLLATE NOCASE, g AS (a || '')) ;
           CREATE TABLE u (p INT, q INT, a TEXT, PRIMARY KEY (p, q));
           CREATE TABLE w (k TEXT COLLATE NOCASE PRIMARY KEY, a, b) WITHOUT ROWID;
           CREATE VIEW v AS SELECT id, a FROM t WHERE id IN (SELECT min(id) FROM t GROUP BY b)`,
          { ...table(1, "t", ["id", "a", "b", "c"]) },
          table(2, "u", ["p", "q", "a"], 2),
          table(3, "w", ["k", "a", "b"]),
        );
        const t = w.schema.tables[0]!;
        w.schema.tables[0] = { ...t, columns: t.columns.map((c, i) => (i === 3 ? { ...c, collation: "NOCASE" } : c)) };
        const live = w.tab("a");
        const kept: (readonly Row[])[] = [];
        const fail = (err: unknown): void => {
          throw err;
        };
        queries.forEach(([sql, p], i) => {
          // What listeners are told adds up to the result.
          live.watch(
            { sql, params: [p] },
            (rows, diff) => {
              const removed = new Set([...diff.removed, ...diff.changed.map((c) => c.before)]);
              const set = new Set([...(kept[i] ?? []).filter((r) => !removed.has(r))]);
              for (const r of [...diff.added, ...diff.changed.map((c) => c.after)]) set.add(r);
              expect(new Set(rows)).toEqual(set);
              for (const r of rows) expect(set.has(r)).toBe(true);
              kept[i] = rows;
            },
            fail,
          );
        });
        await new Promise((done) => setImmediate(done));
        const read = (name: string): Value[][] => {
          const rows: Value[][] = [];
          w.db.each(`SELECT * FROM ${name}`, (s) => rows.push(s.row()));
          return rows;
        };
        commits.forEach((statements, n) => {
          const before = [read("t").map((r) => r.slice(0, 4)), read("u"), read("w")];
          w.db.script(statements.join(";"));
          const told = [
            ...changes(
              1,
              1,
              before[0]!,
              read("t").map((r) => r.slice(0, 4)),
            ),
            ...changes(2, 2, before[1]!, read("u")),
            ...changes(3, 1, before[2]!, read("w")),
          ];
          const all = told.map((c) => ({ op: 2, columns: [], values: [], ...c }) as Partial<Change>);
          if (runs[n] || n === commits.length - 1) w.commit("", all);
          else w.note(all);
        });
        queries.forEach(([sql, p], i) => {
          expect(kept[i], sql).toEqual(w.rows(sql, [p]));
        });
      },
    ),
    { numRuns },
  );
});
