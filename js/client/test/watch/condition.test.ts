import { expect, test } from "vitest";
import { formOf } from "../../src/watch/condition.ts";

const yes: [string, string][] = [
  ["SELECT * FROM t", ""],
  ["SELECT * FROM t WHERE a = ?", "a0"],
  [
    'select id, b FROM t AS x where x.a = ? AND b > ? AND (c = ? OR d = 1) and "e f" == ? order by b limit 5;',
    "a0 e f3",
  ],
  ["SELECT * FROM [t] WHERE `a` = ? -- AND OR\n AND /* OR */ b IS NOT NULL", "a0"],
  ["SELECT * FROM t WHERE a = ? COLLATE NOCASE", ""],
  ["SELECT * FROM t WHERE NOT a = ?", ""],
  ["SELECT * FROM t WHERE a LIKE ? AND b = ?", "b1"],
  ["SELECT * FROM t WHERE length(a) > ? AND b = ? LIMIT ?", "b1"],
  ["SELECT * FROM t WHERE c = 'and a = ?' AND b = ?", "b0"],
];

const no = [
  "SELECT count(*) FROM t WHERE a = ?",
  "SELECT * FROM t WHERE a = ? OR b = ?",
  "SELECT * FROM t WHERE a = ? LIMIT 5 OFFSET 2",
  "SELECT * FROM t WHERE a = ? LIMIT 2, 5",
  "SELECT * FROM t JOIN u WHERE a = ?",
  "SELECT * FROM t, u WHERE a = ?",
  "SELECT * FROM t, (u) WHERE a = ?",
  "SELECT DISTINCT a FROM t WHERE a = ?",
  "SELECT a FROM t WHERE a = ? GROUP BY a",
  "SELECT a FROM t WHERE a = ? UNION SELECT a FROM t",
  "SELECT a FROM t WHERE a = ? AND b IN (SELECT b FROM u)",
  "SELECT a FROM t WHERE b BETWEEN 1 AND a = ?",
  "SELECT a FROM t WHERE CASE b WHEN 1 THEN 2 AND a = ? AND 3 END",
  "SELECT a FROM t WHERE a = ?1",
  "SELECT a FROM t WHERE a = :a",
  "SELECT a, ? FROM t WHERE a = ?",
  "SELECT a FROM (SELECT * FROM t) WHERE a = ?",
  "WITH x AS (SELECT 1) SELECT a FROM t WHERE a = ?",
  "VALUES (1)",
  "SELECT a FROM json_each('[1]') WHERE a = ?",
];

test.each(yes)("%s", (sql, want) => {
  expect(
    formOf(sql)
      ?.conditions.map((c) => c.column + c.param)
      .join(" "),
  ).toBe(want);
});

test.each(no)("not from %s", (sql) => {
  expect(formOf(sql)).toBe(null);
});
