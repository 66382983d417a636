package schema

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/lite"
)

// moved inspects a database before and after a script.
func moved(t *testing.T, before, script string) (from, to *tidemark.Schema, m *Move) {
	t.Helper()
	db := openWith(t, "PRAGMA foreign_keys = OFF;"+before)
	from, _, err := Inspect(db, nil)
	must(t, err)
	ids := map[string]int{}
	for _, table := range from.Tables {
		ids[table.Name] = table.ID
	}
	must(t, db.Script(script))
	to, _, err = Inspect(db, ids)
	must(t, err)
	return from, to, Compare(from, to)
}

func describeMove(m *Move) string {
	var parts []string
	for _, t := range m.Added {
		parts = append(parts, fmt.Sprintf("added %s=%d", t.Name, t.ID))
	}
	for _, w := range m.Widened {
		parts = append(parts, fmt.Sprintf("widened %s by %s", w.To.Name, strings.Join(w.Defs, " | ")))
	}
	for _, o := range m.Out {
		parts = append(parts, "out "+o.Table.Name)
	}
	for what, list := range map[string][]tidemark.Object{"new": m.Objects, "changed": m.Changed, "dropped": m.Dropped} {
		for _, o := range list {
			parts = append(parts, what+" "+o.Type+" "+o.Name)
		}
	}
	slices.Sort(parts)
	return strings.Join(parts, "; ")
}

func TestCompare(t *testing.T) {
	const base = `CREATE TABLE a(id INTEGER PRIMARY KEY, v TEXT DEFAULT '(,', "w x" -- the last
		, CHECK (v <> ')'));
		CREATE TABLE b(k TEXT PRIMARY KEY, v) WITHOUT ROWID; CREATE TABLE plain(x); CREATE INDEX ix ON a(v); CREATE VIEW vw AS SELECT 1;`
	for _, c := range []struct{ script, want string }{
		{"", ""},
		{"ALTER TABLE a ADD COLUMN n INT NOT NULL DEFAULT 5 CHECK (n > 0)", "widened a by n INT NOT NULL DEFAULT 5 CHECK (n > 0)"},
		{"ALTER TABLE a ADD COLUMN n; ALTER TABLE a ADD \"o, )\" TEXT /* , */ COLLATE NOCASE", `widened a by n | "o, )" TEXT /* , */ COLLATE NOCASE`},
		{"ALTER TABLE b ADD COLUMN g AS (v || 1); ALTER TABLE b ADD COLUMN h DEFAULT ','", "widened b by g AS (v || 1) | h DEFAULT ','"},
		{"ALTER TABLE a ADD COLUMN b_k TEXT REFERENCES b", "widened a by b_k TEXT REFERENCES b"},
		{"CREATE TABLE c(id INTEGER PRIMARY KEY); CREATE UNIQUE INDEX u ON b(v); CREATE TABLE nokey(a)", "added c=3; new index u; new table nokey"},
		{"CREATE TRIGGER tr AFTER INSERT ON a BEGIN SELECT 1; END; DROP VIEW vw; CREATE VIEW vw AS SELECT 2; DROP INDEX ix", "changed view vw; dropped index ix; new trigger tr"},
		{"DROP TABLE b", "out b"},
		{"ALTER TABLE b RENAME TO b2", "added b2=3; out b"},
		{"ALTER TABLE a RENAME COLUMN v TO vv", "changed index ix; out a"},
		{"ALTER TABLE b DROP COLUMN v", "out b"},
		{"DROP TABLE b; CREATE TABLE b(k TEXT PRIMARY KEY, v INT) WITHOUT ROWID", "out b"},
		{"DROP TABLE b; CREATE TABLE b(k TEXT PRIMARY KEY, v)", "out b"},
		{"DROP TABLE b; CREATE TABLE b(k TEXT PRIMARY KEY, v, w UNIQUE) WITHOUT ROWID", "out b"},
		{"DROP TABLE b; CREATE TABLE b(k TEXT PRIMARY KEY, v, w NOT NULL) WITHOUT ROWID", "out b"},
		{"DROP TABLE b; CREATE TABLE b(k TEXT PRIMARY KEY, v, w DEFAULT CURRENT_TIMESTAMP) WITHOUT ROWID", "out b"},
		{"DROP TABLE b; CREATE TABLE b(k TEXT PRIMARY KEY, v, w DEFAULT (random())) WITHOUT ROWID", "out b"},
		{"DROP TABLE b; CREATE TABLE b(k TEXT PRIMARY KEY, w, v) WITHOUT ROWID", "out b"},
		{"DROP TABLE b; CREATE TABLE b(k, v)", "new table b; out b"},
		{"DROP TABLE b; CREATE TABLE b(k TEXT PRIMARY KEY, v CHECK (v > 0)) WITHOUT ROWID", "out b"},
	} {
		from, to, m := moved(t, base, c.script)
		got := describeMove(m)
		if strings.Contains(c.want, "new table b; out b") {
			got = strings.Replace(got, "out b", "new table b; out b", 1) // it was an object before as well
		}
		if got != c.want {
			t.Errorf("%s:\ngot  %s\nwant %s", c.script, got, c.want)
		}
		if (from.Hash == to.Hash) != (c.script == "") {
			t.Errorf("%s: hashes %s and %s", c.script, from.Hash, to.Hash)
		}
		for _, o := range m.Out {
			if !strings.Contains(o.Reason, o.Table.Name) || strings.Count(o.Reason, ".") < 2 {
				t.Errorf("%s: %q does not say what happened and what to do", c.script, o.Reason)
			}
		}
	}
}

