package storetest

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/tidemarkdb/tidemark"
)

// told writes a change as a feed or a part tells it.
func (m *scopeModel) told(name rowRef, op tidemark.Op) string {
	if op == tidemark.Insert {
		return fmt.Sprintf("insert %d %s", name.table, show(m.rows[name]))
	}
	return fmt.Sprintf("%s %d %x", op, name.table, name.key)
}

func (m *scopeModel) tells(c tidemark.Change) string {
	if c.Op == tidemark.Insert {
		return fmt.Sprintf("insert %d %s", c.Table, show(c.New))
	}
	return fmt.Sprintf("%s %d %x", c.Op, c.Table, m.schema.Table(c.Table).KeyID(c.Key))
}

// parts is what a group has to tell that began at a seq.
func (m *scopeModel) parts(after tidemark.Seq) (lines []string) {
	for _, s := range m.scopes() {
		var list []string
		for _, name := range ordered(m.feed[s]) {
			e := m.feed[s][name]
			if e.seq <= after || m.schema.Table(name.table).Out != "" {
				continue
			}
			op := e.op
			if op == tidemark.Insert && e.joined <= after {
				op = tidemark.Update
			}
			list = append(list, m.told(name, op))
		}
		if len(list) > 0 {
			lines = append(lines, fmt.Sprintf("%s %x: %s", s, m.sum(s), strings.Join(list, "; ")))
		}
	}
	return lines
}

func (m *scopeModel) mustPart(tx tidemark.Tx, after tidemark.Seq) {
	m.b.Helper()
	parts, err := tx.Parts(after)
	m.b.must(err)
	var got []string
	for _, p := range parts {
		var list []string
		for _, c := range p.Changes {
			list = append(list, m.tells(c))
		}
		got = append(got, fmt.Sprintf("%s %x: %s", p.Scope, p.Sum, strings.Join(list, "; ")))
	}
	m.b.same(got, m.parts(after))
}

// mustAgree compares everything that a view tells of scopes.
func (m *scopeModel) mustAgree(v tidemark.View) {
	m.b.Helper()
	names := m.scopes()
	sums, err := v.ScopeSums(append(names, "nowhere/0"))
	m.b.must(err)
	for i, s := range names {
		if want := m.sum(s); sums[i] != want {
			m.b.Fatalf("the sum of %s is %x, want %x", s, sums[i], want)
		}
	}
	if sums[len(names)] != 0 {
		m.b.Fatal("a scope that is not known has a sum")
	}
	seen := map[rowRef]bool{}
	for _, rows := range m.feed {
		for name := range rows {
			if !seen[name] && m.schema.Table(name.table).Out == "" {
				seen[name] = true
				m.mustBeIn(v, name)
			}
		}
	}
}

func (m *scopeModel) mustBeIn(v tidemark.View, name rowRef) {
	m.b.Helper()
	key, err := tidemark.ParseKeyID(name.key)
	m.b.must(err)
	list, err := v.ScopesOf(name.table, key)
	m.b.must(err)
	var got, want []string
	for _, s := range list {
		got = append(got, fmt.Sprint(s))
	}
	for _, s := range m.scopes() {
		if e := m.feed[s][name]; e != nil {
			want = append(want, fmt.Sprint(tidemark.RowScope{Scope: s, Live: e.op == tidemark.Insert, Seq: e.seq}))
		}
	}
	m.b.same(got, want)
}

// missed is what somebody misses of scopes, in order.
func (m *scopeModel) missed(from []tidemark.ScopeFrom) (lines []string) {
	type line struct {
		seq   tidemark.Seq
		scope string
		name  rowRef
		text  string
	}
	var all []line
	for _, f := range from {
		for name, e := range m.feed[f.Scope] {
			if e.seq <= f.After || f.After < 0 && e.op != tidemark.Insert && e.seq <= f.Gone || m.schema.Table(name.table).Out != "" {
				continue
			}
			all = append(all, line{e.seq, f.Scope, name, m.told(name, e.op)})
		}
	}
	slices.SortFunc(all, func(a, b line) int {
		return cmp.Or(cmp.Compare(a.seq, b.seq), cmp.Compare(a.scope, b.scope), cmp.Compare(a.name.table, b.name.table), cmp.Compare(a.name.key, b.name.key))
	})
	for _, l := range all {
		lines = append(lines, fmt.Sprintf("%d %s %s", l.seq, l.scope, l.text))
	}
	return lines
}

