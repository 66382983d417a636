package storetest

import (
	"cmp"
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
