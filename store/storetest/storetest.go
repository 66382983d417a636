// Package storetest is the contract suite of tidemark.Store: what every store
// must do, whatever it keeps a space in. A store's own test file says how to
// open one:
//
//	func TestStore(t *testing.T) {
//		storetest.Run(t, func(t *testing.T, script string) *storetest.Space { ... })
//	}
//
// Every test ends with the same question: do the stored rows add up to the
// digest that was kept while they were written?
package storetest

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/tidemarkdb/tidemark"
)

// Space is a store under test with the back doors that the suite needs.
type Space struct {
	Store tidemark.Store

	// Exec does what another program does that writes to the served database:
	// it runs a script of SQLite's SQL on a connection of its own.
	Exec func(script string) error
	// Smuggle is Exec past the capture triggers.
	Smuggle func(script string) error
	// Reopen closes the store and opens it again; Store is the new one.
	Reopen func() error
	// Rule declares rules; nil takes them away.
	Rule func(*tidemark.Rules) error
	// Scope declares scopes; nil takes them away.
	Scope func(*tidemark.Scopes) error
	// Check examines the storage at the end: structure, constraints, digest.
	Check func() error
}

// Opener makes a database by a script of SQLite's SQL and opens a store on it.
// It closes it again by t.Cleanup.
type Opener func(t *testing.T, script string) *Space

// Run judges a store.
func Run(t *testing.T, open Opener) {
	for _, group := range []struct {
		name  string
		tests []test
	}{
		{"group", groupTests}, {"write", writeTests}, {"order", orderTests}, {"refuse", refuseTests},
		{"read", readTests}, {"record", recordTests}, {"past", pastTests}, {"merge", mergeTests}, {"foreign", foreignTests}, {"schema", schemaTests},
		{"rules", ruleTests}, {"scope", scopeTests}, {"scrub", scrubTests}, {"snapshot", snapshotTests}, {"random", randomTests},
	} {
		t.Run(group.name, func(t *testing.T) {
			for _, c := range group.tests {
				t.Run(c.name, func(t *testing.T) {
					b := &bench{T: t, Space: open(t, c.script)}
					b.sequence()
					t.Cleanup(b.prove)
					c.run(b)
				})
			}
		})
	}
}

type test struct {
	name   string
	script string
	run    func(b *bench)
}

// bench is a space on the bench, with the few moves that tests are made of.
type bench struct {
	*testing.T
	*Space
	n int64 // number of the last changeset
}

func (b *bench) must(err error) {
	b.Helper()
	if err != nil {
		b.Fatal(err)
	}
}

// group runs a group that takes over foreign work first, as a hub does.
func (b *bench) group(fn func(tx tidemark.Tx) error) error {
	return b.Store.Group(context.Background(), func(tx tidemark.Tx) error {
		if _, err := b.takeOver(tx); err != nil {
			return err
		}
		return fn(tx)
	})
}

// sequence takes over what other programs did and returns it.
func (b *bench) sequence() tidemark.ForeignWork {
	b.Helper()
	var work tidemark.ForeignWork
	b.must(b.Store.Group(context.Background(), func(tx tidemark.Tx) (err error) {
		work, err = b.takeOver(tx)
		return err
	}))
	return work
}

func (b *bench) takeOver(tx tidemark.Tx) (tidemark.ForeignWork, error) {
	work, err := tx.Foreign()
	if err != nil {
		return work, err
	}
	e := tidemark.LogEntry{Name: tidemark.Name{Replica: tidemark.FileReplica}, Effects: work.Changes}
	if work.Refused != nil {
		e.Effects = nil
		if err := tx.Undo(work.Changes); err != nil {
			return work, err
		}
		o := tidemark.Outcome{Kind: tidemark.Rejected, Code: work.Refused.Code, Message: work.Refused.Msg}
		if err := tx.SaveRejectedForeign(work.Changes, o); err != nil {
			return work, err
		}
	}
	if len(e.Effects) == 0 && work.Moved == nil {
		return work, nil
	}
	return work, tx.Append(e)
}

// apply writes a changeset as a hub does and returns its effects.
func (b *bench) apply(changes ...tidemark.Change) (effects []tidemark.Change, err error) {
	return b.applyBy(func(tx tidemark.Tx) error { return tx.WriteAll(changes) }, changes)
}

