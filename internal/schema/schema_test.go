package schema

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/lite"
)

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func openWith(t testing.TB, sql string) *lite.DB {
	t.Helper()
	db, err := lite.Open(":memory:", lite.Options{Create: true})
	must(t, err)
	t.Cleanup(func() { _ = db.Close() })
	must(t, db.Script(sql))
	return db
}

func inspected(t testing.TB, sql string) (*tidemark.Schema, *Report) {
	t.Helper()
	s, r, err := Inspect(openWith(t, sql), nil)
	must(t, err)
	return s, r
}

func TestVerdicts(t *testing.T) {
	_, r := inspected(t, `
		CREATE TABLE good(id INTEGER PRIMARY KEY, v);
		CREATE TABLE nokey(a, b);
		CREATE TABLE nullkey(k TEXT PRIMARY KEY, v); INSERT INTO nullkey VALUES(NULL, 1), (NULL, 2);
		CREATE TABLE nullable(k TEXT PRIMARY KEY, v);
		CREATE VIRTUAL TABLE text USING fts5(body);
		CREATE VIRTUAL TABLE box USING rtree(id, x0, x1);
		CREATE TABLE text_notes(id INTEGER PRIMARY KEY);
		CREATE TABLE keycoll(k TEXT NOT NULL, PRIMARY KEY(k COLLATE NOCASE));
		CREATE TABLE lost(id INTEGER PRIMARY KEY, p REFERENCES nowhere);
		CREATE TABLE parent(id INTEGER PRIMARY KEY, name);
		CREATE TABLE child(id INTEGER PRIMARY KEY, name REFERENCES parent(name));
		CREATE TABLE conflicts(id INTEGER PRIMARY KEY, u UNIQUE ON CONFLICT REPLACE);
		CREATE TABLE orders(id INTEGER PRIMARY KEY, good_id INT, nokey INT REFERENCES good);
		CREATE TABLE _tm_mine(a); CREATE TABLE _TM_yours(a);
		CREATE TABLE goods(a); ANALYZE;`)
	got := map[string]string{}
	for _, v := range r.Tables {
		got[v.Table] = v.Reason
		if !v.Syncs && (v.Reason == "" || v.Hint == "") {
			t.Errorf("%s is refused without a reason or a next step: %+v", v.Table, v)
		}
		if v.Syncs {
			got[v.Table] = strings.Join(append([]string{"yes"}, v.Notes...), "; ")
		}
	}
	want := map[string]string{
		"good": "yes", "nokey": "no primary key", "nullkey": "NULL in 2 row(s)", "nullable": "yes; its key column k takes NULL",
		"text": "virtual table", "box": "virtual table", "text_notes": "yes", "keycoll": "by NOCASE", "lost": "refers to nowhere",
		"parent": "table child refers to it", "child": "does not point at a unique key", "conflicts": "yes; it declares ON CONFLICT",
		"orders": "yes; column good_id looks like a reference to good", "goods": "no primary key",
	}
	for _, shadow := range []string{"text_data", "text_idx", "text_content", "text_docsize", "text_config", "box_node", "box_rowid", "box_parent"} {
		want[shadow] = "storage of a virtual table"
	}
	for name, part := range want {
		if !strings.Contains(got[name], part) || part == "yes" && got[name] != "yes" {
			t.Errorf("%s: got %q, want %q", name, got[name], part)
		}
		delete(got, name)
	}
	if len(got) > 0 {
		t.Errorf("unexpected %v", got)
	}
}

