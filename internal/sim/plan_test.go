package sim

import (
	"fmt"
	"path/filepath"
	"slices"
	"testing"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/dice"
	"github.com/tidemarkdb/tidemark/internal/lite"
	"github.com/tidemarkdb/tidemark/internal/schema"
	"github.com/tidemarkdb/tidemark/internal/scope"
	"github.com/tidemarkdb/tidemark/internal/sim/oracle"
)

// planned is a database with what package scope makes of the declaration that
// the oracle has in Go.
type planned struct {
	*testing.T
	w    *world
	db   *lite.DB
	sc   *tidemark.Schema
	plan *scope.Plan
}

func newPlanned(t *testing.T) *planned {
	r := dice.New(t)
	w := &world{rand: r, work: chooseWorkload("W8 scopes", r)}
	w.model = w.work.model()
	db, err := lite.Open(filepath.Join(t.TempDir(), "space.db"), lite.Options{Create: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	p := &planned{T: t, w: w, db: db}
	p.ok(db.Script("PRAGMA synchronous = OFF; PRAGMA foreign_keys = ON;" + w.work.schema()))
	p.sc, _, err = schema.Inspect(db, nil)
	p.ok(err)
	var misfits []scope.Misfit
	p.plan, misfits = scope.Fit(p.sc, w.work.scopes(0))
	if len(misfits) > 0 {
		t.Fatal(misfits)
	}
	return p
}

func (p *planned) ok(err error) {
	p.Helper()
	if err != nil {
		p.Fatal(err)
	}
}

func (p *planned) dump() oracle.State {
	s, err := dump(p.db, p.w.model)
	p.ok(err)
	return s
}

// all asks the plan's query for all rows, by the oracle's names of rows.
func (p *planned) all() map[rowName][]string {
	out := map[rowName][]string{}
	for _, t := range p.plan.Tables {
		p.ok(p.db.Each(t.All, func(st *lite.Stmt) error {
			row := st.Row(0)
			name := rowName{t.Name, p.w.model.Table(t.Name).KeyOf(row[:len(t.Key)])}
			out[name] = scopesIn(row[len(t.Key):])
			return nil
		}))
	}
	return out
}

func scopesIn(names []tidemark.Value) (list []string) {
	for _, v := range names {
		if !v.IsNull() {
			list = append(list, v.Str())
		}
	}
	slices.Sort(list)
	return list
}

// foretold is what the oracle says of all rows that are in the plan.
func (p *planned) foretold(s oracle.State) map[rowName][]string {
	out := map[rowName][]string{}
	for _, t := range p.plan.Tables {
		for key, row := range s[t.Name] {
			out[rowName{t.Name, key}] = p.w.model.In(s, t.Name, row)
		}
	}
	return out
}

// dependants runs the plan's steps for a change of one row.
func (p *planned) dependants(t *tidemark.Table, old, now oracle.Row, found map[rowName]bool) {
	for _, step := range p.plan.Steps[t.ID] {
		if old != nil && now != nil && !slices.ContainsFunc(step.Watch, func(c int) bool { return old[c] != now[c] }) {
			continue
		}
		for _, row := range []oracle.Row{old, now} {
			if row == nil {
				continue
			}
			args := make([]tidemark.Value, len(step.By))
			for i, c := range step.By {
				args[i] = row[c]
			}
			p.ok(p.db.Each(step.SQL, func(st *lite.Stmt) error {
				found[rowName{step.Table.Name, p.w.model.Table(step.Table.Name).KeyOf(st.Row(0))}] = true
				return nil
			}, args...))
		}
	}
}

// TestPlanAgrees lets the oracle and package scope say in which scopes rows
// are, while rows change at random, and whom a change takes along.
func TestPlanAgrees(t *testing.T) {
	p := newPlanned(t)
	before, was := p.dump(), p.foretold(p.dump())
	for i := range 400 {
		if err := p.db.Transaction(func() error { return p.w.work.write(p.w, p.db, p.w.rand.IntN(4)) }); err != nil {
			continue
		}
		after := p.dump()
		is := p.foretold(after)
		if text := differ(is, p.all()); text != "" {
			t.Fatalf("after %d transactions: %s", i+1, text)
		}
		found := map[rowName]bool{}
		for _, table := range p.sc.Tables {
			if p.w.model.Table(table.Name) == nil {
				continue
			}
			for _, key := range sortedUnion(before[table.Name], after[table.Name]) {
				old, now := before[table.Name][key], after[table.Name][key]
				if slices.Equal(old, now) {
					continue
				}
				found[rowName{table.Name, key}] = true
				p.dependants(table, old, now, found)
			}
		}
		for name, scopes := range is {
			if !slices.Equal(scopes, was[name]) && !found[name] {
				t.Fatalf("after %d transactions: %v went from %v to %v, and no step found it", i+1, name, was[name], scopes)
			}
		}
		before, was = after, is
	}
}

func differ(want, got map[rowName][]string) string {
	for name, scopes := range want {
		if !slices.Equal(scopes, got[name]) {
			return fmt.Sprintf("%v is in %v, the plan says %v", name, scopes, got[name])
		}
	}
	if len(got) != len(want) {
		return fmt.Sprintf("the plan knows %d rows, there are %d", len(got), len(want))
	}
	return ""
}

// TestPlanLoosens compares the foreign keys that a replica drops with those
// that the oracle's author says.
func TestPlanLoosens(t *testing.T) {
	p := newPlanned(t)
	var got, want []string
	for _, l := range p.plan.Loose {
		got = append(got, l.Table.Name+" "+fmt.Sprint(l.Table.ForeignKeys[l.Key].Columns))
	}
	for _, table := range p.w.model.Tables {
		for _, ref := range table.Refs {
			if ref.Loose {
				want = append(want, table.Name+" "+fmt.Sprint(ref.Columns))
			}
		}
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("loose are %v, should be %v", got, want)
	}
}
