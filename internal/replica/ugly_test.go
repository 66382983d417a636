package replica

import (
	"fmt"
	"strconv"
	"testing"
)

const ugly = `
CREATE TABLE "select from" ("a ""b" TEXT COLLATE NOCASE NOT NULL, "c.d" BLOB NOT NULL, [e[f] DEFAULT 'x', "ünï" REAL UNIQUE,
  PRIMARY KEY ("c.d", "a ""b"));
CREATE TABLE 'it''s' (k BLOB NOT NULL PRIMARY KEY, g AS (length(k)) VIRTUAL, v INTEGER, s TEXT GENERATED ALWAYS AS (v || 'x') STORED) WITHOUT ROWID;
CREATE TABLE tight (id INTEGER PRIMARY KEY AUTOINCREMENT, r REAL CHECK (r IS NULL OR r < 100), t TEXT NOT NULL DEFAULT 'd', b BLOB) STRICT;
CREATE TABLE padded (k TEXT COLLATE RTRIM NOT NULL PRIMARY KEY ON CONFLICT REPLACE, v UNIQUE ON CONFLICT REPLACE);
CREATE TABLE loose (k NOT NULL PRIMARY KEY, "group" TEXT);
`

func uglyKeeping(w *world) string {
	or := w.pick("", "", "OR REPLACE ", "OR IGNORE ", "OR ABORT ")
	word := func() string { return w.pick("'a'", "'A'", "'b'", "'a '", "'é'", "'a' || char(0) || 'b'") }
	blob := func() string { return w.pick("x''", "x'00'", "x'0001'", "x'ff'") }
	num := func() string {
		return w.pick("NULL", "9223372036854775807", "-0.0", "1e308 * 10", "0.1", "3", strconv.Itoa(w.n(4)))
	}
	id := 1 + w.n(6)
	switch w.n(14) {
	case 0, 1:
		return fmt.Sprintf(`INSERT %sINTO "select from" VALUES (%s, %s, %s, %s)`, or, word(), blob(), num(), num())
	case 2:
		return fmt.Sprintf(`UPDATE %s"select from" SET "ünï" = %s, [e[f] = %s WHERE "c.d" = %s`, or, num(), word(), blob())
	case 3:
		return fmt.Sprintf(`UPDATE %s"select from" SET "a ""b" = %s WHERE "a ""b" = %s`, or, word(), word())
	case 4:
		return fmt.Sprintf(`DELETE FROM "select from" WHERE "a ""b" = %s`, word())
	case 5, 6:
		return fmt.Sprintf("INSERT %sINTO 'it''s' (k, v) VALUES (%s, %d)", or, blob(), id)
	case 7:
		return fmt.Sprintf("UPDATE %s'it''s' SET v = %d, k = %s WHERE k = %s", or, id, blob(), blob())
	case 8:
		return fmt.Sprintf("INSERT %sINTO tight (id, r, t, b) VALUES (%d, %s, %s, %s)", or, id, num(), word(), blob())
	case 9:
		return fmt.Sprintf("UPDATE tight SET r = %s WHERE id = %d", num(), id)
	case 10:
		return fmt.Sprintf("DELETE FROM tight WHERE id = %d", id)
	case 11:
		return fmt.Sprintf("INSERT INTO padded VALUES (%s, %s)", word(), num())
	case 12:
		return fmt.Sprintf("INSERT %sINTO loose VALUES (%s, %s)", or, w.pick(word(), blob(), "1", "1.0", "2.5"), word())
	}
	return fmt.Sprintf("UPDATE %sloose SET \"group\" = %s WHERE k = %s", or, word(), w.pick(word(), blob(), "1", "2.5"))
}

func TestModelOfUglyTables(t *testing.T) { runModel(t, ugly, uglyKeeping, false) }
