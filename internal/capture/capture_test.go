package capture

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/lite"
	"github.com/tidemarkdb/tidemark/internal/schema"
)

func openWith(t testing.TB, sql string) (*lite.DB, *tidemark.Schema) {
	t.Helper()
	db, err := lite.Open(t.TempDir()+"/x.db", lite.Options{Create: true})
	must(t, err)
	t.Cleanup(func() { _ = db.Close() })
	must(t, db.Script("PRAGMA synchronous = OFF;"+sql))
	return db, inspected(t, db, nil)
}

func inspected(t testing.TB, db *lite.DB, ids map[string]int) *tidemark.Schema {
	t.Helper()
	s, _, err := schema.Inspect(db, ids)
	must(t, err)
	return s
}

// told writes what a segment says, one row a line.
func told(rows []RowChange) string {
	var lines []string
	for _, r := range rows {
		lines = append(lines, fmt.Sprintf("%s %v -> %v", r.Table.Name, r.Before, r.After))
	}
	return strings.Join(lines, "\n")
}

func netted(t testing.TB, db *lite.DB, s *tidemark.Schema) string {
	t.Helper()
	rows, err := Net(db, Main, s, 0)
	must(t, err)
	return told(rows)
}

func TestSwapOfTwoKeysIsTwoMoves(t *testing.T) {
	db, s := openWith(t, "CREATE TABLE a(id INTEGER PRIMARY KEY, v); INSERT INTO a VALUES(1, 'x'), (2, 'y')")
	must(t, Install(db, Main, s, false))
	must(t, db.Script("BEGIN; UPDATE a SET id = 99 WHERE id = 1; UPDATE a SET id = 1 WHERE id = 2; UPDATE a SET id = 2 WHERE id = 99; COMMIT"))
	want := "a [2 'y'] -> [1 'y']\na [1 'x'] -> [2 'x']"
	if got := netted(t, db, s); got != want {
		t.Fatalf("got\n%s\nwant\n%s", got, want)
	}
	rows, err := Net(db, Main, s, 0)
	must(t, err)
	got := Changes(rows)[0]
	move := tidemark.Change{
		Table: 1, Op: tidemark.Update, Key: []tidemark.Value{tidemark.Int(2)},
		Cols: []int{0}, New: []tidemark.Value{tidemark.Int(1)}, Old: []tidemark.Value{tidemark.Int(2)},
	}
	if !reflect.DeepEqual(got, move) {
		t.Fatalf("got %+v", got)
	}
}

func TestChangesOfEachKind(t *testing.T) {
	db, s := openWith(t, "CREATE TABLE a(x, k TEXT PRIMARY KEY NOT NULL, y); INSERT INTO a VALUES(1, 'gone', 2), (3, 'here', 4)")
	must(t, Install(db, Main, s, false))
	must(t, db.Script("DELETE FROM a WHERE k = 'gone'; UPDATE a SET y = NULL, x = x; INSERT INTO a VALUES(x'00', 'new', 1.5)"))
	rows, err := Net(db, Main, s, 0)
	must(t, err)
	text := tidemark.Text
	want := []tidemark.Change{
		{Table: 1, Op: tidemark.Delete, Key: []tidemark.Value{text("gone")}, Old: []tidemark.Value{tidemark.Int(1), text("gone"), tidemark.Int(2)}},
		{Table: 1, Op: tidemark.Update, Key: []tidemark.Value{text("here")}, Cols: []int{2}, New: []tidemark.Value{tidemark.Null}, Old: []tidemark.Value{tidemark.Int(4)}},
		{Table: 1, Op: tidemark.Insert, Key: []tidemark.Value{text("new")}, New: []tidemark.Value{tidemark.BlobString("\x00"), text("new"), tidemark.Real(1.5)}},
	}
	if got := Changes(rows); !reflect.DeepEqual(got, want) {
		t.Fatalf("got %+v", got)
	}
}

