package capture

import (
	"testing"
	"time"

	"github.com/tidemarkdb/tidemark"
)

// TestEditsKeepTheirTime: only tables with a column that wants it pay for the
// time, and a log that was begun before is read all the same.
func TestEditsKeepTheirTime(t *testing.T) {
	db, s := openWith(t, `CREATE TABLE a(id INTEGER PRIMARY KEY, b, c, d, e, f, g, h, i, j, k, l, m, n);
		CREATE TABLE plain(id INTEGER PRIMARY KEY, v);
		INSERT INTO a (id, b) VALUES (1, 'x'), (2, 'y'), (3, 'z')`)
	must(t, Install(db, Main, s, false))
	must(t, db.Script("UPDATE a SET b = 'old', n = 'old' WHERE id = 1"))
	s.Named("a").Columns[1].Policy = tidemark.PolicyLatestEdit
	must(t, Install(db, Main, s, false))
	before := time.Now().UnixMilli()
	must(t, db.Script(`UPDATE a SET c = 1, n = 2 WHERE id = 2; UPDATE a SET id = 30, b = 'moved' WHERE id = 3;
		INSERT INTO a (id, b) VALUES (4, 'new'); INSERT INTO plain VALUES (1, 1); DELETE FROM a WHERE id = 1`))
	after := time.Now().UnixMilli()
	rows, err := Net(db, Main, s, 0)
	must(t, err)
	want := "a [1 'x' NULL NULL NULL NULL NULL NULL NULL NULL NULL NULL NULL NULL] -> []\n" +
		"a [2 'y' NULL NULL NULL NULL NULL NULL NULL NULL NULL NULL NULL NULL] -> [2 'y' 1 NULL NULL NULL NULL NULL NULL NULL NULL NULL NULL 2]\n" +
		"a [3 'z' NULL NULL NULL NULL NULL NULL NULL NULL NULL NULL NULL NULL] -> [30 'moved' NULL NULL NULL NULL NULL NULL NULL NULL NULL NULL NULL NULL]\n" +
		"a [] -> [4 'new' NULL NULL NULL NULL NULL NULL NULL NULL NULL NULL NULL NULL]\nplain [] -> [1 1]"
	if got := told(rows); got != want {
		t.Fatalf("got\n%s\nwant\n%s", got, want)
	}
	for _, c := range Changes(rows) {
		timed := c.Table == s.Named("a").ID && c.Op != tidemark.Delete
		if timed != (c.MadeAt != 0) || timed && (c.MadeAt < before-1 || c.MadeAt > after+1) {
			t.Errorf("%s of %v was made at %d, not between %d and %d", c.Op, c.Key, c.MadeAt, before, after)
		}
	}
}

// TestNewestEditCounts: of several edits of a row in a segment the last one's time is kept.
func TestNewestEditCounts(t *testing.T) {
	db, s := openWith(t, "CREATE TABLE a(id INTEGER PRIMARY KEY, b); INSERT INTO a VALUES (1, 'x')")
	s.Named("a").Columns[1].Policy = tidemark.PolicyLatestEdit
	must(t, Install(db, Main, s, false))
	must(t, db.Script("UPDATE a SET b = 1; UPDATE a SET b = 2"))
	must(t, db.Script("UPDATE _tm_log SET m = (m & 65535) + 65536 * 1000 * n"))
	rows, err := Net(db, Main, s, 0)
	must(t, err)
	if len(rows) != 1 || rows[0].EditedAt != 2000 {
		t.Fatalf("%+v", rows)
	}
}

// TestOtherColumnsKeepTheTime: an edit of a column that does not go by the time makes an earlier one no newer.
func TestOtherColumnsKeepTheTime(t *testing.T) {
	db, s := openWith(t, "CREATE TABLE a(id INTEGER PRIMARY KEY, b, c); INSERT INTO a VALUES (1, 'x', 'y'), (2, 'x', 'y')")
	s.Named("a").Columns[1].Policy = tidemark.PolicyLatestEdit
	must(t, Install(db, Main, s, false))
	must(t, db.Script("UPDATE a SET b = 1 WHERE id = 1; UPDATE a SET c = 2"))
	must(t, db.Script("UPDATE _tm_log SET m = (m & 65535) + 65536 * 1000 * n"))
	rows, err := Net(db, Main, s, 0)
	must(t, err)
	if len(rows) != 2 || rows[0].EditedAt != 1000 || rows[1].EditedAt != 3000 {
		t.Fatalf("%+v", rows)
	}
}
