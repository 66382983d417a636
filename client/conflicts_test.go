package client

import (
	"context"
	"errors"
	"os"
	"path/filepath"
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

// declare restarts the server under declared policies.
func (s *service) declare(policies string) {
	s.t.Helper()
	s.stop()
	if err := os.WriteFile(filepath.Join(filepath.Dir(s.file), "tidemark.yaml"), []byte(policies), 0o600); err != nil {
		s.t.Fatal(err)
	}
	s.start()
}

// outcomes collects what a copy is told of its changesets and of open conflicts.
type outcomes struct {
	mu   sync.Mutex
	all  []tidemark.Outcome
	open []string
}

func (o *outcomes) hear(ev Event) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if ev.Outcome != nil {
		o.all = append(o.all, *ev.Outcome)
	}
	if ev.Conflict != nil {
		o.open = append(o.open, ev.Conflict.ID)
	}
}

// From two edits of one cell to a decision by a third copy, with everybody told.
func TestAConflictIsDecidedByAnotherCopy(t *testing.T) {
	s := serve(t)
	s.declare("tables: { album: { columns: { title: manual, year: counter } } }")
	var heard, other outcomes
	a, b, c := s.clone(Options{}), s.clone(Options{OnEvent: heard.hear}), s.clone(Options{OnEvent: other.hear})
	mustExec(t, a, "UPDATE album SET title = 'a', year = year + 1 WHERE id = 1")
	mustExec(t, b, "UPDATE album SET title = 'b', year = year + 2 WHERE id = 1")
	mustExec(t, a, "INSERT INTO artist (id, name) VALUES (3, 'Hopper')")
	mustExec(t, b, "INSERT INTO artist (id, name) VALUES (3, 'Hamilton')")
	mustSync(t, a)
	res := mustSync(t, b)
	if res.Merged != 1 || res.Accepted != 1 {
		t.Fatalf("%+v", res)
	}
	mustSync(t, c)
	if len(heard.all) != 2 || len(heard.all[0].Lost) != 1 || heard.all[0].Lost[0].Column != "title" || len(heard.all[0].Over) != 0 {
		t.Errorf("%+v", heard.all)
	}
	if r := heard.all[1].Renumbered; len(r) != 1 || r[0].Table != "artist" || r[0].From != 3 || r[0].To != 4 {
		t.Errorf("%+v", r)
	}
	if len(heard.open) != 1 || len(other.open) != 1 || heard.open[0] != other.open[0] {
		t.Fatalf("%v %v", heard.open, other.open)
	}
	if _, err := c.Resolve(t.Context(), other.open[0], Value(tidemark.Text("both"))); err != nil {
		t.Fatal(err)
	}
	s.converged(c, b, a)
	if got := mustQuery(t, a, "SELECT title, year, state FROM album, tm_conflicts WHERE album.id = 1"); got != "'both',1983,'resolved'" {
		t.Error(got)
	}
}

// Two people decide at once: under manual that is a new question, under every
// other policy the later one stays.
func TestTwoDecisionsMeet(t *testing.T) {
	s := serve(t)
	s.declare("tables: { album: { columns: { title: manual } } }")
	a, b := s.clone(Options{}), s.clone(Options{})
	mustExec(t, a, "UPDATE album SET title = 'a' WHERE id = 1")
	mustExec(t, b, "UPDATE album SET title = 'b' WHERE id = 1")
	mustSync(t, a)
	mustSync(t, b)
	mustSync(t, a)
	list, err := a.Conflicts(t.Context(), ConflictFilter{})
	if err != nil || len(list) != 1 {
		t.Fatal(list, err)
	}
	for db, choice := range map[*DB]Choice{a: Value(tidemark.Text("x")), b: Value(tidemark.Text("y"))} {
		if _, err := db.Resolve(t.Context(), list[0].ID, choice); err != nil {
			t.Fatal(err)
		}
	}
	s.converged(a, b)
	open, err := b.Conflicts(t.Context(), ConflictFilter{States: []string{tidemark.StateOpen}})
	if err != nil || len(open) != 1 || open[0].ID == list[0].ID || open[0].Theirs != tidemark.Text("x") || open[0].Mine != tidemark.Text("y") {
		t.Fatalf("%+v %v", open, err)
	}
	if got := mustQuery(t, b, "SELECT title FROM album WHERE id = 1"); got != "'x'" {
		t.Error(got)
	}
}

// A loser is restored while its row is edited elsewhere; the edit is not lost either.
func TestARestoredLoserCanLoseAgain(t *testing.T) {
	s := serve(t)
	a, b := s.clone(Options{}), s.clone(Options{})
	mustExec(t, a, "UPDATE album SET title = 'a' WHERE id = 1")
	mustExec(t, b, "UPDATE album SET title = 'b' WHERE id = 1")
	mustSync(t, a)
	mustSync(t, b)
	list, err := b.Conflicts(t.Context(), ConflictFilter{})
	if err != nil || len(list) != 1 {
		t.Fatal(list, err)
	}
	if _, err := b.RestoreLoser(t.Context(), list[0].ID); err != nil {
		t.Fatal(err)
	}
	mustExec(t, a, "UPDATE album SET title = 'again' WHERE id = 1")
	s.converged(b, a)
	if got := mustQuery(t, b, "SELECT title FROM album WHERE id = 1"); got != "'again'" {
		t.Error(got)
	}
	if got := mustQuery(t, b, "SELECT theirs, mine, state FROM tm_conflicts ORDER BY seq"); got != "'a','b','resolved'; 'a','again','kept'" {
		t.Error(got)
	}
}