func TestInstallIsIdempotent(t *testing.T) {
	for kind, sql := range kindsOfTables {
		db, s := openWith(t, sql)
		must(t, Install(db, Main, s, false))
		before, err := db.Int("PRAGMA schema_version")
		must(t, err)
		must(t, Install(db, Main, inspected(t, db, nil), false))
		after, err := db.Int("PRAGMA schema_version")
		must(t, err)
		if before != after {
			t.Errorf("%s: the second Install changed the file", kind)
		}
	}
}

func TestRemoveLeavesNoTrigger(t *testing.T) {
	db, s := openWith(t, kindsOfTables["stamps"])
	dump := func() []string {
		var out []string
		must(t, db.Each("SELECT sql FROM sqlite_master WHERE name NOT LIKE '\\_tm\\_table' ESCAPE '\\'", func(s *lite.Stmt) error {
			out = append(out, s.Text(0))
			return nil
		}))
		return out
	}
	before := dump()
	for _, readOnly := range []bool{false, true} {
		must(t, Install(db, Main, s, readOnly))
		must(t, Remove(db, Main))
		if after := dump(); !slices.Equal(before, after) {
			t.Fatalf("readOnly %v: %v is left", readOnly, after)
		}
	}
	ids, err := IDs(db)
	must(t, err)
	if !reflect.DeepEqual(ids, map[string]int{"a": 1, "b": 2}) {
		t.Fatalf("numbers %v", ids)
	}
}

func TestReadOnlyCopyRefusesWrites(t *testing.T) {
	db, s := openWith(t, "CREATE TABLE a(id INTEGER PRIMARY KEY, v); INSERT INTO a VALUES(1, 2)")
	must(t, Install(db, Main, s, true))
	for _, sql := range []string{"INSERT INTO a VALUES(2, 2)", "UPDATE a SET v = 3", "DELETE FROM a", "INSERT OR REPLACE INTO a VALUES(1, 3)"} {
		err := db.Run(sql)
		if v := lite.Violation(err); v == nil || v.Code != tidemark.CodeRaised || !strings.Contains(v.Msg, "read-only") {
			t.Errorf("%s: %v", sql, err)
		}
	}
	must(t, Install(db, Main, s, false))
	must(t, db.Run("UPDATE a SET v = 3"))
	if got := netted(t, db, s); got != "a [1 2] -> [1 3]" {
		t.Fatal(got)
	}
}

func TestLogNeverStartsAgain(t *testing.T) {
	db, s := openWith(t, "CREATE TABLE a(id INTEGER PRIMARY KEY, v)")
	must(t, Install(db, Main, s, false))
	must(t, Clear(db, Main))
	must(t, db.Run("INSERT INTO a VALUES(1, 1), (2, 2)"))
	last, err := Last(db, Main)
	must(t, err)
	must(t, Clear(db, Main))
	must(t, Clear(db, Main))
	if n, err := Last(db, Main); n != 0 || err != nil {
		t.Fatalf("a cleared log ends at %d, %v", n, err)
	}
	if n, err := Begin(db); n != last+1 || err != nil {
		t.Fatalf("after %d comes %d, %v", last, n, err)
	}
	if segs, err := Segments(db, Main, s); len(segs) != 0 || err != nil {
		t.Fatalf("a cleared log tells %v, %v", segs, err)
	}
	must(t, db.Run("UPDATE a SET v = 5 WHERE id = 2"))
	if ids, err := Touched(db, Main, 0); !slices.Equal(ids, []int{1}) || err != nil {
		t.Fatalf("touched %v, %v", ids, err)
	}
	if got := netted(t, db, s); got != "a [2 2] -> [2 5]" {
		t.Fatal(got)
	}
}

func TestMarkOfNothing(t *testing.T) {
	db, s := openWith(t, "CREATE TABLE a(id INTEGER PRIMARY KEY, v)")
	must(t, Install(db, Main, s, false))
	must(t, db.Run("INSERT INTO a VALUES(1, 1)"))
	first, err := Begin(db)
	must(t, err)
	recorded, err := End(db, Mark{First: first})
	if recorded || err != nil {
		t.Fatalf("recorded %v, %v", recorded, err)
	}
}

