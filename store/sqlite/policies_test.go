package sqlite

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/policy"
)

const voted = "CREATE TABLE task (id INTEGER PRIMARY KEY, votes INT, note TEXT); INSERT INTO task VALUES (1, 0, 'a')"

// from reads policies as a server does.
func from(t *testing.T, yaml string) func(*tidemark.Schema) (*tidemark.Schema, error) {
	t.Helper()
	c, err := policy.Parse([]byte(yaml), "tidemark.yaml")
	if err != nil {
		t.Fatal(err)
	}
	return policy.For(c, policy.Functions{})
}

func openWith(t *testing.T, path, yaml string) (*Store, error) {
	t.Helper()
	s, err := Open(path, Options{Space: "app", Rand: fixed(), Policies: from(t, yaml), Warn: func(m string) { t.Log(m) }})
	if err == nil {
		t.Cleanup(func() { _ = s.Close() })
	}
	return s, err
}

const counter = "tables:\n  task:\n    columns:\n      votes: counter\n"

// ofVotes returns the policy in use, as views tell it.
func ofVotes(t *testing.T, s *Store) (p tidemark.Policy, hash string) {
	t.Helper()
	err := s.View(context.Background(), func(v tidemark.View) error {
		task := v.Schema().Named("task")
		p, hash = task.PolicyOf(1), v.Schema().Hash
		body, err := v.SchemaBody(hash)
		if err == nil && body == nil {
			err = errors.New("the schema is not kept")
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return p, hash
}

func TestPoliciesAreAdoptedAndMove(t *testing.T) {
	path := makeFile(t, voted)
	s, err := openWith(t, path, counter)
	if err != nil {
		t.Fatal(err)
	}
	if w := sequence(t, s); w.Moved != nil {
		t.Errorf("adoption moved %+v", w.Moved)
	}
	p, first := ofVotes(t, s)
	if p != tidemark.PolicyCounter || s.last.Load().head != 0 {
		t.Errorf("policy %q, head %d", p, s.last.Load().head)
	}
	// A table that comes later gets its policies as well.
	shell(t, path, "CREATE TABLE later (id INTEGER PRIMARY KEY, a)")
	if w := sequence(t, s); w.Moved == nil || w.Moved.Schema.Named("later").Policy.OnInsert != tidemark.InsertRenumber {
		t.Errorf("moved %+v", w.Moved)
	}
	if p, hash := ofVotes(t, s); p != tidemark.PolicyCounter || hash == first {
		t.Errorf("policy %q after a move", p)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	// The same file again moves nothing, another one takes a seq.
	if s, err = openWith(t, path, counter); err != nil {
		t.Fatal(err)
	}
	if w := sequence(t, s); w.Moved != nil {
		t.Errorf("nothing was declared anew, and yet %+v", w.Moved)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if s, err = openWith(t, path, "tables:\n  task:\n    columns:\n      votes: max\n"); err != nil {
		t.Fatal(err)
	}
	if dirty, err := s.Dirty(context.Background()); !dirty || err != nil {
		t.Errorf("dirty %v %v", dirty, err)
	}
	w := sequence(t, s)
	if w.Moved == nil || len(w.Moved.Added)+len(w.Moved.Widened)+len(w.Moved.Out)+len(w.Changes) > 0 {
		t.Fatalf("work %+v, moved %+v", w, w.Moved)
	}
	if p, _ := ofVotes(t, s); p != tidemark.PolicyMax || s.last.Load().head != 2 {
		t.Errorf("policy %q, head %d", p, s.last.Load().head)
	}
	if w := sequence(t, s); w.Moved != nil {
		t.Error("it moves again and again")
	}
	shell(t, path, "UPDATE task SET votes = 5")
	if w := sequence(t, s); len(w.Changes) != 1 {
		t.Errorf("capture is gone: %+v", w)
	}
	if err := sound(path); err != nil {
		t.Error(err)
	}
}

func TestPoliciesThatDoNotFit(t *testing.T) {
	const wrong = "tables:\n  task:\n    columns:\n      note: counter\n"
	path := makeFile(t, voted)
	before := dump(t, path)
	if _, err := openWith(t, path, wrong); err == nil {
		t.Fatal("adopted")
	}
	if after := dump(t, path); own(after) != own(before) {
		t.Errorf("the file changed:%s", difference(before, after))
	}
	s, err := openWith(t, path, counter)
	if err != nil {
		t.Fatal(err)
	}
	sequence(t, s)
	if err := s.SetPolicies(from(t, wrong)); err == nil {
		t.Error("taken over")
	}
	if dirty, _ := s.Dirty(context.Background()); dirty {
		t.Error("what was refused is awaited")
	}
	if p, _ := ofVotes(t, s); p != tidemark.PolicyCounter {
		t.Errorf("policy %q", p)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := openWith(t, path, wrong); err == nil {
		t.Error("opened")
	}
}

func TestPoliciesChangeWhileServed(t *testing.T) {
	path := makeFile(t, voted)
	s := openStore(t, path)
	sequence(t, s)
	_, before := ofVotes(t, s)
	if err := s.SetPolicies(from(t, counter)); err != nil {
		t.Fatal(err)
	}
	if dirty, err := s.Dirty(context.Background()); !dirty || err != nil {
		t.Errorf("dirty %v %v", dirty, err)
	}
	// A group that fails leaves it for the next one.
	boom := errors.New("boom")
	err := s.Group(context.Background(), func(tx tidemark.Tx) error {
		w, err := tx.Foreign()
		if err != nil || w.Moved == nil {
			t.Errorf("work %+v %v", w, err)
		}
		return boom
	})
	if !errors.Is(err, boom) {
		t.Fatal(err)
	}
	if w := sequence(t, s); w.Moved == nil {
		t.Fatal("nothing moved")
	}
	if p, hash := ofVotes(t, s); p != tidemark.PolicyCounter || hash == before {
		t.Errorf("policy %q", p)
	}
	if dirty, _ := s.Dirty(context.Background()); dirty {
		t.Error("still dirty")
	}
	// Back to the defaults.
	if err := s.SetPolicies(nil); err != nil {
		t.Fatal(err)
	}
	sequence(t, s)
	if p, hash := ofVotes(t, s); p != tidemark.PolicyLastWrite || hash != before || s.last.Load().head != 2 {
		t.Errorf("policy %q, head %d", p, s.last.Load().head)
	}
	if err := sound(path); err != nil {
		t.Error(err)
	}
}

// A column whose policy the app takes away with it must not stop the server.
func TestPoliciesOfATableThatChanges(t *testing.T) {
	path := makeFile(t, voted+"; CREATE TABLE other (id INTEGER PRIMARY KEY, a)")
	s, err := openWith(t, path, counter+"  other:\n    keep: nothing\n")
	if err != nil {
		t.Fatal(err)
	}
	sequence(t, s)
	shell(t, path, "DROP TABLE other; UPDATE task SET votes = 1")
	w := sequence(t, s)
	if w.Moved == nil || w.Moved.Out["other"] == "" || len(w.Changes) != 1 {
		t.Errorf("work %+v, moved %+v", w, w.Moved)
	}
	if p, _ := ofVotes(t, s); p != tidemark.PolicyCounter {
		t.Errorf("policy %q", p)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

// What another program writes carries the time that the triggers recorded.
func TestForeignEditsHaveTheirTime(t *testing.T) {
	path := makeFile(t, voted+"; CREATE TABLE plain (id INTEGER PRIMARY KEY, a)")
	s, err := openWith(t, path, "tables:\n  task:\n    columns:\n      note: latest-edit\n")
	if err != nil {
		t.Fatal(err)
	}
	sequence(t, s)
	before := time.Now().UnixMilli()
	shell(t, path, "UPDATE task SET note = 'b'; INSERT INTO task VALUES (2, 0, 'c'); INSERT INTO plain VALUES (1, 'd')")
	w := sequence(t, s)
	after := time.Now().UnixMilli()
	if len(w.Changes) != 3 {
		t.Fatalf("work %+v", w)
	}
	for _, c := range w.Changes {
		timed := c.MadeAt >= before-1 && c.MadeAt <= after+1
		if task := c.Table == idOf(s, "task"); task && !timed || !task && c.MadeAt != 0 {
			t.Errorf("%v of table %d was made at %d, between %d and %d", c.Op, c.Table, c.MadeAt, before, after)
		}
	}
	// What the store writes itself has none: the hub knows better.
	err = s.Group(context.Background(), func(tx tidemark.Tx) error {
		if err := tx.Write(tidemark.Change{Table: idOf(s, "task"), Op: tidemark.Delete, Key: []tidemark.Value{tidemark.Int(2)}}); err != nil {
			return err
		}
		effects, err := tx.Effects()
		if err != nil || len(effects) != 1 || effects[0].MadeAt != 0 {
			t.Errorf("effects %+v %v", effects, err)
		}
		return tx.Append(tidemark.LogEntry{Name: tidemark.Name{Replica: "r", N: 1}, Effects: effects})
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := sound(path); err != nil {
		t.Error(err)
	}
}

// idOf is the number of a table.
func idOf(s *Store, table string) int { return s.last.Load().schema.Named(table).ID }
