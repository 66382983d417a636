package storetest

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/digest"
	"github.com/tidemarkdb/tidemark/internal/wire"
)

// scopeModel knows by a walk of its own, over whole tables in memory, which row is
// in which scope, and what a feed of them has to say. It reads no bookkeeping.
type scopeModel struct {
	b        *bench
	declared *tidemark.Scopes
	schema   *tidemark.Schema
	rows     map[rowRef][]tidemark.Value
	in       map[rowRef]map[string]bool
	died     map[rowRef]tidemark.Seq // when a row that is not there was deleted
	feed     map[string]map[rowRef]*stay
	hasher   *digest.Hasher
	granted  map[string]string
}

// rowRef names a row across tables.
type rowRef struct {
	table int
	key   string // KeyID
}

// stay is how a row is to a scope.
type stay struct {
	seq, joined tidemark.Seq
	op          tidemark.Op // Insert: in; Delete: died there; Forget: left
}

func newScopeModel(b *bench, d *tidemark.Scopes) *scopeModel {
	b.Helper()
	m := &scopeModel{
		b: b, in: map[rowRef]map[string]bool{}, died: map[rowRef]tidemark.Seq{},
		feed: map[string]map[rowRef]*stay{}, hasher: digest.New(b.state().DigestKey),
	}
	b.must(b.Scope(d))
	b.sequence()
	m.declared = d
	b.view(func(v tidemark.View) { m.take(v, 1, nil) })
	for _, rows := range m.feed {
		for name := range rows {
			m.begin(name)
		}
	}
	return m
}

// begin takes over at which seqs rows came into scopes before the model watched.
func (m *scopeModel) begin(name rowRef) {
	m.b.view(func(v tidemark.View) {
		key, err := tidemark.ParseKeyID(name.key)
		m.b.must(err)
		list, err := v.ScopesOf(name.table, key)
		m.b.must(err)
		for _, s := range list {
			if e := m.feed[s.Scope][name]; e != nil {
				e.seq, e.joined = s.Seq, s.Seq
			}
		}
	})
}

// take looks at the state after the changeset of a seq.
func (m *scopeModel) take(v tidemark.View, seq tidemark.Seq, effects []tidemark.Change) {
	m.schema = v.Schema()
	before := m.rows
	m.rows = map[rowRef][]tidemark.Value{}
	for _, t := range m.schema.Tables {
		if t.Out != "" {
			continue
		}
		rows, _, err := v.Rows(nil, t.ID, nil, nil, 0)
		m.b.must(err)
		for _, r := range rows {
			m.rows[rowRef{t.ID, t.KeyID(t.KeyOf(r))}] = r
		}
	}
	for name := range before {
		if m.rows[name] == nil {
			m.died[name] = seq
		}
	}
	changed := map[rowRef]bool{}
	for _, c := range effects {
		changed[rowRef{c.Table, m.schema.Table(c.Table).KeyID(c.Key)}] = true
	}
	m.move(m.places(before), changed, seq)
}

// places says which scopes each row is in.
func (m *scopeModel) places(before map[rowRef][]tidemark.Value) map[rowRef]map[string]bool {
	now := map[rowRef]map[string]bool{}
	var conflicts []rowRef
	for name, r := range m.rows {
		t := m.schema.Table(name.table)
		if t.Name == tidemark.ConflictsTable {
			conflicts = append(conflicts, name)
			continue
		}
		now[name] = m.walk(t, r)
	}
	for range 4 { // a conflict may speak of another one
		for _, name := range conflicts {
			now[name] = m.subject(m.rows[name], now, before)
		}
	}
	return now
}

// walk follows every declared path from a row, as foreign keys are compared.
func (m *scopeModel) walk(t *tidemark.Table, r []tidemark.Value) map[string]bool {
	all := map[string]bool{}
	for _, k := range m.declared.List {
		for _, member := range k.Members {
			switch {
			case !strings.EqualFold(member.Table, t.Name) || !whereHolds(member.Where, t, r):
			case !k.Keyed:
				all[k.Name] = true
			default:
				if v := m.key(t, r, member.Path); !v.IsNull() {
					all[tidemark.ScopeID(k.Name, keyWords(v))] = true
				}
			}
		}
	}
	return all
}