// TestWritesOfOthers sorts out what other programs wrote before, between and
// after own transactions.
func TestWritesOfOthers(t *testing.T) {
	db, s := openWith(t, "CREATE TABLE a(id INTEGER PRIMARY KEY, v)")
	must(t, Install(db, Main, s, false))
	own := func(salt byte, sql string) {
		must(t, db.Transaction(func() error {
			first, err := Begin(db)
			must(t, err)
			must(t, db.Run(sql))
			_, err = End(db, Mark{First: first, Salt: tidemark.Salt{salt}, MadeAt: 42, Seen: 7})
			return err
		}))
	}
	must(t, db.Run("INSERT INTO a VALUES(1, 'f')"))
	must(t, db.Run("INSERT INTO a VALUES(2, 'f')"))
	own(1, "UPDATE a SET v = 'o1' WHERE id = 1")
	own(2, "UPDATE a SET v = 'o2' WHERE id = 1")
	must(t, db.Run("UPDATE a SET v = 'f' WHERE id = 1"))
	own(3, "DELETE FROM a")
	must(t, db.Run("INSERT INTO a VALUES(9, 'f')"))
	segs, err := Segments(db, Main, s)
	must(t, err)
	var got []string
	for _, seg := range segs {
		who := "others"
		if seg.Mark != nil {
			who = fmt.Sprintf("own %d at %d seen %d", seg.Mark.Salt[0], seg.Mark.MadeAt, seg.Mark.Seen)
		}
		got = append(got, who+"\n"+told(seg.Rows))
	}
	want := []string{
		"others\na [] -> [1 'f']\na [] -> [2 'f']",
		"own 1 at 42 seen 7\na [1 'f'] -> [1 'o1']",
		"own 2 at 42 seen 7\na [1 'o1'] -> [1 'o2']",
		"others\na [1 'o2'] -> [1 'f']",
		"own 3 at 42 seen 7\na [1 'f'] -> []\na [2 'f'] -> []",
		"others\na [] -> [9 'f']",
	}
	if !slices.Equal(got, want) {
		t.Fatalf("got\n%s", strings.Join(got, "\n"))
	}
}

// TestYoungerTriggersOfTheApp makes Install move its trigger in front again.
func TestYoungerTriggersOfTheApp(t *testing.T) {
	db, s := openWith(t, "CREATE TABLE q(id INTEGER PRIMARY KEY, v)")
	must(t, Install(db, Main, s, false))
	must(t, db.Script("CREATE TRIGGER gone AFTER INSERT ON q BEGIN DELETE FROM q WHERE id = NEW.id; END"))
	must(t, Install(db, Main, inspected(t, db, nil), false))
	must(t, db.Run("INSERT INTO q VALUES(1, 2)"))
	if got := netted(t, db, s); got != "" {
		t.Fatal(got)
	}
}

// TestColumnsThatTheTriggersDoNotKnow writes to a column that another program
// added since capture was made.
func TestColumnsThatTheTriggersDoNotKnow(t *testing.T) {
	db, s := openWith(t, "CREATE TABLE a(id INTEGER PRIMARY KEY, v); INSERT INTO a VALUES(1, 1), (2, 2), (3, 3)")
	must(t, Install(db, Main, s, false))
	must(t, db.Run("DELETE FROM a WHERE id = 3"))
	must(t, db.Script("ALTER TABLE a ADD COLUMN w REAL DEFAULT 7"))
	must(t, db.Script("UPDATE a SET v = 5, w = 8 WHERE id = 1; UPDATE a SET w = 9 WHERE id = 2; INSERT INTO a VALUES(4, 4, 4)"))
	s = inspected(t, db, map[string]int{"a": 1})
	want := "a [3 3 7.0] -> []\na [1 1 8.0] -> [1 5 8.0]\na [] -> [4 4 4.0]"
	if got := netted(t, db, s); got != want {
		t.Fatalf("got\n%s", got)
	}
	must(t, Clear(db, Main))
	must(t, Install(db, Main, s, false))
	must(t, db.Run("UPDATE a SET w = 1 WHERE id = 2"))
	if got := netted(t, db, s); got != "a [2 2 9.0] -> [2 2 1.0]" {
		t.Fatal(got)
	}
}

