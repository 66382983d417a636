package sqlite

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/lite"
	"github.com/tidemarkdb/tidemark/internal/meta"
	"github.com/tidemarkdb/tidemark/internal/policy"
)

// asFormat1 takes off a served file what the first format did not have.
const asFormat1 = `DROP TABLE _tm_text; DROP TABLE _tm_time; DROP TABLE _tm_renumbered; DROP TABLE _tm_refused; DROP TABLE _tm_lease;
	CREATE TABLE old_log AS SELECT seq, replica, n, hash, author, at, schema, effects FROM _tm_changeset;
	DROP TABLE _tm_changeset;
	CREATE TABLE _tm_changeset (seq INTEGER PRIMARY KEY, replica TEXT, n INTEGER, hash BLOB, author TEXT, at INTEGER, schema TEXT, effects);
	INSERT INTO _tm_changeset SELECT * FROM old_log; DROP TABLE old_log;
	UPDATE _tm_meta SET v = 1 WHERE k = 'format'`

// oldFile is a file as the first format left it: one changeset, no table of conflicts.
func oldFile(t *testing.T, more string) string {
	t.Helper()
	path := makeFile(t, "CREATE TABLE t (id INTEGER PRIMARY KEY, v TEXT); INSERT INTO t VALUES (1, 'a'), (2, 'b')")
	s, err := Open(path, Options{Space: "app", Rand: fixed()})
	if err != nil {
		t.Fatal(err)
	}
	shell(t, path, "UPDATE t SET v = 'one' WHERE id = 1")
	sequence(t, s)
	id := s.last.Load().schema.Named(tidemark.ConflictsTable).ID
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	without(t, path, id)
	shell(t, path, asFormat1+";"+more)
	rememberIn(t, path)
	return path
}