// TestForeignThings opens what other programs made with functions, collations
// and modules of their own.
func TestForeignThings(t *testing.T) {
	db := openWith(t, "CREATE TABLE good(id INTEGER PRIMARY KEY); PRAGMA writable_schema = ON;")
	for name, sql := range map[string]string{
		"coll":  "CREATE TABLE coll(k TEXT COLLATE german PRIMARY KEY NOT NULL)",
		"check": "CREATE TABLE \"check\"(id INTEGER PRIMARY KEY, v CHECK (is_fine(v)))",
		"gen":   "CREATE TABLE gen(id INTEGER PRIMARY KEY, v, g AS (their_own(v)))",
	} {
		must(t, db.Run("INSERT INTO sqlite_master VALUES('table', ?1, ?1, 0, ?2)", tidemark.Text(name), tidemark.Text(sql)))
	}
	must(t, db.Run("INSERT INTO sqlite_master VALUES('table', 'geo', 'geo', 0, 'CREATE VIRTUAL TABLE geo USING theirs(a)')"))
	must(t, db.Run("PRAGMA writable_schema = RESET"))
	s, r, err := Inspect(db, nil)
	must(t, err)
	for _, v := range r.Tables {
		if v.Syncs != (v.Table == "good") {
			t.Errorf("%+v", v)
		}
	}
	if len(s.Tables) != 1 {
		t.Errorf("%d tables sync", len(s.Tables))
	}
}

func TestTables(t *testing.T) {
	s, _ := inspected(t, `
		CREATE TABLE a(id INTEGER PRIMARY KEY AUTOINCREMENT, n VARCHAR(10) COLLATE nocase NOT NULL DEFAULT "x", g AS (n || 1), d DOUBLE DEFAULT (1 + 1),
			b, UNIQUE(n COLLATE RTRIM, b), UNIQUE(g)) ;
		CREATE TABLE b(y TEXT, x INT, z ANY, PRIMARY KEY(x, y)) STRICT, WITHOUT ROWID;
		CREATE TABLE c(id INTEGER PRIMARY KEY DESC, p INT REFERENCES a ON DELETE CASCADE, q, r, FOREIGN KEY(r, q) REFERENCES b(x, y) ON UPDATE SET NULL);
		CREATE UNIQUE INDEX i ON a(lower(n), b COLLATE NOCASE DESC) WHERE b > 0 -- end
		;
		CREATE INDEX plain ON a(b);`)
	a, b, c := s.Named("A"), s.Named("b"), s.Named("c")
	if !a.RowidAlias || !a.Autoinc || a.WithoutRowid || c.RowidAlias || !b.WithoutRowid || !b.Strict || b.RowidAlias {
		t.Errorf("kinds of tables: %+v %+v %+v", a, b, c)
	}
	if !slices.Equal(b.Key, []int{1, 0}) || !slices.Equal(a.Key, []int{0}) {
		t.Errorf("keys %v %v", a.Key, b.Key)
	}
	columns := []tidemark.Column{
		{Name: "id", Type: "INTEGER", Affinity: tidemark.AffinityInteger, Collation: "BINARY"},
		{Name: "n", Type: "VARCHAR(10)", Affinity: tidemark.AffinityText, Collation: "NOCASE", NotNull: true, Default: "'x'"},
		{Name: "d", Type: "DOUBLE", Affinity: tidemark.AffinityReal, Collation: "BINARY", Default: "1 + 1"},
		{Name: "b", Affinity: tidemark.AffinityBlob, Collation: "BINARY"},
	}
	if !slices.Equal(a.Columns, columns) {
		t.Errorf("columns %+v", a.Columns)
	}
	uniques := map[string]tidemark.Unique{}
	for _, u := range a.Uniques {
		uniques[u.Name] = u
	}
	want := map[string]tidemark.Unique{
		"sqlite_autoindex_a_1": {Name: "sqlite_autoindex_a_1", Terms: []tidemark.Term{{Column: 1, Collation: "RTRIM"}, {Column: 3, Collation: "BINARY"}}},
		"sqlite_autoindex_a_2": {Name: "sqlite_autoindex_a_2", Terms: []tidemark.Term{{Column: -1, Expr: `"g"`, Collation: "BINARY"}}},
		"i":                    {Name: "i", Terms: []tidemark.Term{{Column: -1, Expr: "lower(n)", Collation: "BINARY"}, {Column: 3, Collation: "NOCASE"}}, Partial: "b > 0"},
	}
	if !reflect.DeepEqual(uniques, want) {
		t.Errorf("uniques %+v", uniques)
	}
	keys := []tidemark.ForeignKey{
		{Columns: []int{1}, Parent: "a", To: []string{"id"}, OnUpdate: "NO ACTION", OnDelete: "CASCADE"},
		{Columns: []int{3, 2}, Parent: "b", To: []string{"x", "y"}, OnUpdate: "SET NULL", OnDelete: "NO ACTION"},
	}
	if !reflect.DeepEqual(c.ForeignKeys, keys) {
		t.Errorf("foreign keys %+v", c.ForeignKeys)
	}
}

