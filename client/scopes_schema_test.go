package client

import "testing"

// proven syncs and makes sure that what was held was equal to the server's all
// along, and not only after a repair.
func proven(t testing.TB, db *DB, when string) {
	t.Helper()
	mustSync(t, db)
	st, err := db.Status()
	if err != nil {
		t.Fatal(err)
	}
	if !st.Proven || st.Repair != "" || st.Stopped != "" {
		t.Errorf("%s: proven %v, repair %q, stopped %q", when, st.Proven, st.Repair, st.Stopped)
	}
	r, err := db.Verify(t.Context())
	if err != nil || r.Differed != 0 {
		t.Errorf("%s: %+v %v", when, r, err)
	}
}

// Columns that every row gets move the sums of all scopes, without a part.
func TestNewColumnsOfScopes(t *testing.T) {
	s := team(t)
	ana, bo := s.scoped("ana", Options{}), s.scoped("bo", Options{}, Want{Scope: "project/van"})
	if _, err := ana.Exec(t.Context(), "UPDATE task SET title = 'Draw it' WHERE id = 1"); err != nil {
		t.Fatal(err)
	}
	s.run("ALTER TABLE task ADD COLUMN prio INTEGER NOT NULL DEFAULT 3")
	proven(t, ana, "a column with a default")
	s.run("UPDATE task SET prio = 5 WHERE id IN (2, 3)")
	s.run("ALTER TABLE comment ADD COLUMN seen INTEGER DEFAULT 0")
	for _, db := range []*DB{ana, bo} {
		proven(t, db, "rows that changed and another column")
	}
	if got := mustQuery(t, ana, "SELECT id, title, prio FROM task ORDER BY id"); got != "1,'Draw it',3; 2,'Buy',5" {
		t.Error(got)
	}
	s.run("UPDATE task SET project = 'site' WHERE id = 3")
	for _, db := range []*DB{ana, bo} {
		proven(t, db, "a row moved with its new column")
	}
	holds(t, ana, "1 2 3")
	if err := bo.Subscribe(t.Context(), Want{Scope: "project/site"}); err != nil {
		t.Fatal(err)
	}
	proven(t, bo, "a scope that came later")
}

// A table that leaves syncing leaves all scopes. Those whose rows were in scopes
// by it leave, too.
func TestTableLeavesSyncingInScopes(t *testing.T) {
	s := team(t)
	ana, bo := s.scoped("ana", Options{}), s.scoped("bo", Options{}, Want{Scope: "project/van"})
	s.run("ALTER TABLE comment RENAME COLUMN body TO words")
	proven(t, ana, "the last of a path")
	s.run("UPDATE task SET title = 'Buy one' WHERE id = 2")
	s.run("UPDATE task SET title = 'Oil it' WHERE id = 3")
	for _, db := range []*DB{ana, bo} {
		proven(t, db, "rows that changed since")
	}
	if got := mustQuery(t, bo, "SELECT title FROM task ORDER BY id"); got != "'Oil it'; 'Tyres'" {
		t.Error(got)
	}
	if err := bo.Subscribe(t.Context(), Want{Scope: "project/site"}); err != nil {
		t.Fatal(err)
	}
	proven(t, bo, "a scope that came later")
	holds(t, bo, "1 2 3 4")
}

// What a copy loses leaves its file, also of a table that does not sync any more.
func TestLostScopeTakesRowsOfTablesThatLeft(t *testing.T) {
	s := team(t)
	ana := s.scoped("ana", Options{})
	s.run("ALTER TABLE comment RENAME COLUMN body TO words")
	proven(t, ana, "a table left")
	s.run("DELETE FROM member WHERE person = 'ana' AND project = 'site'")
	proven(t, ana, "a scope was lost")
	if got := mustQuery(t, ana, "SELECT (SELECT count(*) FROM task), (SELECT count(*) FROM comment)"); got != "1,0" {
		t.Errorf("holds %s", got)
	}
}

// What hangs on a table that left is in no scope by it.
func TestTableInAPathLeavesSyncing(t *testing.T) {
	s := team(t)
	ana, bo := s.scoped("ana", Options{}), s.scoped("bo", Options{}, Want{Scope: "project/van"})
	s.run("ALTER TABLE task RENAME COLUMN title TO subject")
	s.run("INSERT INTO comment VALUES (9, 3, 'of a task that does not sync')")
	for _, db := range []*DB{ana, bo} {
		proven(t, db, "the middle of a path")
		if got := mustQuery(t, db, "SELECT count(*) FROM comment"); got != "0" {
			t.Errorf("%s comments", got)
		}
	}
	s.run("UPDATE project SET name = 'Newer' WHERE id = 'site'")
	proven(t, ana, "rows that changed since")
	if got := mustQuery(t, ana, "SELECT name FROM project"); got != "'Newer'" {
		t.Error(got)
	}
}
