package client

import (
	"fmt"
	"testing"

	"github.com/tidemarkdb/tidemark"
)

func TestUndoAndRedoSync(t *testing.T) {
	s := serve(t)
	a, b := s.clone(Options{}), s.clone(Options{})
	mustExec(t, a, "UPDATE album SET title = 'x', year = 2000 WHERE id = 1")
	mustSync(t, a)
	mustSync(t, b)
	mustExec(t, b, "UPDATE album SET year = 2001 WHERE id = 1")
	mustSync(t, b)
	mustSync(t, a)
	u, err := a.Undo(t.Context())
	if err != nil || len(u.Changes) != 1 || len(u.Left) != 1 || u.Left[0].Column != "year" {
		t.Fatalf("%+v %v", u, err)
	}
	mustSync(t, a)
	mustSync(t, b)
	if got := mustQuery(t, b, "SELECT title, year FROM album WHERE id = 1"); got != "'First',2001" {
		t.Error(got)
	}
	if _, err := a.Redo(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.converged(a, b)
	if got := mustQuery(t, b, "SELECT title, year FROM album WHERE id = 1"); got != "'x',2001" {
		t.Error(got)
	}
	_, err = a.Redo(t.Context())
	codeIs(t, err, tidemark.CodeNotFound)
	_, err = b.Redo(t.Context())
	codeIs(t, err, tidemark.CodeNotFound)
}

func TestAWatchHearsOfAnUndo(t *testing.T) {
	a := serve(t).clone(Options{})
	r := watch(t, a, "SELECT title FROM album WHERE id = 1")
	r.want(t, "'First'")
	mustExec(t, a, "UPDATE album SET title = 'x' WHERE id = 1")
	r.want(t, "'x'")
	if _, err := a.Undo(t.Context()); err != nil {
		t.Fatal(err)
	}
	r.want(t, "'First'")
}

func TestARejectedChangesetIsEditedAndRetried(t *testing.T) {
	s := serve(t)
	a, b := s.clone(Options{}), s.clone(Options{})
	for i, edit := range []func(Rejected) error{
		func(r Rejected) error {
			r.Changes[0].New[1] = tidemark.Text("free")
			return b.EditAndRetry(t.Context(), r.ID, r.Changes)
		},
		func(r Rejected) error {
			return b.ReplaceAndRetry(t.Context(), r.ID, Replacement{Table: "artist", Key: r.Changes[0].Key, Column: "name", Value: tidemark.Text("free, too")})
		},
	} {
		mustExec(t, a, "INSERT INTO artist (name) VALUES (?)", fmt.Sprint("taken ", i))
		mustExec(t, b, "INSERT INTO artist (id, name) VALUES (90, ?)", fmt.Sprint("taken ", i))
		mustSync(t, a)
		mustSync(t, b)
		list, err := b.Rejected()
		if err != nil || len(list) != 1 || list[0].Code != tidemark.CodeUnique {
			t.Fatalf("%+v %v", list, err)
		}
		if err := b.EditAndRetry(t.Context(), list[0].ID, nil); tidemark.CodeOf(err) != tidemark.CodeUsage {
			t.Errorf("no changes: %v", err)
		}
		if err := edit(list[0]); err != nil {
			t.Fatal(err)
		}
		if res := mustSync(t, b); res.Accepted != 1 {
			t.Fatalf("%+v", res)
		}
		if list, err := b.Rejected(); err != nil || len(list) != 0 {
			t.Fatalf("%+v %v", list, err)
		}
		mustExec(t, b, "UPDATE artist SET id = ? WHERE id = 90", 900+i)
	}
	s.converged(a, b)
	if got := mustQuery(t, a, "SELECT count(*) FROM artist WHERE name LIKE 'free%'"); got != "2" {
		t.Error(got)
	}
}
