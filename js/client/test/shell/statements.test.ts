import { expect, test } from "vitest";
import { codeOf, newCopy, statement } from "./fixture.ts";

const DDL = "CREATE TABLE t (id INTEGER PRIMARY KEY, a TEXT, n INTEGER CHECK (n < 100), r REAL, b BLOB)";

test("values go in and come out as an app thinks of them", () => {
  const { copy } = newCopy(DDL);
  const { statements } = copy;
  copy.write({ tab: "x", id: 1, again: false }, () =>
    statements.exec(statement("INSERT INTO t VALUES (?, ?, ?, ?, ?)", 1, "ä😀", true, 1.5, Uint8Array.of(0, 255))),
  );
  const big = 2n ** 60n;
  copy.write({ tab: "x", id: 2, again: false }, () =>
    statements.exec(statement("INSERT INTO t (id, n, r) VALUES (?, ?, ?)", big, -7, 2)),
  );
  const { columns, rows } = statements.query(
    statement("SELECT id, a, n, r, b, typeof(n), typeof(r) FROM t ORDER BY id"),
  );
  expect(columns).toEqual(["id", "a", "n", "r", "b", "typeof(n)", "typeof(r)"]);
  expect(rows).toEqual([
    [1, "ä😀", 1, 1.5, Uint8Array.of(0, 255), "integer", "real"],
    [big, null, -7, 2, null, "integer", "real"],
  ]);
  expect(statements.query({ ...statement("SELECT n FROM t WHERE id = 1"), bigint: true }).rows).toEqual([[1n]]);
  expect(statements.query(statement("SELECT CAST(x'ff' AS TEXT)")).rows).toEqual([[Uint8Array.of(255)]]);
});

test("what is not the app's to do is refused, and nothing happens", () => {
  const { copy } = newCopy(DDL);
  const { statements } = copy;
  const refused = (sql: string): string =>
    codeOf(() =>
      statements.within(Number.POSITIVE_INFINITY, () =>
        copy.write({ tab: "x", id: 1, again: false }, () => statements.exec(statement(sql))),
      ),
    );
  for (const sql of [
    "COMMIT",
    "SAVEPOINT a",
    "ATTACH ':memory:' AS other",
    "PRAGMA foreign_keys = OFF",
    "PRAGMA wal_checkpoint",
    "DELETE FROM _tm_log",
    "CREATE TEMP TRIGGER x AFTER INSERT ON t BEGIN SELECT 1; END",
    "SELEKT 1",
    "SELECT 1; SELECT 2",
    "INSERT INTO t (id) VALUES (?)",
  ])
    expect([sql, refused(sql)]).toEqual([sql, "usage"]);
  expect(refused("INSERT INTO t (n) VALUES (100)")).toBe("check");
  expect(refused("INSERT OR ROLLBACK INTO t (n) VALUES (100)")).toBe("check");
  expect(copy.db.inTransaction).toBe(false);
  expect(codeOf(() => statements.query(statement("DELETE FROM t")))).toBe("usage");
  expect(statements.query(statement("SELECT name FROM pragma_table_info('t')")).rows).toHaveLength(5);
});

test("a statement ends when its time is over", () => {
  const { copy } = newCopy(DDL);
  const endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n";
  const { statements } = copy;
  expect(codeOf(() => statements.within(performance.now() + 5, () => statements.query(statement(endless))))).toBe(
    "busy",
  );
  expect(statements.query(statement("SELECT 1")).rows).toEqual([[1]]);
});

test("a write that was committed is answered, not done again", () => {
  const { copy, touched } = newCopy(DDL);
  const insert = () => copy.statements.exec(statement("INSERT INTO t (a) VALUES (?) RETURNING id, a", "once"));
  const first = copy.write({ tab: "tab", id: 7, again: false }, insert);
  expect(first).toMatchObject({ changes: 1, columns: ["id", "a"], rows: [[1, "once"]] });
  expect(copy.done({ tab: "tab", id: 7, again: true })?.answer).toEqual(first);
  expect(copy.done({ tab: "tab", id: 7, again: false })).toBeNull();
  expect(copy.done({ tab: "tab", id: 8, again: true })).toBeNull();
  expect(copy.done({ tab: "other", id: 7, again: true })).toBeNull();
  expect(touched).toHaveLength(1);
  expect([...touched[0]!.keys()]).toEqual(["t"]);
  // A failed one leaves no answer.
  expect(
    codeOf(() =>
      copy.write({ tab: "tab", id: 9, again: false }, () =>
        copy.statements.exec(statement("INSERT INTO t (n) VALUES (100)")),
      ),
    ),
  ).not.toBe("");
  expect(copy.done({ tab: "tab", id: 9, again: true })).toBeNull();
});
