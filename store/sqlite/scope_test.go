package sqlite

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/tidemarkdb/tidemark"
)

const garden = `CREATE TABLE project (id INTEGER PRIMARY KEY, name TEXT);
CREATE TABLE task (id INTEGER PRIMARY KEY, project INT REFERENCES project, title TEXT);
CREATE TABLE named (name TEXT PRIMARY KEY, project INT);
INSERT INTO project VALUES (1, 'a'), (2, 'b');
INSERT INTO task VALUES (10, 1, 'dig'), (20, 2, 'sow'), (30, NULL, 'rest');
INSERT INTO named VALUES ('x', 1);`

func gardenScopes(*tidemark.Schema) (*tidemark.Scopes, error) {
	return &tidemark.Scopes{List: []tidemark.Scope{{
		Name: "project", Keyed: true, Grant: "SELECT id FROM project", Members: []tidemark.Member{
			{Table: "project", Path: []string{"id"}}, {Table: "task", Path: []string{"project"}}, {Table: "named", Path: []string{"project"}},
		},
	}}}, nil
}

// scopesOfRow shows where a row is and since when.
func scopesOfRow(t *testing.T, s *Store, table string, key tidemark.Value) (list []tidemark.RowScope) {
	t.Helper()
	err := s.View(context.Background(), func(v tidemark.View) (err error) {
		list, err = v.ScopesOf(v.Schema().Named(table).ID, []tidemark.Value{key})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return list
}

func isIn(t *testing.T, s *Store, table string, key tidemark.Value, want ...tidemark.RowScope) {
	t.Helper()
	got := scopesOfRow(t, s, table, key)
	if len(got) != len(want) {
		t.Fatalf("%v, want %v", got, want)
	}
	for i := range got {
		if got[i] != want[i] {
			t.Fatalf("%v, want %v", got, want)
		}
	}
}

func openGarden(t *testing.T, path string, o Options) *Store {
	t.Helper()
	o.Space, o.Rand = "app", fixed()
	s, err := Open(path, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = s.Close()
		if err := sound(path); err != nil {
			t.Error(err)
		}
	})
	return s
}

func TestRowsAreInTheirScopesFromTheStart(t *testing.T) {
	path := makeFile(t, garden)
	s := openGarden(t, path, Options{Scopes: gardenScopes})
	// Nothing has to be sequenced first.
	isIn(t, s, "task", tidemark.Int(10), tidemark.RowScope{Scope: "project/1", Live: true})
	isIn(t, s, "task", tidemark.Int(30))
	err := s.View(context.Background(), func(v tidemark.View) error {
		rows := 0
		err := v.Feed(tidemark.ScopeCursor{}, []tidemark.ScopeFrom{{Scope: "project/1", After: -1}}, func(tidemark.ScopeCursor, tidemark.Change) bool {
			rows++
			return true
		})
		granted, gerr := v.Granted(tidemark.Principal{ID: "ann"})
		if rows != 3 || strings.Join(granted, " ") != "project/1 project/2" {
			t.Errorf("%d rows, granted %v", rows, granted)
		}
		return errors.Join(err, gerr)
	})
	if err != nil {
		t.Fatal(err)
	}
}

// asUnscoped takes off a served file what builds before scopes did not have.
const asUnscoped = "DROP TABLE _tm_scope; DROP TABLE _tm_feed; DROP TABLE _tm_about"

func TestAFileOfAnEarlierBuildGetsScopes(t *testing.T) {
	path := makeFile(t, garden)
	s, err := Open(path, Options{Space: "app", Rand: fixed()})
	if err != nil {
		t.Fatal(err)
	}
	shell(t, path, "UPDATE task SET title = 'dig deep' WHERE id = 10")
	sequence(t, s)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	shell(t, path, asUnscoped)
	rememberIn(t, path)
	s = openGarden(t, path, Options{Scopes: gardenScopes})
	err = s.View(context.Background(), func(tidemark.View) error { return nil })
	if tidemark.CodeOf(err) != tidemark.CodeBusy {
		t.Errorf("a look before the scopes are in force: %v", err)
	}
	if w := sequence(t, s); w.Moved == nil || !w.Moved.Schema.Scoped() {
		t.Fatalf("moved %+v", w.Moved)
	}
	isIn(t, s, "task", tidemark.Int(10), tidemark.RowScope{Scope: "project/1", Live: true, Seq: 2})
}

// While nothing is declared nobody keeps the feed. An earlier build, too, takes the
// scopes off the schema and leaves the feed alone.
func TestTheFeedIsMadeAnewAfterNobodyKeptIt(t *testing.T) {
	path := makeFile(t, garden)
	s, err := Open(path, Options{Space: "app", Rand: fixed(), Scopes: gardenScopes})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s, err = Open(path, Options{Space: "app", Rand: fixed(), Scopes: unscoped})
	if err != nil {
		t.Fatal(err)
	}
	sequence(t, s)
	shell(t, path, "UPDATE task SET project = 2 WHERE id = 10; UPDATE project SET name = 'z' WHERE id = 1; DELETE FROM task WHERE id = 20")
	sequence(t, s)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = openGarden(t, path, Options{Scopes: gardenScopes})
	sequence(t, s)
	isIn(t, s, "task", tidemark.Int(10), tidemark.RowScope{Scope: "project/1", Seq: 3}, tidemark.RowScope{Scope: "project/2", Live: true, Seq: 3})
	isIn(t, s, "task", tidemark.Int(20), tidemark.RowScope{Scope: "project/2", Seq: 3})
	isIn(t, s, "project", tidemark.Int(1), tidemark.RowScope{Scope: "project/1", Live: true, Seq: 2})
}

func TestScopesThatFailLater(t *testing.T) {
	path := makeFile(t, garden)
	var broken bool
	var warned []string
	s := openGarden(t, path, Options{
		Warn: func(m string) { warned = append(warned, m) },
		Scopes: func(sc *tidemark.Schema) (*tidemark.Scopes, error) {
			if broken {
				return nil, errors.New("the file is gone")
			}
			return gardenScopes(sc)
		},
	})
	sequence(t, s)
	broken = true
	shell(t, path, "CREATE TABLE more (id INTEGER PRIMARY KEY)")
	sequence(t, s)
	if len(warned) != 1 || !strings.Contains(warned[0], "the file is gone") {
		t.Errorf("warned %q", warned)
	}
	isIn(t, s, "task", tidemark.Int(10), tidemark.RowScope{Scope: "project/1", Live: true})
	if sc := s.last.Load().schema; !sc.Scoped() || sc.Named("more") == nil {
		t.Errorf("the schema is %v", sc.Scopes)
	}
}

// A condition that fails for some row keeps that row on the server, and no group fails.
func TestAConditionThatFails(t *testing.T) {
	path := makeFile(t, garden+`UPDATE task SET title = '{}'; UPDATE task SET title = 'no json' WHERE id = 20;`)
	s, err := Open(path, Options{Space: "app", Rand: fixed(), Scopes: func(sc *tidemark.Schema) (*tidemark.Scopes, error) {
		d, err := gardenScopes(sc)
		d.List[0].Members[1].Where = "json(title) IS NOT NULL"
		return d, err
	}})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	isIn(t, s, "task", tidemark.Int(10), tidemark.RowScope{Scope: "project/1", Live: true})
	isIn(t, s, "task", tidemark.Int(20))
	shell(t, path, "UPDATE task SET title = 'neither' WHERE id = 10; UPDATE task SET title = '[]' WHERE id = 20")
	sequence(t, s)
	isIn(t, s, "task", tidemark.Int(10), tidemark.RowScope{Scope: "project/1", Seq: 1})
	isIn(t, s, "task", tidemark.Int(20), tidemark.RowScope{Scope: "project/2", Live: true, Seq: 1})
}

func TestTheDoctorKnowsScopes(t *testing.T) {
	for name, c := range map[string]struct{ script, want string }{
		"a row is missing":          {"DELETE FROM _tm_feed WHERE t = 2 AND key = (SELECT min(key) FROM _tm_feed WHERE t = 2)", "is taken to be in the scopes [], and is in"},
		"a row is elsewhere":        {"UPDATE _tm_feed SET s = (SELECT i FROM _tm_scope WHERE name = 'project/2') WHERE t = 3", "row ['x'] of named"},
		"a row too many":            {"INSERT INTO _tm_feed SELECT t, x'1234', s, seq, 1, joined FROM _tm_feed WHERE t = 3", "rows of named are 2 times in a scope"},
		"a sum is wrong":            {"UPDATE _tm_scope SET sum = sum + 1 WHERE name = 'project/1'", "the sum of scope project/1"},
		"a seq from the future":     {"UPDATE _tm_feed SET seq = 99 WHERE t = 3", "at a seq that cannot be"},
		"a subject is not known":    {"DELETE FROM _tm_about", "it is not known which row conflict"},
		"another declaration":       {"UPDATE _tm_meta SET v = '{}' WHERE k = 'scopes'", "the scopes were declared anew"},
		"a file that is as it was":  {"SELECT 1", "times a row is in one of"},
		"what is not sequenced yet": {"UPDATE task SET project = 2", "was not looked at"},
	} {
		t.Run(name, func(t *testing.T) {
			path := makeFile(t, garden)
			s, err := Open(path, Options{Space: "app", Rand: fixed(), Scopes: gardenScopes})
			if err != nil {
				t.Fatal(err)
			}
			shell(t, path, `INSERT INTO tm_conflicts VALUES ('1-1', 'open', 'task', '[10]', NULL, NULL, 'manual', 'mine', NULL, NULL, NULL, NULL, 'r/1', '', 1, 1, 1)`)
			sequence(t, s)
			isIn(t, s, tidemark.ConflictsTable, tidemark.Text("1-1"), tidemark.RowScope{Scope: "project/1", Live: true, Seq: 1})
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			shell(t, path, c.script)
			found, err := Doctor(path)
			if err != nil {
				t.Fatal(err)
			}
			for _, f := range found {
				if f.About == "scopes" && strings.Contains(f.Message, c.want) {
					return
				}
			}
			t.Errorf("found %+v, want %q", found, c.want)
		})
	}
}

// What depends on a row that capture missed cannot always be told from the row alone.
func TestScrubFindsWhatMovedPastCapture(t *testing.T) {
	path := makeFile(t, `CREATE TABLE p (id INTEGER PRIMARY KEY, code TEXT UNIQUE); CREATE TABLE c (id INTEGER PRIMARY KEY, code TEXT REFERENCES p(code) ON UPDATE CASCADE);
		INSERT INTO p VALUES (1, 'a'), (2, 'b'); INSERT INTO c VALUES (1, 'a'), (2, 'b');`)
	s := openGarden(t, path, Options{Scopes: func(*tidemark.Schema) (*tidemark.Scopes, error) {
		return &tidemark.Scopes{List: []tidemark.Scope{{Name: "p", Keyed: true, Grant: "SELECT id FROM p", Members: []tidemark.Member{{Table: "c", Path: []string{"code", "id"}}}}}}, nil
	}})
	// The codes trade places, and no row of c changes.
	if err := run(path, "PRAGMA foreign_keys = OFF; UPDATE p SET code = 'x' WHERE id = 1; UPDATE p SET code = 'a' WHERE id = 2; UPDATE p SET code = 'b' WHERE id = 1", false); err != nil {
		t.Fatal(err)
	}
	err := s.Group(context.Background(), func(tx tidemark.Tx) error {
		if _, err := tx.Foreign(); err != nil {
			return err
		}
		missed, _, err := s.Scrub(context.Background(), tx, "", 1000)
		if err != nil {
			return err
		}
		return tx.Append(tidemark.LogEntry{Effects: missed})
	})
	if err != nil {
		t.Fatal(err)
	}
	isIn(t, s, "c", tidemark.Int(1), tidemark.RowScope{Scope: "p/1", Seq: 1}, tidemark.RowScope{Scope: "p/2", Live: true, Seq: 1})
	isIn(t, s, "c", tidemark.Int(2), tidemark.RowScope{Scope: "p/1", Live: true, Seq: 1}, tidemark.RowScope{Scope: "p/2", Seq: 1})
}

// A parent that goes past capture leaves its children where nothing leads on.
func TestScrubFindsRowsThatLostTheirPath(t *testing.T) {
	path := makeFile(t, `CREATE TABLE p (id INTEGER PRIMARY KEY, code TEXT UNIQUE, k INT);
		CREATE TABLE byid (id INTEGER PRIMARY KEY, p INT REFERENCES p); CREATE TABLE bycode (id INTEGER PRIMARY KEY, code TEXT REFERENCES p(code));
		INSERT INTO p VALUES (1, 'a', 7), (2, 'b', 7); INSERT INTO byid VALUES (1, 1), (2, 2); INSERT INTO bycode VALUES (1, 'a'), (2, 'b');`)
	s, err := Open(path, Options{Space: "app", Rand: fixed(), Scopes: func(*tidemark.Schema) (*tidemark.Scopes, error) {
		return &tidemark.Scopes{List: []tidemark.Scope{{Name: "p", Keyed: true, Grant: "SELECT k FROM p", Members: []tidemark.Member{
			{Table: "byid", Path: []string{"p", "k"}}, {Table: "bycode", Path: []string{"code", "k"}},
		}}}}, nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	scrub := func(smuggled string) {
		t.Helper()
		if err := run(path, "PRAGMA foreign_keys = OFF; "+smuggled, false); err != nil {
			t.Fatal(err)
		}
		err := s.Group(context.Background(), func(tx tidemark.Tx) error {
			if _, err := tx.Foreign(); err != nil {
				return err
			}
			missed, _, err := s.Scrub(context.Background(), tx, "", 1000)
			if err != nil {
				return err
			}
			return tx.Append(tidemark.LogEntry{Effects: missed})
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	in, left := tidemark.RowScope{Scope: "p/7", Live: true}, tidemark.RowScope{Scope: "p/7", Seq: 1}
	scrub("UPDATE p SET code = 'z' WHERE id = 1")
	isIn(t, s, "bycode", tidemark.Int(1), left)
	isIn(t, s, "byid", tidemark.Int(1), in)
	scrub("DELETE FROM p WHERE id = 1")
	left.Seq = 2
	isIn(t, s, "byid", tidemark.Int(1), left)
	isIn(t, s, "byid", tidemark.Int(2), in)
	isIn(t, s, "bycode", tidemark.Int(2), in)
}