// without drops the table of conflicts and every trace of it.
func without(t *testing.T, path string, id int) {
	t.Helper()
	db, err := lite.Open(path, lite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	hash, err := meta.Get(db, meta.KeySchema)
	if err != nil {
		t.Fatal(err)
	}
	sc, err := readSchema(db, hash)
	if err != nil {
		t.Fatal(err)
	}
	sc.Tables = slices.DeleteFunc(sc.Tables, func(t *tidemark.Table) bool { return t.ID == id })
	sc.Objects = slices.DeleteFunc(sc.Objects, func(o tidemark.Object) bool { return o.Name == tidemark.ConflictsTable })
	err = db.Transaction(func() error {
		return errors.Join(db.Run("DROP TABLE tm_conflicts"), db.Run("DELETE FROM _tm_table WHERE lower(name) = 'tm_conflicts'"),
			install(db, policy.Overlay(nil, sc)))
	})
	if err != nil {
		t.Fatal(err)
	}
}

func rememberIn(t *testing.T, path string) {
	t.Helper()
	db, err := lite.Open(path, lite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if err := rememberDDL(db); err != nil {
		t.Fatal(err)
	}
}

func past(t *testing.T, s *Store, id int64) (seqs []tidemark.Seq, whole bool) {
	t.Helper()
	err := s.View(context.Background(), func(v tidemark.View) (err error) {
		whole, err = v.History(1, []tidemark.Value{tidemark.Int(id)}, 0, func(e tidemark.RowEffect) bool {
			seqs = append(seqs, e.Seq)
			return true
		})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return seqs, whole
}

func TestAnOlderFileIsUpgraded(t *testing.T) {
	path := oldFile(t, "")
	s := openStore(t, path)
	w := sequence(t, s)
	if w.Moved == nil || !slices.Equal(w.Moved.Added, []string{tidemark.ConflictsTable}) || len(w.Moved.Widened)+len(w.Moved.Out)+len(w.Changes) > 0 {
		t.Fatalf("work %+v, moved %+v", w, w.Moved)
	}
	if head := s.last.Load().head; head != 2 {
		t.Errorf("head %d: the new table takes a seq", head)
	}
	shell(t, path, "UPDATE t SET v = 'zwei' WHERE id = 2; UPDATE t SET v = 'eins' WHERE id = 1")
	sequence(t, s)
	// Of the entry of old it is not known what was before; the row says only
	// that it was the last to touch it.
	if seqs, whole := past(t, s, 1); !slices.Equal(seqs, []tidemark.Seq{3, 1}) || whole {
		t.Errorf("past %v, whole %v", seqs, whole)
	}
	if seqs, whole := past(t, s, 2); !slices.Equal(seqs, []tidemark.Seq{3}) || !whole {
		t.Errorf("past %v, whole %v", seqs, whole)
	}
	err := s.Group(context.Background(), func(tx tidemark.Tx) error {
		_, err := tx.NextID(1)
		return errors.Join(err, tx.SaveRefused("r", 1, 1, []tidemark.Value{tidemark.Int(1)}))
	})
	if err != nil {
		t.Error(err)
	}
	if err := sound(path); err != nil {
		t.Error(err)
	}
}

func TestAnOlderFileWithUnsequencedChanges(t *testing.T) {
	path := oldFile(t, "INSERT INTO t VALUES (3, 'c')")
	s := openStore(t, path)
	if w := sequence(t, s); len(w.Changes) != 1 || w.Moved == nil {
		t.Errorf("work %+v", w)
	}
	if err := sound(path); err != nil {
		t.Error(err)
	}
}

func TestAnOlderFileWhoseAppHasTheName(t *testing.T) {
	path := oldFile(t, "CREATE TABLE tm_conflicts (id INTEGER PRIMARY KEY)")
	before := dump(t, path)
	_, err := Open(path, Options{Space: "app"})
	if tidemark.CodeOf(err) != tidemark.CodeExists || tidemark.HintOf(err) == "" {
		t.Errorf("got %v", err)
	}
	if after := dump(t, path); after != before {
		t.Errorf("the file changed:%s", difference(before, after))
	}
	shell(t, path, "ALTER TABLE tm_conflicts RENAME TO conflict")
	sequence(t, openStore(t, path))
}

func TestTheNameOfConflictsIsTaken(t *testing.T) {
	for _, script := range []string{
		"CREATE TABLE tm_conflicts (id INTEGER PRIMARY KEY, mine)", "CREATE TABLE TM_Conflicts (id INTEGER PRIMARY KEY)",
		"CREATE TABLE t (id INTEGER PRIMARY KEY); CREATE VIEW tm_conflicts AS SELECT * FROM t",
	} {
		path := makeFile(t, script)
		before := dump(t, path)
		_, err := Open(path, Options{Space: "app"})
		if tidemark.CodeOf(err) != tidemark.CodeExists || tidemark.HintOf(err) == "" || !strings.Contains(err.Error(), "tm_conflicts") {
			t.Errorf("%s: %v", script, err)
		}
		if _, err := Check(path); tidemark.CodeOf(err) != tidemark.CodeExists {
			t.Errorf("%s: check says %v", script, err)
		}
		if after := dump(t, path); after != before {
			t.Errorf("%s: the file changed:%s", script, difference(before, after))
		}
	}
}

func TestDetachKeepsAnAppsConflicts(t *testing.T) {
	path := makeFile(t, "CREATE TABLE t (id INTEGER PRIMARY KEY)")
	s, err := Open(path, Options{Space: "app"})
	if err != nil {
		t.Fatal(err)
	}
	sequence(t, s)
	shell(t, path, "ALTER TABLE tm_conflicts ADD COLUMN seen INTEGER; CREATE INDEX conflicts_by_state ON tm_conflicts (state)")
	w := sequence(t, s)
	if w.Moved == nil || !slices.Equal(w.Moved.Widened, []string{tidemark.ConflictsTable}) {
		t.Errorf("moved %+v", w.Moved)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := Detach(path); err != nil {
		t.Fatal(err)
	}
	if d := dump(t, path); !strings.Contains(d, "conflicts_by_state") {
		t.Error("what somebody made of the table is gone")
	}
}

func TestOpenConflicts(t *testing.T) {
	path := makeFile(t, "CREATE TABLE t (id INTEGER PRIMARY KEY)")
	sequence(t, openStore(t, path))
	count := func(want int64) {
		t.Helper()
		if n, err := OpenConflicts(path); n != want || err != nil {
			t.Errorf("%d %v, want %d", n, err, want)
		}
	}
	count(0)
	for _, state := range []string{tidemark.StateOpen, tidemark.StateOpen, tidemark.StateKept} {
		shell(t, path, "INSERT INTO tm_conflicts SELECT 'c' || count(*), '"+state+
			"', 't', '[1]', NULL, NULL, 'manual', 'theirs', NULL, NULL, NULL, NULL, 'r/1', '', 0, 0, 1 FROM tm_conflicts")
	}
	count(2)
}
