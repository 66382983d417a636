package client

import (
	"context"
	"errors"
	"sync"
	"testing"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/lite"
)

// met is a record as the server writes them.
const met = "INSERT INTO tm_conflicts VALUES (?, ?, 'album', ?, ?, NULL, 'manual', 'theirs', ?, ?, ?, 'r2', 'r1/1', '', 1, 2, ?)"

func (s *service) record(id, state, row string, col, base, theirs, mine any, seq int) {
	s.t.Helper()
	values, err := valuesOf([]any{id, state, row, col, base, theirs, mine, seq})
	if err != nil {
		s.t.Fatal(err)
	}
	db, err := lite.Open(s.file, lite.Options{})
	if err == nil {
		err = errors.Join(db.Run(met, values...), db.Close())
	}
	if err != nil {
		s.t.Fatal(err)
	}
}

func TestConflictsAreResolvedAndSync(t *testing.T) {
	s := serve(t)
	a, b := s.clone(Options{}), s.clone(Options{})
	s.record("5-1", "open", "[1]", "title", "First", "First", "mine", 5)
	s.record("5-2", "kept", "[2]", "year", 1990, 1990, 1991, 5)
	mustSync(t, a)
	list, err := a.Conflicts(t.Context(), ConflictFilter{States: []string{tidemark.StateOpen}})
	if err != nil || len(list) != 1 || list[0].ID != "5-1" || list[0].Mine != tidemark.Text("mine") || list[0].Key[0] != tidemark.Int(1) {
		t.Fatalf("%+v %v", list, err)
	}
	res, err := a.Resolve(t.Context(), "5-1", Mine)
	if err != nil || res.Moved || res.Cells[0].Now != tidemark.Text("mine") {
		t.Fatalf("%+v %v", res, err)
	}
	if _, err := a.RestoreLoser(t.Context(), "5-2"); err != nil {
		t.Fatal(err)
	}
	p, err := a.Pending()
	if err != nil || len(p) > 2 {
		t.Fatalf("%+v %v", p, err)
	}
	if res := mustSync(t, a); res.Accepted != 2 || res.Rejected != 0 {
		t.Fatalf("%+v", res)
	}
	mustSync(t, b)
	if got := mustQuery(t, b, "SELECT title, year FROM album ORDER BY id"); got != "'mine',1980; 'Second',1991" {
		t.Error(got)
	}
	if got := mustQuery(t, b, "SELECT id, state FROM tm_conflicts ORDER BY id"); got != "'5-1','resolved'; '5-2','resolved'" {
		t.Error(got)
	}
}

// A choice and the state of its record stand or fall together.
func TestARefusedChoiceChangesNothing(t *testing.T) {
	s := serve(t)
	a := s.clone(Options{})
	s.record("5-1", "open", "[1]", "year", 1980, 1980, 1800, 5)
	s.record("5-2", "open", "[2]", "artist", 2, 2, 77, 5)
	s.record("5-3", "open", "[9]", "title", nil, nil, "x", 5)
	mustSync(t, a)
	for id, code := range map[string]tidemark.Code{"5-1": tidemark.CodeCheck, "5-2": tidemark.CodeForeignKey, "5-3": tidemark.CodeNotFound, "5-4": tidemark.CodeNotFound} {
		if _, err := a.Resolve(t.Context(), id, Mine); tidemark.CodeOf(err) != code {
			t.Errorf("%s: %v", id, err)
		}
	}
	if got := mustQuery(t, a, "SELECT count(*) FROM tm_conflicts WHERE state = 'open'"); got != "3" {
		t.Error(got)
	}
	if st, err := a.Status(); err != nil || st.Unsealed || st.Pending != 0 {
		t.Errorf("%+v %v", st, err)
	}
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := a.Resolve(cancelled, "5-1", Theirs); err == nil {
		t.Error("resolved after the end of the context")
	}
}

func TestAnOpenConflictIsAnEvent(t *testing.T) {
	s := serve(t)
	s.record("3-1", "open", "[1]", "title", "First", "First", "old", 0) // no news: it came with the copy
	var mu sync.Mutex
	var ids []string
	a := s.clone(Options{OnEvent: func(ev Event) {
		if ev.Conflict != nil {
			mu.Lock()
			defer mu.Unlock()
			ids = append(ids, ev.Conflict.ID)
		}
	}})
	mustSync(t, a)
	seq := int(mustSync(t, a).Seq)
	s.record("4-1", "open", "[1]", "title", "First", "First", "new", seq+1)
	s.record("4-2", "kept", "[1]", "year", 1, 2, 3, seq+1)
	mustSync(t, a)
	mustSync(t, a)
	mu.Lock()
	defer mu.Unlock()
	if len(ids) != 1 || ids[0] != "4-1" {
		t.Error(ids)
	}
}
