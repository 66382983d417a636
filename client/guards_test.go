package client

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/lite"
	"github.com/tidemarkdb/tidemark/server"
)

// ruled serves tasks of which people may change their own.
func ruled(t testing.TB, hook server.Hook) *service {
	t.Helper()
	s := serve(t)
	s.stop()
	dir := t.TempDir()
	const yaml = `rules: { tables: { task: { insert: NEW.author = :user, update: OLD.author = :user AND NEW.state <> 'lost', delete: OLD.author = :user, immutable: [author] } } }`
	if err := os.WriteFile(filepath.Join(dir, "tidemark.yaml"), []byte(yaml), 0o600); err != nil {
		t.Fatal(err)
	}
	s.file = filepath.Join(dir, "shop.sqlite")
	db, err := lite.Open(s.file, lite.Options{Create: true})
	if err == nil {
		err = errors.Join(db.Script(`CREATE TABLE task (id INTEGER PRIMARY KEY, author TEXT, state TEXT NOT NULL);
			CREATE TABLE log (id INTEGER PRIMARY KEY, what TEXT); INSERT INTO task VALUES (1, 'ana', 'open'), (2, 'bo', 'open')`), db.Close())
	}
	if err != nil {
		t.Fatal(err)
	}
	srv, err := server.Open(s.file, server.Options{Auth: opaque{}, Hook: hook})
	if err != nil {
		t.Fatal(err)
	}
	s.srv = srv
	s.through(srv)
	return s
}

// refused runs a statement that the copy must refuse by itself.
func refused(t testing.TB, db *DB, sql, message string, columns ...string) {
	t.Helper()
	_, err := db.Exec(t.Context(), sql)
	var e *tidemark.Error
	if !errors.As(err, &e) || e.Code != tidemark.CodeForbidden || e.Table == "" || !strings.Contains(e.Msg, message) || len(e.Columns) != len(columns) {
		t.Errorf("%s: %v, want it forbidden: %s", sql, err, message)
	}
}

func TestACopyRefusesEarly(t *testing.T) {
	s := ruled(t, nil)
	ana := s.scoped("ana", Options{})
	if _, err := ana.Sync(t.Context()); err != nil { // whose copy it is
		t.Fatal(err)
	}
	refused(t, ana, "INSERT INTO task VALUES (9, 'bo', 'open')", "insert this row of task")
	refused(t, ana, "UPDATE task SET state = 'done' WHERE id = 2", "update this row of task")
	refused(t, ana, "UPDATE task SET author = 'bo' WHERE id = 1", "column author of task cannot be changed", "author")
	refused(t, ana, "DELETE FROM task WHERE id = 2", "delete this row of task")
	refused(t, ana, "INSERT INTO log VALUES (1, 'x')", "the rules allow nobody to insert rows of log")
	st, err := ana.Status()
	if err != nil || st.Pending > 0 || st.Unsealed {
		t.Errorf("%+v, %v", st, err)
	}
	// A transaction that a guard refused can go on.
	err = ana.Transaction(t.Context(), func(tx *Tx) error {
		if _, err := tx.Exec("UPDATE task SET state = 'lost' WHERE id = 1"); err == nil {
			t.Error("a guard let pass what the rules forbid")
		}
		_, err := tx.Exec("UPDATE task SET state = 'done' WHERE id = 1")
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	// What is undone is a write like any other.
	if _, err := ana.Undo(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := ana.Redo(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := ana.Sync(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := mustQuery(t, ana, "SELECT state FROM task WHERE id = 1"); got != "'done'" {
		t.Errorf("state %s", got)
	}
	list, err := ana.Rejected()
	if err != nil || len(list) > 0 {
		t.Errorf("%v, %v", list, err)
	}
	// Confirmed rows are never refused.
	s.run("INSERT INTO task VALUES (3, 'cy', 'lost'), (4, NULL, 'lost')")
	s.run("UPDATE task SET author = 'dee' WHERE id = 2")
	if _, err := ana.Sync(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := mustQuery(t, ana, "SELECT group_concat(author) FROM task"); got != "'ana,dee,cy'" {
		t.Errorf("authors %s", got)
	}
}

// A hook may change what was asked for, so nothing is refused before it was asked.
func TestNoCopyRefusesBeforeAHook(t *testing.T) {
	s := ruled(t, func(_ context.Context, call *server.HookCall) error {
		for _, c := range call.Changes {
			c.Set("author", tidemark.Text(call.Principal.ID))
		}
		return nil
	})
	ana := s.scoped("ana", Options{})
	mustExec(t, ana, "INSERT INTO task VALUES (9, 'bo', 'open')")
	if _, err := ana.Sync(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := mustQuery(t, ana, "SELECT author FROM task WHERE id = 9"); got != "'ana'" {
		t.Errorf("author %s", got)
	}
}