// TestTempCapture is the server's way: stored triggers off, capture in this
// connection only.
func TestTempCapture(t *testing.T) {
	for kind, sql := range kindsOfTables {
		if strings.Contains(sql, "TRIGGER") {
			continue
		}
		r := newRecorder(t, sql, 5)
		must(t, Remove(r.db, Main))
		must(t, r.db.SetTriggers(false))
		must(t, Install(r.db, Temp, r.s, false))
		must(t, Install(r.db, Temp, r.s, false))
		for range 60 {
			before := takeCopy(t, r.db, r.s)
			st := r.w.next()[0]
			st.sql = strings.NewReplacer(" OR REPLACE", " OR ABORT", " OR IGNORE", " OR ABORT").Replace(st.sql)
			if strings.Contains(kind, "conflict") && !strings.Contains(st.sql, " OR ") {
				continue // the engine always says OR ABORT
			}
			_ = r.db.Run(st.sql, st.args...)
			r.note("%s: %s %v", kind, st.sql, st.args)
			rows, err := Net(r.db, Temp, r.s, 0)
			must(t, err)
			if !r.replay(before, rows).equal(takeCopy(t, r.db, r.s)) {
				r.fail("the log tells something else", rows)
			}
			must(t, Clear(r.db, Temp))
		}
		if n, err := r.db.Int("SELECT count(*) FROM main.sqlite_master WHERE name LIKE '\\_tm\\_%' ESCAPE '\\' AND name <> '_tm_table'"); n != 0 || err != nil {
			t.Fatalf("%s: %d objects in the file, %v", kind, n, err)
		}
		must(t, Remove(r.db, Temp))
	}
}

// TestAppSeesNoDifference compares what SQLite tells an app about its statements.
func TestAppSeesNoDifference(t *testing.T) {
	ask := func(captured bool) (answers []string) {
		db, s := openWith(t, "CREATE TABLE a(id INTEGER PRIMARY KEY, v UNIQUE)")
		if captured {
			must(t, Install(db, Main, s, false))
		}
		for _, sql := range []string{
			"INSERT INTO a(v) VALUES(1), (2), (3)", "UPDATE a SET v = v + 10", "UPDATE a SET id = id + 5 WHERE id > 1",
			"INSERT OR REPLACE INTO a VALUES(1, 13)", "INSERT INTO a(v) VALUES(13) ON CONFLICT DO UPDATE SET v = 14", "DELETE FROM a WHERE id = 1",
		} {
			must(t, db.Run(sql))
			answers = append(answers, fmt.Sprint(db.Conn().Changes(), db.Conn().LastInsertRowID()))
		}
		return answers
	}
	if plain, captured := ask(false), ask(true); !slices.Equal(plain, captured) {
		t.Fatalf("without capture %v, with %v", plain, captured)
	}
}

// TestRecursiveTriggers: a program that switches them on makes REPLACE fire
// delete triggers, too.
func TestRecursiveTriggers(t *testing.T) {
	db, s := openWith(t, "CREATE TABLE a(id INTEGER PRIMARY KEY, u UNIQUE, v); INSERT INTO a VALUES(1, 'a', 1), (2, 'b', 2)")
	must(t, Install(db, Main, s, false))
	must(t, db.Script("PRAGMA recursive_triggers = ON; INSERT OR REPLACE INTO a VALUES(1, 'b', 3)"))
	if got := netted(t, db, s); got != "a [1 'a' 1] -> [1 'b' 3]\na [2 'b' 2] -> []" {
		t.Fatal(got)
	}
}