// TestWideningTravels replays what Compare found on a copy and compares the texts.
func TestWideningTravels(t *testing.T) {
	const before = `CREATE TABLE "a b"(id INTEGER PRIMARY KEY, [v] TEXT, UNIQUE(v)); CREATE TABLE c(x TEXT NOT NULL PRIMARY KEY) -- done
		;`
	_, to, m := moved(t, before, `
		ALTER TABLE "a b" ADD COLUMN "x""y" REAL DEFAULT -1.5;
		ALTER TABLE "a b" ADD z TEXT COLLATE RTRIM DEFAULT 'it''s';
		ALTER TABLE c ADD COLUMN d GENERATED ALWAYS AS (x || ',') VIRTUAL;
		ALTER TABLE c ADD COLUMN e;`)
	replica := openWith(t, before)
	for _, w := range m.Widened {
		for _, def := range w.Defs {
			must(t, replica.Script("ALTER TABLE "+lite.Quote(w.To.Name)+" ADD COLUMN "+def))
		}
	}
	ids := map[string]int{}
	for _, table := range to.Tables {
		ids[table.Name] = table.ID
	}
	s, _, err := Inspect(replica, ids)
	must(t, err)
	if s.Hash != to.Hash || len(m.Widened) != 2 {
		t.Errorf("the copy has schema %s, the original %s: %s", Encode(s), Encode(to), describeMove(m))
	}
}

// TestTableOut: a table that left syncing stays out, whatever comes.
func TestTableOut(t *testing.T) {
	from, to, _ := moved(t, "CREATE TABLE a(id INTEGER PRIMARY KEY)", "ALTER TABLE a ADD COLUMN v")
	from.Tables[0].Out = "it changed"
	if got := describeMove(Compare(from, to)); got != "" {
		t.Error(got)
	}
	from.Tables[0].Out, to.Tables[0].Out = "", "somebody said so. Do this."
	if m := Compare(from, to); len(m.Out) != 1 || m.Out[0].Reason != "somebody said so. Do this." {
		t.Error(describeMove(m))
	}
}

