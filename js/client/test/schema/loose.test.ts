import { expect, test } from "vitest";
import { Database } from "../../src/lite/database.ts";
import { loadSqlite } from "../../src/lite/load.ts";
import { looseDefs, looseSQL } from "../../src/schema/loose.ts";
import { type Table, tableNamed } from "../../src/schema.ts";
import { inspect } from "../inspect.ts";

const sqlite = await loadSqlite();

const parents = `CREATE TABLE p(id INTEGER PRIMARY KEY, v); CREATE TABLE "q r"(k TEXT PRIMARY KEY NOT NULL, v UNIQUE);
  CREATE TABLE pair(x, y, PRIMARY KEY (x, y));`;

/** Children of p and "q r", in many ways that SQLite takes. */
const spellings = [
  "CREATE TABLE c(id INTEGER PRIMARY KEY, a REFERENCES p)",
  "CREATE TABLE c(id INTEGER PRIMARY KEY, a INTEGER NOT NULL REFERENCES p(id) ON DELETE CASCADE ON UPDATE SET NULL, b TEXT)",
  "CREATE TABLE c(id INTEGER PRIMARY KEY, a REFERENCES p(id)ON DELETE SET DEFAULT MATCH FULL ON UPDATE NO ACTION NOT NULL DEFAULT 1)",
  "CREATE TABLE c(id INTEGER PRIMARY KEY, a REFERENCES p NOT NULL DEFERRABLE INITIALLY DEFERRED CHECK (a > 0), b REFERENCES p)",
  "CREATE TABLE c(id INTEGER PRIMARY KEY, a REFERENCES p, b INT DEFERRABLE INITIALLY DEFERRED, d REFERENCES p)",
  'CREATE TABLE c(id INTEGER PRIMARY KEY, a REFERENCES p REFERENCES "q r" (k) ON DELETE CASCADE)',
  `CREATE TABLE c(id INTEGER PRIMARY KEY, a CONSTRAINT x REFERENCES p CONSTRAINT y NOT NULL, b CONSTRAINT 'z z' CONSTRAINT "references" REFERENCES [q r](k))`,
  "CREATE TABLE c(id INTEGER PRIMARY KEY, a -- to REFERENCES p\n  /* ( , */ REFERENCES /* x */ p -- (id), and more\n (id) /* y */ ON /* z */ DELETE -- )\n CASCADE -- end\n, b)",
  'CREATE TABLE c(id INTEGER PRIMARY KEY, a, b, FOREIGN KEY (a) REFERENCES p(id) ON DELETE CASCADE, FOREIGN KEY(b)REFERENCES"q r"(k)DEFERRABLE INITIALLY DEFERRED, CHECK (a <> b))',
  'CREATE TABLE c(id INTEGER PRIMARY KEY, a, b, CONSTRAINT one FOREIGN KEY (a) REFERENCES p CONSTRAINT two FOREIGN KEY (b) REFERENCES p UNIQUE (a, b) FOREIGN KEY (b) REFERENCES "q r"(k))',
  'CREATE TABLE c(a, b REFERENCES p, PRIMARY KEY (a, b), CONSTRAINT "FOREIGN" FOREIGN KEY (a, b) REFERENCES pair) WITHOUT ROWID',
  'CREATE TABLE c("references" INTEGER PRIMARY KEY, "foreign key" TEXT REFERENCES p, [a b] INT CHECK ("references" <> \'REFERENCES p (id)\'), `on` INT DEFAULT (length(\'REFERENCES p\')) REFERENCES p ON DELETE CASCADE) STRICT',
  "CREATE TABLE c(id INTEGER PRIMARY KEY, key REFERENCES p, match REFERENCES p MATCH match, action TEXT REFERENCES p ON UPDATE NO ACTION, no, cascade INT REFERENCES p ON DELETE CASCADE, initially REFERENCES p DEFERRABLE)",
  "CREATE TABLE c(id INTEGER PRIMARY KEY, a VARCHAR(10, 2) COLLATE NOCASE DEFAULT 'it''s, REFERENCES p' REFERENCES p, g AS (a || ') REFERENCES p (') STORED)",
  "CREATE TABLE c(id INTEGER PRIMARY KEY REFERENCES p, up REFERENCES c ON DELETE CASCADE, CONSTRAINT self FOREIGN KEY (id) REFERENCES c (id))",
  "create table c(id integer primary key, a references p on delete set null deferrable initially deferred, foreign key(a)references p not deferrable initially immediate)",
];

/** What SQLite knows of c: its foreign keys in the order of the definition, and the rest. */
function known(sql: string): { table: Table; keys: string[]; rest: string } {
  const db = Database.open(sqlite, ":memory:");
  try {
    db.script(parents + sql);
    const keys: string[] = [];
    let last = -1;
    const list = `SELECT id, json_array(seq, "table", "from", "to", on_update, on_delete, "match")
      FROM pragma_foreign_key_list('c') ORDER BY id DESC, seq`;
    db.each(list, (s) => {
      if (s.int(0) === last) keys[keys.length - 1] += s.text(1);
      else keys.push(s.text(1));
      last = s.int(0);
    });
    const lines: string[] = [];
    for (const q of ["pragma_table_xinfo('c')", "pragma_index_list('c')"]) {
      db.each(`SELECT * FROM ${q}`, (s) => lines.push(s.row().join()));
    }
    return { table: tableNamed(inspect(db, new Map()), "c")!, keys, rest: lines.join("\n") };
  } finally {
    db.close();
  }
}

test("what is left without loose keys is what SQLite knew but for them", () => {
  let tried = 0;
  for (const sql of spellings) {
    const all = known(sql);
    expect(all.keys.length, sql).toBe(all.table.foreignKeys.length);
    for (let choice = 0; choice < 1 << all.keys.length; choice++) {
      const loose = (i: number): boolean => ((choice >> i) & 1) === 1;
      const foreignKeys = all.table.foreignKeys.map((fk, i) => ({ ...fk, loose: loose(i) }));
      const text = looseSQL({ ...all.table, foreignKeys });
      const now = known(text);
      expect(now.keys, text).toEqual(all.keys.filter((_, i) => !loose(i)));
      expect(now.rest, text).toBe(all.rest);
      if (choice === 0) expect(text).toBe(all.table.sql);
      tried++;
    }
  }
  expect(tried).toBeGreaterThan(60);
});

test("a definition that is not understood is refused, and added columns lose their keys", () => {
  const { table } = known("CREATE TABLE c(id INTEGER PRIMARY KEY, a REFERENCES p, b REFERENCES p REFERENCES p (id))");
  const foreignKeys = table.foreignKeys.map((fk, i) => ({ ...fk, loose: i === 1 }));
  expect(() => looseSQL({ ...table, foreignKeys: foreignKeys.slice(1) })).toThrow("foreign keys");
  expect(looseDefs({ ...table, foreignKeys }, ["a REFERENCES p", "b REFERENCES p REFERENCES p (id)", "x INT"])).toEqual(
    ["a REFERENCES p", "b REFERENCES p (id)", "x INT"],
  );
});