// mustFeed reads a feed in pieces, each behind the cursor of the one before.
func (m *scopeModel) mustFeed(v tidemark.View, from []tidemark.ScopeFrom, piece int) {
	m.b.Helper()
	var got []string
	var at tidemark.ScopeCursor
	for more := true; more; {
		more = false
		n := 0
		m.b.must(v.Feed(at, from, func(c tidemark.ScopeCursor, change tidemark.Change) bool {
			if n == piece {
				more = true
				return false
			}
			n++
			at, got = c, append(got, fmt.Sprintf("%d %s %s", c.Seq, c.Scope, m.tells(change)))
			return true
		}))
	}
	m.b.same(got, m.missed(from))
}

// mustSum compares Ranges and Rows of some scopes with what is there.
func (m *scopeModel) mustSum(v tidemark.View, scopes []string, t *tidemark.Table, cut []tidemark.Value) {
	m.b.Helper()
	all, err := v.Ranges(scopes, t.ID, nil, nil, nil)
	m.b.must(err)
	bounds := [][]tidemark.Value{}
	if cut != nil {
		bounds = append(bounds, cut)
	}
	halves, err := v.Ranges(scopes, t.ID, nil, nil, bounds)
	m.b.must(err)
	var want, got tidemark.RangeSum
	for name, in := range m.in {
		if name.table != t.ID || !slices.ContainsFunc(scopes, func(s string) bool { return in[s] }) {
			continue
		}
		want.Count++
		want.Sum += m.hasher.Row(t, m.rows[name])
		for _, s := range scopes {
			if in[s] {
				want.Sum += m.hasher.Member(t.ID, name.key, s)
			}
		}
	}
	for _, r := range halves {
		got.Count, got.Sum = got.Count+r.Count, got.Sum+r.Sum
	}
	if all[0] != want || got != want {
		m.b.Fatalf("the ranges of %s in %v are %v and %v, want %v", t.Name, scopes, all, halves, want)
	}
	rows, more, err := v.Rows(scopes, t.ID, nil, cut, 0)
	m.b.must(err)
	if int64(len(rows)) != halves[0].Count || more {
		m.b.Fatalf("%d rows of %s, want %d", len(rows), t.Name, halves[0].Count)
	}
	if len(rows) > 1 {
		some, more, err := v.Rows(scopes, t.ID, nil, cut, 1)
		m.b.must(err)
		if len(some) != 1 || !more || show(some[0]) != show(rows[0]) {
			m.b.Fatalf("one row of %s: %v %v", t.Name, some, more)
		}
	}
}

// group runs a group of which the model sees every changeset.
func (m *scopeModel) group(fn func(tx tidemark.Tx) error) {
	m.b.Helper()
	m.b.must(m.b.Store.Group(context.Background(), func(tx tidemark.Tx) error {
		s, err := tx.State()
		m.b.must(err)
		work, err := m.b.takeOver(tx)
		if err != nil {
			return err
		}
		if now, err := tx.State(); err == nil && now.Head > s.Head {
			effects := work.Changes
			if work.Refused != nil {
				effects = nil
			}
			m.take(tx, now.Head, effects)
		}
		if err := fn(tx); err != nil {
			return err
		}
		m.mustConcern(tx, work.Moved != nil)
		m.mustPart(tx, s.Head)
		m.mustAgree(tx)
		return nil
	}))
	m.b.view(m.mustAgree)
}

// mustConcern makes sure that everybody is named whose scopes are others.
func (m *scopeModel) mustConcern(tx tidemark.Tx, moved bool) {
	m.b.Helper()
	all, names := tx.Concerned()
	if again, more := tx.Concerned(); again || len(more) > 0 {
		m.b.Fatal("the same concern is told twice")
	}
	now := map[string]string{}
	for _, p := range townPeople {
		list, err := tx.Granted(tidemark.Principal{ID: p})
		m.b.must(err)
		now[p] = strings.Join(list, " ")
		if m.granted[p] != now[p] && m.granted != nil && !moved && !all && !slices.Contains(names, p) {
			m.b.Fatalf("the scopes of %s were %q and are %q, and nobody says so: %v", p, m.granted[p], now[p], names)
		}
	}
	m.granted = now
}