func (m *scopeModel) key(t *tidemark.Table, r []tidemark.Value, path []string) tidemark.Value {
	for i, name := range path {
		c := t.Place(name)
		if i == len(path)-1 || r[c].IsNull() {
			return r[c]
		}
		k := slices.IndexFunc(t.ForeignKeys, func(k tidemark.ForeignKey) bool { return slices.Contains(k.Columns, c) })
		parent := m.schema.Named(t.ForeignKeys[k].Parent)
		to := parent.Place(t.ForeignKeys[k].To[0])
		var next []tidemark.Value
		for name, row := range m.rows {
			if name.table == parent.ID && row[to] == r[c] {
				next = row
			}
		}
		if next == nil {
			return tidemark.Null
		}
		t, r = parent, next
	}
	return tidemark.Null
}

// keyWords is the text of a key.
func keyWords(v tidemark.Value) string {
	switch v.Kind() {
	case tidemark.KindText:
		return v.Str()
	case tidemark.KindBlob:
		return fmt.Sprintf("x%X", v.Bytes())
	}
	return v.String()
}

// whereHolds knows the one form of condition that the tests use: COLUMN = 0.
func whereHolds(where string, t *tidemark.Table, r []tidemark.Value) bool {
	column, _, ok := strings.Cut(where, " = 0")
	return !ok || r[t.Place(column)] == tidemark.Int(0)
}

// subject returns the scopes of the row that a conflict speaks of.
func (m *scopeModel) subject(r []tidemark.Value, now map[rowRef]map[string]bool, before map[rowRef][]tidemark.Value) map[string]bool {
	conflicts := m.schema.Named(tidemark.ConflictsTable)
	t := m.schema.Named(r[conflicts.Place("tbl")].Str())
	key, err := wire.DecodeValues([]byte(r[conflicts.Place("row")].Str()))
	if t == nil || err != nil || len(key) != len(t.Key) {
		return nil
	}
	name := rowRef{t.ID, t.KeyID(key)}
	switch {
	case m.rows[name] != nil:
		return now[name]
	case before[name] != nil:
		return m.in[name]
	}
	all := map[string]bool{}
	for s, rows := range m.feed {
		if e := rows[name]; e != nil && e.op == tidemark.Delete && e.seq == m.died[name] {
			all[s] = true
		}
	}
	return all
}

// move notes what is different from before.
func (m *scopeModel) move(now map[rowRef]map[string]bool, changed map[rowRef]bool, seq tidemark.Seq) {
	for name, was := range m.in {
		for s := range was {
			e := m.feed[s][name]
			switch {
			case !now[name][s] && m.rows[name] == nil:
				e.seq, e.op = seq, tidemark.Delete
			case !now[name][s]:
				e.seq, e.op = seq, tidemark.Forget
			case changed[name]:
				e.seq = seq
			}
		}
	}
	for name, all := range now {
		for s := range all {
			if m.feed[s] == nil {
				m.feed[s] = map[rowRef]*stay{}
			}
			if !m.in[name][s] {
				m.feed[s][name] = &stay{seq, seq, tidemark.Insert}
			}
		}
	}
	m.in = now
}

// sum adds up a scope.
func (m *scopeModel) sum(s string) (sum uint64) {
	for name, all := range m.in {
		if all[s] {
			sum += m.hasher.Row(m.schema.Table(name.table), m.rows[name])
		}
	}
	return sum
}

// scopes lists all that ever were, sorted.
func (m *scopeModel) scopes() []string { return slices.Sorted(maps.Keys(m.feed)) }

// ordered sorts the rows of a scope by table and KeyID.
func ordered(rows map[rowRef]*stay) []rowRef {
	return slices.SortedFunc(maps.Keys(rows), func(a, b rowRef) int {
		return cmp.Or(cmp.Compare(a.table, b.table), cmp.Compare(a.key, b.key))
	})
}

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