func TestTriggerClasses(t *testing.T) {
	_, r := inspected(t, `
		CREATE TABLE a(id INTEGER PRIMARY KEY, v, last);
		CREATE TABLE log(at, what);
		CREATE VIRTUAL TABLE find USING fts5(v);
		CREATE VIEW v AS SELECT id, v FROM a;
		CREATE TRIGGER stamp AFTER UPDATE ON a BEGIN UPDATE a SET last = 1 WHERE id = NEW.id; END;
		CREATE TRIGGER logs AFTER INSERT ON a BEGIN INSERT INTO log VALUES(1, NEW.v); END;
		CREATE TRIGGER finds AFTER DELETE ON a BEGIN DELETE FROM find WHERE rowid = OLD.id; END;
		CREATE TRIGGER guards BEFORE UPDATE OF v ON a WHEN NEW.v < 0 BEGIN SELECT RAISE(ABORT, 'no'); END;
		CREATE TRIGGER both AFTER DELETE ON a BEGIN INSERT INTO log VALUES(2, 2); DELETE FROM a WHERE id = OLD.v; END;
		CREATE TRIGGER deep AFTER DELETE ON log BEGIN UPDATE a SET v = 1; END;
		CREATE TRIGGER through AFTER UPDATE ON log BEGIN INSERT INTO v VALUES(1, 2); END;
		CREATE TRIGGER instead INSTEAD OF INSERT ON v BEGIN INSERT INTO log VALUES(1, 1); END;
		CREATE TRIGGER broken AFTER INSERT ON a BEGIN INSERT INTO nowhere VALUES(1); END;`)
	got := map[string]string{}
	for _, tr := range r.Triggers {
		got[tr.Name] = string(tr.Class) + " " + strings.Join(tr.Writes, ",")
	}
	want := map[string]string{
		"stamp": "origin a", "finds": "everywhere find", "guards": "guard ", "both": "origin a,log",
		"deep": "origin a", "through": "origin v", "instead": "origin log", "broken": "origin ", "logs": "origin ",
	}
	delete(got, "logs") // shares its event with one that does not compile
	delete(want, "logs")
	if !maps.Equal(got, want) {
		t.Errorf("got %v", got)
	}
}

func TestObjects(t *testing.T) {
	s, _ := inspected(t, `
		CREATE TABLE a(id INTEGER PRIMARY KEY AUTOINCREMENT, u UNIQUE);
		CREATE VIRTUAL TABLE find USING fts5(v);
		CREATE TABLE plain(x);
		CREATE INDEX ix ON plain(x);
		CREATE VIEW v AS SELECT 1;
		CREATE TRIGGER tr AFTER INSERT ON a BEGIN SELECT 1; END;
		CREATE TABLE _tm_log(n); CREATE INDEX foo ON _tm_log(n); CREATE TRIGGER _tm_1_ins AFTER INSERT ON a BEGIN SELECT 1; END; ANALYZE;`)
	var got []string
	for _, o := range s.Objects {
		got = append(got, o.Type+" "+o.Name+" on "+o.Table)
	}
	want := []string{"table a on a", "table find on find", "table plain on plain", "index ix on plain", "view v on v", "trigger tr on a"}
	if !slices.Equal(got, want) {
		t.Errorf("got %v", got)
	}
}

