package schema

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/lite"
)

// spellings are children of p and "q r", in many ways that SQLite takes.
var spellings = []string{
	`CREATE TABLE c(id INTEGER PRIMARY KEY, a REFERENCES p)`,
	`CREATE TABLE c(id INTEGER PRIMARY KEY, a INTEGER NOT NULL REFERENCES p(id) ON DELETE CASCADE ON UPDATE SET NULL, b TEXT)`,
	`CREATE TABLE c(id INTEGER PRIMARY KEY, a REFERENCES p(id)ON DELETE SET DEFAULT MATCH FULL ON UPDATE NO ACTION NOT NULL DEFAULT 1)`,
	`CREATE TABLE c(id INTEGER PRIMARY KEY, a REFERENCES p(id) MATCH SIMPLE ON UPDATE RESTRICT NOT DEFERRABLE UNIQUE, b REFERENCES p)`,
	`CREATE TABLE c(id INTEGER PRIMARY KEY, a REFERENCES p DEFERRABLE INITIALLY DEFERRED, b REFERENCES p DEFERRABLE INITIALLY IMMEDIATE)`,
	`CREATE TABLE c(id INTEGER PRIMARY KEY, a REFERENCES p NOT NULL DEFERRABLE INITIALLY DEFERRED CHECK (a > 0), b REFERENCES p)`,
	`CREATE TABLE c(id INTEGER PRIMARY KEY, a REFERENCES p, b INT DEFERRABLE INITIALLY DEFERRED, d REFERENCES p)`,
	`CREATE TABLE c(id INTEGER PRIMARY KEY, a REFERENCES p REFERENCES "q r" (k) ON DELETE CASCADE)`,
	`CREATE TABLE c(id INTEGER PRIMARY KEY, a CONSTRAINT x REFERENCES p CONSTRAINT y NOT NULL, b CONSTRAINT 'z z' CONSTRAINT "references" REFERENCES [q r](k))`,
	"CREATE TABLE c(id INTEGER PRIMARY KEY, a -- to REFERENCES p\n  /* ( , */ REFERENCES /* x */ p -- (id), and more\n (id) /* y */ ON /* z */ DELETE -- )\n CASCADE -- end\n, b)",
	`CREATE TABLE c(id INTEGER PRIMARY KEY, a, FOREIGN KEY (a) REFERENCES p)`,
	`CREATE TABLE c(id INTEGER PRIMARY KEY, a, b, FOREIGN KEY (a) REFERENCES p(id) ON DELETE CASCADE, FOREIGN KEY(b)REFERENCES"q r"(k)DEFERRABLE INITIALLY DEFERRED, CHECK (a <> b))`,
	`CREATE TABLE c(id INTEGER PRIMARY KEY, a, b, CONSTRAINT one FOREIGN KEY (a) REFERENCES p CONSTRAINT two FOREIGN KEY (b) REFERENCES p UNIQUE (a, b) FOREIGN KEY (b) REFERENCES "q r"(k))`,
	`CREATE TABLE c(id INTEGER PRIMARY KEY, a, b, FOREIGN KEY (a) REFERENCES p FOREIGN KEY (b) REFERENCES p)`,
	`CREATE TABLE c(id INTEGER PRIMARY KEY, a REFERENCES p, b, UNIQUE (a), FOREIGN KEY (a, b) REFERENCES pair (x, y) MATCH PARTIAL ON UPDATE CASCADE)`,
	`CREATE TABLE c(a, b REFERENCES p, PRIMARY KEY (a, b), CONSTRAINT "FOREIGN" FOREIGN KEY (a, b) REFERENCES pair) WITHOUT ROWID`,
	`CREATE TABLE c("references" INTEGER PRIMARY KEY, "foreign key" TEXT REFERENCES p, [a b] INT CHECK ("references" <> 'REFERENCES p (id)'), ` + "`on` INT DEFAULT (length('REFERENCES p')) REFERENCES p ON DELETE CASCADE) STRICT",
	`CREATE TABLE c(id INTEGER PRIMARY KEY, key REFERENCES p, match REFERENCES p MATCH match, action TEXT REFERENCES p ON UPDATE NO ACTION, no, cascade INT REFERENCES p ON DELETE CASCADE, initially REFERENCES p DEFERRABLE)`,
	`CREATE TABLE c(id INTEGER PRIMARY KEY, a VARCHAR(10, 2) COLLATE NOCASE DEFAULT 'it''s, REFERENCES p' REFERENCES p, g AS (a || ') REFERENCES p (') STORED)`,
	`CREATE TABLE c(id INTEGER PRIMARY KEY REFERENCES p, up REFERENCES c ON DELETE CASCADE, CONSTRAINT self FOREIGN KEY (id) REFERENCES c (id))`,
	`CREATE TABLE "c" ( "id" INTEGER PRIMARY KEY AUTOINCREMENT , 'a' 'TEXT' REFERENCES 'p' ( 'id' ) , b REFERENCES P (ID) )`,
	"CREATE TABLE c(\r\n\tid\tINTEGER\tPRIMARY\tKEY,\r\n\ta\tREFERENCES\tp\r\n\t\tON\tDELETE\tCASCADE\r\n)",
	`create table c(id integer primary key, a references p on delete set null deferrable initially deferred, foreign key(a)references p not deferrable initially immediate)`,
}