func (b *bench) applyBy(write func(tidemark.Tx) error, changes []tidemark.Change) (effects []tidemark.Change, err error) {
	b.n++
	gerr := b.group(func(tx tidemark.Tx) error {
		err = tx.Savepoint(func() error {
			effects, err = b.writeBy(tx, write, changes)
			return err
		})
		return nil
	})
	if gerr != nil {
		return nil, gerr
	}
	return effects, err
}

func (b *bench) write(tx tidemark.Tx, changes []tidemark.Change) ([]tidemark.Change, error) {
	return b.writeBy(tx, func(tx tidemark.Tx) error { return tx.WriteAll(changes) }, changes)
}

func (b *bench) writeBy(tx tidemark.Tx, write func(tidemark.Tx) error, changes []tidemark.Change) ([]tidemark.Change, error) {
	if err := write(tx); err != nil {
		return nil, err
	}
	if err := tx.Settle(changes); err != nil {
		return nil, err
	}
	effects, err := tx.Effects()
	if err != nil {
		return nil, err
	}
	return effects, tx.Append(tidemark.LogEntry{Name: tidemark.Name{Replica: "r", N: b.n}, Effects: effects})
}

func (b *bench) view(fn func(v tidemark.View)) {
	b.Helper()
	b.must(b.Store.View(context.Background(), func(v tidemark.View) error {
		fn(v)
		return nil
	}))
}

func (b *bench) exec(script string) {
	b.Helper()
	b.must(b.Exec(script))
}

func (b *bench) state() (s tidemark.SpaceState) {
	b.Helper()
	b.view(func(v tidemark.View) {
		var err error
		s, err = v.State()
		b.must(err)
	})
	return s
}

func (b *bench) table(name string) *tidemark.Table {
	b.Helper()
	var t *tidemark.Table
	b.view(func(v tidemark.View) { t = v.Schema().Named(name) })
	if t == nil {
		b.Fatalf("no table %s", name)
	}
	return t
}

// rows shows a table's rows in key order, one per line.
func (b *bench) rows(name string) string {
	b.Helper()
	t := b.table(name)
	var lines []string
	b.view(func(v tidemark.View) {
		rows, _, err := v.Rows(nil, t.ID, nil, nil, 0)
		b.must(err)
		for _, r := range rows {
			lines = append(lines, show(r))
		}
	})
	return strings.Join(lines, " ")
}

func (b *bench) want(name, rows string) {
	b.Helper()
	if got := b.rows(name); got != rows {
		b.Errorf("%s holds %s, want %s", name, got, rows)
	}
}

// wantEffects compares effects by their short form.
func (b *bench) wantEffects(effects []tidemark.Change, want ...string) {
	b.Helper()
	got := make([]string, len(effects))
	for i, c := range effects {
		got[i] = describe(c)
	}
	if strings.Join(got, "; ") != strings.Join(want, "; ") {
		b.Errorf("effects are\n\t%s\nwant\n\t%s", strings.Join(got, "\n\t"), strings.Join(want, "\n\t"))
	}
}

func describe(c tidemark.Change) string {
	switch c.Op {
	case tidemark.Insert:
		return fmt.Sprintf("insert %d %s", c.Table, show(c.New))
	case tidemark.Delete:
		return fmt.Sprintf("delete %d %s was %s", c.Table, show(c.Key), show(c.Old))
	}
	return fmt.Sprintf("update %d %s %v %s was %s", c.Table, show(c.Key), c.Cols, show(c.New), show(c.Old))
}

func show(values []tidemark.Value) string {
	parts := make([]string, len(values))
	for i, v := range values {
		parts[i] = v.String()
	}
	return "(" + strings.Join(parts, ",") + ")"
}

// prove reads every row and compares it with the digest that was kept.
func (b *bench) prove() {
	if b.Failed() {
		return
	}
	b.sequence()
	b.view(func(v tidemark.View) {
		s, err := v.State()
		b.must(err)
		var sum uint64
		for _, t := range v.Schema().Tables {
			if t.Out != "" {
				continue
			}
			ranges, err := v.Ranges(nil, t.ID, nil, nil, nil)
			b.must(err)
			sum += ranges[0].Sum
		}
		if sum != s.Sum {
			b.Errorf("the stored rows sum to %x, the digest says %x", sum, s.Sum)
		}
	})
	if err := b.Check(); err != nil {
		b.Error(err)
	}
}