func TestNumbersStay(t *testing.T) {
	db := openWith(t, "CREATE TABLE c(id INTEGER PRIMARY KEY); CREATE TABLE a(id INTEGER PRIMARY KEY); CREATE TABLE B(id INTEGER PRIMARY KEY)")
	s, _, err := Inspect(db, map[string]int{"b": 2, "gone": 7})
	must(t, err)
	got := ""
	for _, table := range s.Tables {
		got += fmt.Sprint(table.Name, table.ID, " ")
	}
	if got != "B2 c8 a9 " {
		t.Fatal(got)
	}
}

func TestSampleDatabases(t *testing.T) {
	dir := os.Getenv("TIDEMARK_DATA")
	if dir == "" {
		dir = "../../../shared/data"
	}
	files, _ := filepath.Glob(filepath.Join(dir, "*.sqlite"))
	if len(files) == 0 {
		t.Skip("no sample databases: set TIDEMARK_DATA to a folder that has some")
	}
	for _, file := range files {
		db, err := lite.Open(file, lite.Options{ReadOnly: true})
		must(t, err)
		s, r, err := Inspect(db, nil)
		must(t, err)
		if len(s.Tables) != 11 {
			t.Errorf("%s: %d tables sync: %+v", file, len(s.Tables), r.Tables)
		}
		found, err := Violations(db, s, 0)
		if err != nil || len(found) > 0 {
			t.Errorf("%s: %v %v", file, found, err)
		}
		must(t, db.Close())
	}
}

func TestViolations(t *testing.T) {
	db := openWith(t, `
		CREATE TABLE p(id INTEGER PRIMARY KEY, k TEXT COLLATE NOCASE UNIQUE);
		CREATE TABLE c(a INT, b TEXT, p INT REFERENCES p, k TEXT REFERENCES p(k), n NOT NULL, PRIMARY KEY(a, b), CHECK (a > 0 AND b <> 'bad'));
		CREATE TABLE s(id INTEGER PRIMARY KEY, i INT, CHECK (i < 5)) STRICT;
		PRAGMA ignore_check_constraints = ON; PRAGMA foreign_keys = OFF;
		INSERT INTO p VALUES(1, 'Key');
		INSERT INTO c VALUES(1, 'ok', 1, 'KEY', 0), (2, 'orphan', 9, NULL, 0), (3, 'orphan', NULL, 'no', 0), (-1, 'neg', 1, NULL, 0), (4, 'bad', NULL, NULL, 0);
		INSERT INTO s VALUES(1, 4), (2, 5);
		PRAGMA writable_schema = ON;
		UPDATE sqlite_master SET sql = replace(sql, 'n NOT NULL', 'n') WHERE name = 'c'; PRAGMA writable_schema = RESET;
		INSERT INTO c VALUES(5, 'null', NULL, NULL, NULL);
		PRAGMA writable_schema = ON;
		UPDATE sqlite_master SET sql = replace(sql, ', n,', ', n NOT NULL,') WHERE name = 'c'; PRAGMA writable_schema = RESET;`)
	s, _, err := Inspect(db, nil)
	must(t, err)
	found, err := Violations(db, s, 0)
	must(t, err)
	var got []string
	for _, v := range found {
		got = append(got, v.Table+" "+v.KeyText+" "+v.Constraint)
	}
	want := []string{"c 2, 'orphan' foreign_key", "c 3, 'orphan' foreign_key", "c 5, 'null' not_null", "c -1, 'neg' check", "c 4, 'bad' check", "s 2 check"}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("got %q", got)
	}
	if some, err := Violations(db, s, 2); len(some) != 2 || err != nil {
		t.Errorf("limit 2: %v, %v", some, err)
	}
}
