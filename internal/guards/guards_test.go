package guards

import (
	"strings"
	"testing"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/capture"
	"github.com/tidemarkdb/tidemark/internal/lite"
	"github.com/tidemarkdb/tidemark/internal/schema"
)

// desk is a copy with guards, as far as they see one.
type desk struct {
	*testing.T
	db     *lite.DB
	schema *tidemark.Schema
}

// newDesk makes a database under rules. Its owner is ann.
func newDesk(t *testing.T, sql string, r tidemark.Rules, tune ...func(*tidemark.Schema)) *desk {
	t.Helper()
	db, err := lite.Open(":memory:", lite.Options{Create: true})
	must(t, err)
	t.Cleanup(func() { _ = db.Close() })
	must(t, db.Script("PRAGMA foreign_keys = ON;"+sql))
	s, _, err := schema.Inspect(db, nil)
	must(t, err)
	for _, f := range tune {
		f(s)
	}
	s.Guards, err = Of(s, &r)
	must(t, err)
	must(t, db.Script(`CREATE TABLE _tm_meta (k TEXT PRIMARY KEY, v) WITHOUT ROWID; INSERT INTO _tm_meta VALUES ('principal', 'ann');
		CREATE TABLE _tm_pending_row (t, key, n)`))
	d := &desk{t, db, s}
	d.install()
	return d
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func (d *desk) install() {
	d.Helper()
	must(d, capture.Install(d.db, capture.Main, d.schema, false))
}

// seal forgets what was captured, as when it was sealed and the server took it.
func (d *desk) seal() { must(d, capture.Clear(d.db, capture.Main)) }

// takes runs SQL that must pass, as one transaction of many statements, and seals.
func (d *desk) takes(sql string) {
	d.Helper()
	if err := d.db.Transaction(func() error { return d.db.Script(sql) }); err != nil {
		d.Errorf("%s: %v", sql, err)
	}
	d.seal()
}

// refuses runs SQL that a guard must refuse, and says with what.
func (d *desk) refuses(sql, message string) *tidemark.Error {
	d.Helper()
	err := d.db.Transaction(func() error { return d.db.Script(sql) })
	v := lite.Violation(err)
	if v == nil || v.Code != tidemark.CodeForbidden || !strings.Contains(v.Msg, message) {
		d.Errorf("%s: %v, want it refused with %q", sql, err, message)
		v = &tidemark.Error{}
	}
	return v
}

// one gives a table the same condition for everything.
func one(table, condition string, immutable ...string) tidemark.Rules {
	return tidemark.Rules{Public: true, Tables: []tidemark.TableRules{
		{Table: table, Insert: condition, Update: condition, Delete: condition, Immutable: immutable},
	}}
}

const note = "CREATE TABLE note (id TEXT PRIMARY KEY NOT NULL, author TEXT, n INTEGER, price REAL, any); INSERT INTO note VALUES ('a', 'ann', 1, 1.5, 'x'), ('b', 'bob', 2, 2.5, 7);"

func TestNobody(t *testing.T) {
	d := newDesk(t, note+"CREATE TABLE other (id INTEGER PRIMARY KEY);", tidemark.Rules{Public: true, Tables: []tidemark.TableRules{{Table: "note"}}})
	d.refuses("INSERT INTO note (id) VALUES ('c')", "the rules allow nobody to insert rows of note")
	d.refuses("UPDATE note SET n = 9 WHERE id = 'a'", "the rules allow nobody to update rows of note")
	d.refuses("DELETE FROM note", "the rules allow nobody to delete rows of note")
	d.refuses("INSERT INTO note (id) VALUES ('a') ON CONFLICT DO UPDATE SET n = 8", "update rows")
	d.refuses("REPLACE INTO note (id) VALUES ('c')", "insert rows")
	d.takes("UPDATE note SET n = n") // writes nothing
	d.takes("INSERT OR IGNORE INTO note (id) VALUES ('a')")
	d.takes("INSERT INTO other VALUES (1); DELETE FROM other")
	all := newDesk(t, note, tidemark.Rules{})
	all.refuses("DELETE FROM note WHERE id = 'b'", "nobody")
	all.takes("CREATE TABLE mine (x); INSERT INTO mine VALUES (1)")
}

func TestRowsThatTheServerJudgesInAll(t *testing.T) {
	rules := func(insert, update, remove string) tidemark.Rules {
		return tidemark.Rules{Tables: []tidemark.TableRules{{Table: "note", Insert: insert, Update: update, Delete: remove, Immutable: []string{"author"}}}}
	}
	d := newDesk(t, note, rules("public", "none", "none"))
	d.takes("INSERT INTO note (id, author) VALUES ('c', 'x'); UPDATE note SET n = 3 WHERE id = 'c'; UPDATE note SET author = 'y' WHERE id = 'c'; UPDATE note SET id = 'd' WHERE id = 'c'; UPDATE note SET n = 4 WHERE id = 'd'; DELETE FROM note WHERE id = 'd'")
	d = newDesk(t, note, rules("none", "public", "public"))
	d.takes("DELETE FROM note WHERE id = 'a'; INSERT INTO note (id, author) VALUES ('a', 'ann')") // an update
	d.takes("REPLACE INTO note (id, author) VALUES ('a', 'ann')")
	d.takes("UPDATE note SET id = 'z' WHERE id = 'a'; INSERT INTO note (id) VALUES ('a')")
	d.refuses("DELETE FROM note WHERE id = 'b'; INSERT INTO note (id) VALUES ('q')", "insert rows")
	must(t, d.db.Run("PRAGMA recursive_triggers = ON"))
	d = newDesk(t, note, rules("public", "public", "none"))
	must(t, d.db.Run("PRAGMA recursive_triggers = ON"))
	d.takes("REPLACE INTO note (id, author) VALUES ('a', 'ann')")
	d.refuses("DELETE FROM note WHERE id = 'a'", "delete rows")
	// Two rows in one transaction: what was written before of another row does not matter.
	d.refuses("UPDATE note SET n = 5 WHERE id = 'a'; DELETE FROM note WHERE id = 'b'", "delete rows")
}

func TestALongLogIsNotSearched(t *testing.T) {
	d := newDesk(t, note, one("note", "none"))
	must(t, d.db.Script("PRAGMA recursive_triggers = OFF; WITH RECURSIVE i(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM i WHERE n < 5000) INSERT INTO _tm_log (t, op) SELECT 99, 1 FROM i"))
	d.takes("DELETE FROM note WHERE id = 'a'")
	d.refuses("DELETE FROM note WHERE id = 'b'", "delete rows")
}

func TestImmutable(t *testing.T) {
	r := one("note", "public", "id", "author")
	r.Tables[0].Set = []tidemark.SetRule{{Column: "author", Value: ":user"}}
	d := newDesk(t, note, r)
	v := d.refuses("UPDATE note SET author = 'eve' WHERE id = 'a'", "column author of note cannot be changed")
	if v.Table != "note" || len(v.Columns) != 1 || v.Columns[0] != "author" {
		t.Errorf("%s %v", v.Table, v.Columns)
	}
	d.refuses("UPDATE note SET id = 'q' WHERE id = 'a'", "column id of note cannot be changed")
	d.takes("UPDATE note SET author = 'ann', n = 4 WHERE id = 'a'")
	// While something of the table waits, the author may be another than is seen here.
	must(t, d.db.Script("INSERT INTO _tm_pending_row VALUES (1, x'00', 1)"))
	d.takes("UPDATE note SET author = 'eve' WHERE id = 'a'")
	d.refuses("UPDATE note SET id = 'q' WHERE id = 'a'", "column id")
}

func TestConditions(t *testing.T) {
	for _, c := range []struct{ rule, refused, taken string }{
		{"NEW.author = :user", "INSERT INTO note VALUES ('c', 'eve', 1, 1, 1)", "INSERT INTO note VALUES ('c', 'ann', 1, 1, 1)"},
		{"NEW.author = :user", "INSERT INTO note VALUES ('c', NULL, 1, 1, 1)", ""},
		{"NEW.n = '3'", "INSERT INTO note (id, n) VALUES ('c', 4)", "INSERT INTO note (id, n) VALUES ('c', '3')"},
		{"NEW.author <> 1", "INSERT INTO note (id, author) VALUES ('c', 1)", "INSERT INTO note (id, author) VALUES ('c', 2)"},
		{"NEW.price >= '2'", "INSERT INTO note (id, price) VALUES ('c', 1)", "INSERT INTO note (id, price) VALUES ('c', 10)"},
		{"EXISTS (SELECT 1) AND NEW.n IN (1, 2)", "INSERT INTO note (id, n) VALUES ('c', 3)", "INSERT INTO note (id, n) VALUES ('c', 2)"},
		{"(NEW.n > 1 AND (NEW.n < 9))", "INSERT INTO note (id, n) VALUES ('c', 9)", "INSERT INTO note (id, n) VALUES ('c', 8)"},
		{"length(trim(NEW.\"author\")) BETWEEN 1 AND 3 AND :now > 0", "INSERT INTO note (id, author) VALUES ('c', '  ')", "INSERT INTO note (id, author) VALUES ('c', ' ab ')"},
		{"NEW.n", "INSERT INTO note (id, n) VALUES ('c', 0)", "INSERT INTO note (id, n) VALUES ('c', 2)"},
		{":user IN ('bob', 'eve')", "INSERT INTO note (id, n) VALUES ('c', 0)", ""},
		{"NEW.n = 1 OR NEW.n = 2", "INSERT INTO note (id, n) VALUES ('c', 0)", "INSERT INTO note (id, n) VALUES ('c', 2)"},
		// What a copy cannot tell.
		{"NEW.any = 1", "", "INSERT INTO note (id, any) VALUES ('c', 2)"},
		{"NEW.n = 1", "", "INSERT INTO note (id, n) VALUES ('c', 'one')"},
		{"NEW.author LIKE 'x%'", "", "INSERT INTO note (id, author) VALUES ('c', 'y')"},
		{"lower(NEW.author) = 'x'", "", "INSERT INTO note (id, author) VALUES ('c', 'y')"},
		{":claims ->> 'a' = 1", "", "INSERT INTO note (id) VALUES ('c')"},
		{"NEW.n < :now", "", "INSERT INTO note (id, n) VALUES ('c', 9)"},
		{"(NEW.n, 1) = (1, 1)", "", "INSERT INTO note (id, n) VALUES ('c', 9)"},
		{"NEW.n IN (SELECT 1)", "", "INSERT INTO note (id, n) VALUES ('c', 9)"},
		{"NEW.n = 1 OR EXISTS (SELECT 1)", "", "INSERT INTO note (id, n) VALUES ('c', 9)"},
		{"NEW.n = 0x10", "", "INSERT INTO note (id, n) VALUES ('c', 9)"},
		{"random() = 1", "", "INSERT INTO note (id, n) VALUES ('c', 9)"},
		{"NEW.nowhere = 1", "", "INSERT INTO note (id, n) VALUES ('c', 9)"},
	} {
		d := newDesk(t, note, tidemark.Rules{Tables: []tidemark.TableRules{{Table: "note", Insert: c.rule}}})
		if c.refused != "" {
			d.refuses(c.refused, "the rules do not allow to insert this row of note")
		}
		if c.taken != "" {
			d.takes(c.taken)
		}
	}
}

func TestWhatMayBeStale(t *testing.T) {
	update := func(rule string, immutable ...string) tidemark.Rules {
		return tidemark.Rules{Tables: []tidemark.TableRules{{Table: "note", Update: rule, Immutable: immutable}}}
	}
	d := newDesk(t, note, update("OLD.n = 9"))
	d.takes("UPDATE note SET n = 5 WHERE id = 'a'") // on the server n may be 9 by now
	d = newDesk(t, note, update("NEW.n < 2"))
	d.takes("UPDATE note SET author = 'x' WHERE id = 'b'") // and here 1
	d.refuses("UPDATE note SET n = 5 WHERE id = 'a'", "update this row")
	d = newDesk(t, note, update("OLD.author = :user", "author"))
	d.takes("UPDATE note SET n = 5 WHERE id = 'a'")
	d.refuses("UPDATE note SET n = 5 WHERE id = 'b'", "update this row")
	must(t, d.db.Script("INSERT INTO _tm_pending_row VALUES (1, x'00', 1)"))
	d.takes("UPDATE note SET n = 5 WHERE id = 'b'")
	d = newDesk(t, note, update("OLD.id <> 'b' AND NEW.id <> 'a'"))
	d.refuses("UPDATE note SET n = 5 WHERE id = 'b'", "update this row")
	d.refuses("UPDATE note SET n = 5 WHERE id = 'a'", "update this row")
	d = newDesk(t, note, update("NEW.author = :user"))
	must(t, d.db.Script("DELETE FROM _tm_meta"))
	d.takes("UPDATE note SET author = 'x' WHERE id = 'b'") // whose copy it is, nobody knows
	r := update("NEW.author = :user")
	r.Tables[0].Set = []tidemark.SetRule{{Column: "author", Value: ":user"}}
	newDesk(t, note, r).takes("UPDATE note SET author = 'x' WHERE id = 'b'")
	counter := func(s *tidemark.Schema) { s.Tables[0].Columns[2].Policy = tidemark.PolicyCounter }
	newDesk(t, note, update("NEW.n < 3"), counter).takes("UPDATE note SET n = 8 WHERE id = 'b'")
}

func TestPoliciesThatMakeAnotherChangeOfIt(t *testing.T) {
	d := newDesk(t, note, one("note", "none"), func(s *tidemark.Schema) {
		s.Tables[0].Policy.OnInsert, s.Tables[0].Policy.OnDelete = tidemark.InsertMerge, tidemark.UpdateWins
	})
	d.takes("INSERT INTO note (id) VALUES ('c'); DELETE FROM note WHERE id = 'c'")
	d.takes("UPDATE note SET n = 3")
	d.refuses("DELETE FROM note WHERE id = 'a'", "delete rows")
}

func TestForeignKeysAreCoveredByTheirCause(t *testing.T) {
	d := newDesk(t, `CREATE TABLE p (id TEXT PRIMARY KEY NOT NULL);
		CREATE TABLE c (id TEXT PRIMARY KEY NOT NULL, p TEXT REFERENCES p ON DELETE CASCADE ON UPDATE CASCADE, x);
		CREATE TABLE n (id TEXT PRIMARY KEY NOT NULL, p TEXT REFERENCES p ON DELETE SET NULL, x);
		INSERT INTO p VALUES ('1'), ('2'); INSERT INTO c VALUES ('a', '1', 1), ('b', '2', 1); INSERT INTO n VALUES ('a', '1', 1), ('b', '2', 1);`,
		tidemark.Rules{Public: true, Tables: []tidemark.TableRules{
			{Table: "c", Immutable: []string{"p"}}, {Table: "n", Immutable: []string{"p"}},
		}})
	d.refuses("UPDATE c SET x = 2 WHERE id = 'a'", "update rows of c")
	d.refuses("DELETE FROM n WHERE id = 'b'", "delete rows of n")
	d.takes("DELETE FROM n WHERE 0; UPDATE p SET id = '3' WHERE id = '2' AND 0")
	d.takes("DELETE FROM p WHERE id = '1'")
}

func TestTriggersThatFinishRows(t *testing.T) {
	d := newDesk(t, note+"CREATE TRIGGER stamp AFTER INSERT ON note BEGIN UPDATE note SET author = 'ann' WHERE id = NEW.id; END",
		tidemark.Rules{Tables: []tidemark.TableRules{{Table: "note", Insert: "NEW.author = :user", Immutable: []string{"author"}}}})
	d.takes("INSERT INTO note (id, author) VALUES ('c', 'x')")
	d.refuses("DELETE FROM note WHERE id = 'c'", "delete rows")
}

func TestUglyNames(t *testing.T) {
	for _, table := range []string{`a"b'c`, "new", "Old", "select", " ", "a.b", "ünï"} {
		q := lite.Quote(table)
		d := newDesk(t, "CREATE TABLE "+q+` ("o'k""x" TEXT NOT NULL COLLATE NOCASE, "NEW" INTEGER NOT NULL, "or" TEXT, PRIMARY KEY ("NEW", "o'k""x")) WITHOUT ROWID; INSERT INTO `+q+" VALUES ('x', 1, 'y'), ('z', 1, 'y')",
			tidemark.Rules{Tables: []tidemark.TableRules{{Table: table, Insert: "NEW.\"NEW\" > 0 AND NEW.[or] <> 'it''s'", Update: "public", Immutable: []string{`o'k"x`}}}})
		d.refuses("INSERT INTO "+q+" VALUES ('a', 0, 'y')", "this row of "+table)
		d.refuses("INSERT INTO "+q+" VALUES ('a', 1, 'it''s')", "this row of "+table)
		d.takes("INSERT INTO " + q + " VALUES ('a', 1, 'its')")
		if v := d.refuses("UPDATE "+q+` SET "o'k""x" = 'q' WHERE "o'k""x" = 'Z'`, "cannot be changed"); v.Table != table {
			t.Errorf("table %q, want %q", v.Table, table)
		}
		d.refuses("DELETE FROM "+q, "delete rows of "+table)
	}
}

func TestInstallIsIdempotentAndFollowsTheSchema(t *testing.T) {
	d := newDesk(t, note, one("note", "NEW.n > 0"))
	count := func(want int64) {
		t.Helper()
		n, err := d.db.Int("SELECT count(*) FROM sqlite_master WHERE name LIKE '$_tm$_rule%' ESCAPE '$'")
		if must(t, err); n != want {
			t.Errorf("%d guards, want %d", n, want)
		}
	}
	version := func() int64 { n, err := d.db.Int("PRAGMA schema_version"); must(t, err); return n }
	count(2)
	before := version()
	d.install()
	if version() != before {
		t.Error("installing again wrote something")
	}
	if s, _, err := schema.Inspect(d.db, nil); err != nil || len(schema.Compare(d.schema, s).Objects) != 0 {
		t.Errorf("guards count among the app's objects: %v", err)
	}
	d.schema.Guards[0].SQL = `CREATE TRIGGER "_tm_rule_1_insert" AFTER INSERT ON "note" BEGIN SELECT nonsense(NEW.n); END`
	d.install() // what does not compile here is left out
	count(1)
	d.takes("INSERT INTO note (id, n) VALUES ('c', 0)")
	must(t, capture.Install(d.db, capture.Main, d.schema, true))
	count(0)
	d.install()
	d.schema.Guards = nil
	d.install()
	count(0)
	d.schema.Guards = []tidemark.Guard{{Table: 7, Name: "_tm_rule_7_insert", SQL: "CREATE TRIGGER"}}
	d.install()
	count(0)
}