const parents = `CREATE TABLE p(id INTEGER PRIMARY KEY, v); CREATE TABLE "q r"(k TEXT PRIMARY KEY NOT NULL, v UNIQUE);
	CREATE TABLE pair(x, y, PRIMARY KEY (x, y));`

// keyList is what SQLite knows of a table's foreign keys, in the order of the
// definition.
func keyList(t testing.TB, db *lite.DB) []string {
	t.Helper()
	var out []string
	last := int64(-1)
	must(t, db.Each(`SELECT id, seq, "table", "from", "to", on_update, on_delete, "match" FROM pragma_foreign_key_list('c') ORDER BY id DESC, seq`, func(s *lite.Stmt) error {
		line := fmt.Sprint(s.Row(1))
		if s.Int(0) == last {
			out[len(out)-1] += " " + line
		} else {
			out = append(out, line)
		}
		last = s.Int(0)
		return nil
	}))
	return out
}

// rest is what SQLite knows of a table beside its foreign keys.
func rest(t testing.TB, db *lite.DB) string {
	t.Helper()
	var b strings.Builder
	for _, sql := range []string{
		"SELECT * FROM pragma_table_xinfo('c')", `SELECT name, "unique", origin, partial FROM pragma_index_list('c')`,
		"SELECT type, wr, strict FROM pragma_table_list WHERE name = 'c'",
	} {
		must(t, db.Each(sql, func(s *lite.Stmt) error {
			_, err := fmt.Fprintln(&b, s.Row(0))
			return err
		}))
	}
	return b.String()
}

// TestLooseSQLAgreesWithSQLite takes every choice of foreign keys out of every
// spelling, and asks SQLite what is left.
func TestLooseSQLAgreesWithSQLite(t *testing.T) {
	tried := 0
	for _, sql := range spellings {
		s, r := inspected(t, parents+sql)
		c := s.Named("c")
		if c == nil {
			t.Fatalf("%s: %+v", sql, r)
		}
		db := openWith(t, parents+sql)
		all, shape := keyList(t, db), rest(t, db)
		if len(all) != len(c.ForeignKeys) || len(all) == 0 {
			t.Fatalf("%s: %d foreign keys, %v", sql, len(c.ForeignKeys), all)
		}
		for choice := range 1 << len(all) {
			var want []string
			for i := range all {
				if c.ForeignKeys[i].Loose = choice>>i&1 == 1; !c.ForeignKeys[i].Loose {
					want = append(want, all[i])
				}
			}
			text, err := LooseSQL(c)
			if err != nil {
				t.Errorf("%s without %b: %v\n%s", sql, choice, err, text)
				continue
			}
			after := openWith(t, parents+text)
			if got := keyList(t, after); !slices.Equal(got, want) {
				t.Errorf("%s without %b:\n%s\nhas   %v\nwants %v", sql, choice, text, got, want)
			}
			if got := rest(t, after); got != shape {
				t.Errorf("%s without %b:\n%s\nis %s\nwas %s", sql, choice, text, got, shape)
			}
			if choice == 0 && text != c.SQL {
				t.Errorf("nothing is loose, and the text is another: %s", text)
			}
			tried++
		}
	}
	if tried < 80 {
		t.Errorf("only %d choices were tried", tried)
	}
}

// TestDeferrableGoesWithItsKey looks at what no pragma tells: when a broken
// reference is noticed.
func TestDeferrableGoesWithItsKey(t *testing.T) {
	for _, c := range []struct {
		sql   string
		loose int
		late  bool // whether the key that is left is deferred
	}{
		{`a REFERENCES p, b REFERENCES p NOT NULL DEFERRABLE INITIALLY DEFERRED`, 1, false},
		{`a REFERENCES p DEFERRABLE INITIALLY DEFERRED, b REFERENCES p`, 1, true},
		{`a REFERENCES p DEFERRABLE INITIALLY DEFERRED, b REFERENCES p`, 0, false},
		{`a REFERENCES p, b REFERENCES p, x INT DEFERRABLE INITIALLY DEFERRED`, 1, false},
		{`a REFERENCES p, b REFERENCES p, x INT DEFERRABLE INITIALLY DEFERRED`, 0, true},
		{`a, b, FOREIGN KEY (a) REFERENCES p FOREIGN KEY (b) REFERENCES p DEFERRABLE INITIALLY DEFERRED`, 1, false},
		{`a, b, FOREIGN KEY (a) REFERENCES p FOREIGN KEY (b) REFERENCES p DEFERRABLE INITIALLY DEFERRED`, 0, true},
	} {
		sql := "CREATE TABLE c(id INTEGER PRIMARY KEY, " + c.sql + ")"
		s, _ := inspected(t, parents+sql)
		child := s.Named("c")
		child.ForeignKeys[c.loose].Loose = true
		text, err := LooseSQL(child)
		must(t, err)
		db := openWith(t, parents+text)
		must(t, db.SetForeignKeys(true))
		must(t, db.Script("BEGIN"))
		insert := db.Script("INSERT INTO c (id, a, b) VALUES (1, 7, 7)")
		commit := db.Script("COMMIT")
		if (insert == nil) != c.late || c.late && commit == nil {
			t.Errorf("%s without key %d:\n%s\ninsert: %v, commit: %v", c.sql, c.loose, text, insert, commit)
		}
	}
}