// TestAlterAfterInstall: capture must not stand in the way of what an app
// does to its tables.
func TestAlterAfterInstall(t *testing.T) {
	for kind, sql := range kindsOfTables {
		if testing.Short() && strings.HasPrefix(kind, "wide") {
			continue
		}
		if strings.Contains(sql, "INSTEAD OF") {
			continue // SQLite itself cannot rename a column that such a trigger names
		}
		db, s := openWith(t, sql)
		must(t, Install(db, Main, s, false))
		for i, table := range s.Tables {
			q := lite.Quote(table.Name)
			for _, ddl := range []string{
				"ALTER TABLE " + q + " ADD COLUMN more INT DEFAULT 3",
				fmt.Sprintf("CREATE INDEX app%d ON %s(more)", i, q),
				"ALTER TABLE " + q + " RENAME COLUMN " + lite.Quote(table.Columns[len(table.Columns)-1].Name) + ` TO "re ""named"`,
				"ALTER TABLE " + q + " RENAME TO " + lite.Quote(table.Name+" two"),
				"VACUUM", "REINDEX", "ANALYZE",
			} {
				if err := db.Script(ddl); err != nil {
					t.Errorf("%s: %s: %v", kind, ddl, err)
				}
			}
		}
	}
}

// TestDamagedLog reads logs that something else wrote into.
func TestDamagedLog(t *testing.T) {
	db, s := openWith(t, kindsOfTables["wide keys"])
	must(t, Install(db, Main, s, false))
	must(t, db.Run("INSERT INTO a VALUES(1, 2, 3, 4, 5, 6, 7)"))
	for _, sql := range []string{
		"INSERT INTO _tm_log(t, op) VALUES(1, 2000)", "INSERT INTO _tm_log(t, op) VALUES('x', 'y')", "INSERT INTO _tm_log(t, op, m) VALUES(1, 4, -1)",
		"INSERT INTO _tm_log(t, op, v0) VALUES(2, 9, -5)", "INSERT INTO _tm_log(t, op) VALUES(2, 1)", "INSERT INTO _tm_log(t, op) VALUES(1, -7)",
		"INSERT INTO _tm_log(t, op, m) VALUES(1, 1602, 'a')", "INSERT INTO _tm_log DEFAULT VALUES",
	} {
		must(t, db.Run(sql))
		if _, err := Segments(db, Main, s); err != nil && tidemark.CodeOf(err) != tidemark.CodeCorrupt {
			t.Errorf("%s: %v", sql, err)
		}
	}
}

// TestManyColumns captures tables as wide as SQLite makes them.
func TestManyColumns(t *testing.T) {
	for _, n := range []int{500, 1990} {
		if testing.Short() && n > 500 {
			continue
		}
		db, s := openWith(t, "CREATE TABLE a("+manyColumns(n)+"); CREATE UNIQUE INDEX i ON a(lower(c1), c2) WHERE c3 > 0;")
		must(t, Install(db, Main, s, false))
		must(t, db.Script("INSERT INTO a(c0, c1, c2, c3, c499) VALUES(1, 'A', 2, 3, 4), (2, 'B', 2, 3, 4)"))
		must(t, Clear(db, Main))
		before := takeCopy(t, db, s)
		must(t, db.Script("UPDATE a SET c499 = 5, c7 = 1 WHERE c0 = 1; UPDATE OR REPLACE a SET c1 = 'b' WHERE c0 = 1; UPDATE a SET c0 = 3"))
		rows, err := Net(db, Main, s, 0)
		must(t, err)
		r := &recorder{t: t, db: db, s: s}
		if !r.replay(before, rows).equal(takeCopy(t, db, s)) || len(rows) != 2 {
			t.Fatalf("%d columns: %d rows", n, len(rows))
		}
	}
}