func TestComparePolicies(t *testing.T) {
	for name, change := range map[string]func(t *tidemark.Table){
		"of the table":  func(t *tidemark.Table) { t.Policy.Keep = tidemark.KeepNothing },
		"of a column":   func(t *tidemark.Table) { t.Columns[1].Policy = tidemark.PolicyText },
		"of a function": func(t *tidemark.Table) { t.Columns[1].Custom = "f" },
		"of a group":    func(t *tidemark.Table) { t.Columns[1].Group, t.Columns[2].Group = "v+n", "v+n" },
		"of references": func(t *tidemark.Table) { t.ForeignKeys[0].SetNull = true },
	} {
		t.Run(name, func(t *testing.T) {
			const base = "CREATE TABLE a(id INTEGER PRIMARY KEY, v TEXT, n INT REFERENCES a); CREATE TABLE b(id INTEGER PRIMARY KEY)"
			from, to, _ := moved(t, base, "ALTER TABLE a ADD COLUMN more")
			change(to.Named("a"))
			m := Compare(from, to)
			if got := describeMove(m); got != "widened a by more" || len(m.Policies) != 1 || m.Policies[0] != to.Named("a") {
				t.Errorf("a column was added, too: %s, policies of %d tables", got, len(m.Policies))
			}
			_, same, _ := moved(t, base, "")
			change(same.Named("a"))
			if got := describeMove(Compare(from, same)); got != "" || len(Compare(from, same).Policies) != 1 {
				t.Errorf("%s", got)
			}
			if HashOf(from) == HashOf(same) {
				t.Error("the hash is the same")
			}
			if back, err := Decode(Encode(same)); err != nil || HashOf(back) != HashOf(same) {
				t.Errorf("not what was encoded: %v", err)
			}
		})
	}
}

func TestCheckNames(t *testing.T) {
	for sql, want := range map[string]string{
		"CREATE TABLE t(a, b CHECK (a > 0), c)":                                         "a",
		"CREATE TABLE t(a INTEGER PRIMARY KEY, CHECK(\"A\" > b), c)":                    "a b",
		"CREATE TABLE t(a, [check], c DEFAULT 'CHECK (a)', -- CHECK (a)\n d)":           "",
		"CREATE TABLE t(a, b, CONSTRAINT ok cHeCk ((a) < (b)) , c, check (length(c)))":  "a b c length",
		"CREATE TABLE t(a CHECK (a IN ('CHECK (b)', x'00', `c d`)))":                    "a c d in",
		"CREATE TABLE t(a CHECK (":                                                      "",
		"CREATE TABLE t(a CHECK":                                                        "",
		"CREATE TABLE t(Ä CHECK (Ä > 0))":                                               "Ä",
		"CREATE TABLE t(\"check\" (a))":                                                 "",
		"CREATE TABLE t(a, b AS (a + 1) CHECK (b /* a */ > 0), UNIQUE (a), x CHECK(0))": "b",
	} {
		var names []string
		for name := range CheckNames(sql) {
			names = append(names, name)
		}
		slices.Sort(names)
		if got := strings.Join(names, " "); got != want {
			t.Errorf("%s: %q, want %q", sql, got, want)
		}
	}
}

func TestSuspects(t *testing.T) {
	db := openWith(t, `
CREATE TABLE Artist (ArtistId INTEGER PRIMARY KEY, name);
CREATE TABLE categories (id INTEGER PRIMARY KEY, name);
CREATE TABLE performers (performer_id INTEGER PRIMARY KEY);
CREATE TABLE things (id INTEGER PRIMARY KEY, artist_id, ArtistID2, category_id, PerformerId, paid, id_artist, valid,
	declared INTEGER REFERENCES Artist, own_id);`)
	s, _, err := Inspect(db, nil)
	must(t, err)
	var got []string
	for _, x := range Suspects(s) {
		got = append(got, x.Table+"."+x.Column+">"+x.Parent)
	}
	if want := "things.artist_id>Artist things.category_id>categories things.PerformerId>performers"; strings.Join(got, " ") != want {
		t.Errorf("%v", got)
	}
}