func TestLooseDefs(t *testing.T) {
	s, _ := inspected(t, parents+`CREATE TABLE c(id INTEGER PRIMARY KEY, old REFERENCES p);
		ALTER TABLE c ADD COLUMN a INT REFERENCES p ON DELETE CASCADE DEFAULT NULL;
		ALTER TABLE c ADD COLUMN g AS (a + 1);
		ALTER TABLE c ADD COLUMN "b b" CONSTRAINT x REFERENCES "q r" (k) DEFERRABLE INITIALLY DEFERRED;
		ALTER TABLE c ADD COLUMN d REFERENCES p;`)
	c := s.Named("c")
	defs := []string{
		"a INT REFERENCES p ON DELETE CASCADE DEFAULT NULL", "g AS (a + 1)",
		`"b b" CONSTRAINT x REFERENCES "q r" (k) DEFERRABLE INITIALLY DEFERRED`, "d REFERENCES p",
	}
	if got := LooseDefs(c, defs); !slices.Equal(got, defs) {
		t.Errorf("nothing is loose: %q", got)
	}
	for i := range c.ForeignKeys[:3] {
		c.ForeignKeys[i].Loose = true
	}
	want := []string{"a INT DEFAULT NULL", "g AS (a + 1)", `"b b"`, "d REFERENCES p"}
	if got := LooseDefs(c, defs); !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	if defs[0] == want[0] {
		t.Error("what came in is changed")
	}
}

// TestLooseSQLOfDamagedText gives it definitions that SQLite never accepted.
func TestLooseSQLOfDamagedText(t *testing.T) {
	table := func(sql string) *tidemark.Table {
		return &tidemark.Table{ID: 1, Name: "c", SQL: sql, Columns: []tidemark.Column{{Name: "a"}}, Key: []int{0}, ForeignKeys: []tidemark.ForeignKey{{Columns: []int{0}, Parent: "p", To: []string{"id"}, Loose: true}}}
	}
	for _, sql := range []string{
		"", "CREATE TABLE c", "CREATE TABLE c(", "CREATE TABLE c()", "CREATE TABLE c(a REFERENCES", "CREATE TABLE c(a REFERENCES)", "CREATE TABLE c(a REFERENCES p ON)",
		"CREATE TABLE c(a REFERENCES p MATCH)", "CREATE TABLE c(a REFERENCES p ON DELETE SET)", "CREATE TABLE c(a, FOREIGN)", "CREATE TABLE c(a, FOREIGN KEY (a)", "CREATE TABLE c(FOREIGN KEY (a) REFERENCES p)",
		"CREATE TABLE c(a REFERENCES p DEFERRABLE INITIALLY)", "CREATE TABLE c(a), b REFERENCES p)", "CREATE TABLE c(a NOT", "CREATE TABLE c(,REFERENCES p)",
	} {
		for n := range len(sql) + 1 {
			if text, err := LooseSQL(table(sql[:n])); err == nil {
				t.Errorf("%q became %q", sql[:n], text)
			}
			LooseDefs(table("CREATE TABLE c(a REFERENCES p)"), []string{sql[:n], strings.TrimPrefix(sql[:n], "CREATE TABLE c(")})
		}
	}
}

func TestDeclares(t *testing.T) {
	const sql = "CREATE TABLE \"t(x\"(id INTEGER PRIMARY KEY, \"a b\" TEXT, 'str''s' INT, Gen AS (id + other) STORED, [key], UNIQUE (id), CHECK (id > 0))"
	for name, want := range map[string]bool{"id": true, "A B": true, "str's": true, "gEN": true, "key": true, "other": false, "primary": false, "unique": false, "check": false, "x": false, "": false} {
		if Declares(sql, name) != want {
			t.Errorf("%q: %v", name, !want)
		}
	}
	for n := range len(sql) {
		Declares(sql[:n], "id")
	}
}
