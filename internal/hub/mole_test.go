package hub_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/hub"
	"github.com/tidemarkdb/tidemark/internal/wire"
)

// mole is the other end of a session of a space with scopes. It believes
// everything, keeps which row is in which scope, and checks every sum.
type mole struct {
	line
	ask     int64                      // of what it said last that it wants
	scopes  []string                   // of the session
	rows    map[string]memoryRow       // by KeyID
	members map[string]map[string]bool // by scope: KeyIDs
	staged  []wire.Part
	refused *wire.Refusal
}

func (b *bench) newMole(who string, claims map[string]any) *mole {
	m := &mole{line: line{b: b}, rows: map[string]memoryRow{}, members: map[string]map[string]bool{}}
	st := b.hub.State()
	m.hello = wire.Hello{Protocol: wire.Protocol, Space: "shop", Incarnation: st.Incarnation, Term: st.Term, Schema: st.SchemaHash}
	m.connect(who, claims)
	return m
}

func (m *mole) connect(who string, claims map[string]any) {
	m.b.t.Helper()
	if !slices.Contains(m.b.moles, m) {
		m.b.moles = append(m.b.moles, m)
	}
	m.s = m.b.hub.NewSession(tidemark.Principal{ID: who, Claims: claims})
	m.hello.Held = slices.Sorted(maps.Keys(m.members))
	m.send(&m.hello)
}

func (m *mole) send(up wire.Up) *hub.Submission {
	m.b.t.Helper()
	switch up := up.(type) {
	case *wire.Hello:
		m.ask++
		up.Ask = m.ask
	case *wire.Subscribe:
		m.ask++
		up.Ask = m.ask
	}
	down, sub := m.say(up)
	m.hear(down)
	return sub
}

func (m *mole) hear(down []wire.Down) {
	m.b.t.Helper()
	for _, d := range down {
		m.note(d)
		switch d := d.(type) {
		case *wire.Welcome:
			m.take(d.Scopes, d.Ask, false)
		case *wire.Scopes:
			m.take(d.List, d.Ask, true)
		case *wire.Batch:
			m.batch(d)
		case *wire.Refusal:
			m.refused = d
		}
	}
}

// take drops what is not the session's any more.
func (m *mole) take(scopes []string, ask int64, void bool) {
	m.b.t.Helper()
	if ask != m.ask {
		m.b.t.Fatalf("a list that answers %d, and %d was asked last", ask, m.ask)
	}
	m.scopes = scopes
	for scope := range m.members {
		if !slices.Contains(scopes, scope) {
			delete(m.members, scope)
			void = true
		}
	}
	if void {
		m.staged, m.hello.Staged = nil, ""
	}
	m.tidy()
}

// tidy forgets rows that are in no scope.
func (m *mole) tidy() {
	for id := range m.rows {
		in := false
		for _, members := range m.members {
			in = in || members[id]
		}
		if !in {
			delete(m.rows, id)
		}
	}
}

func (m *mole) batch(b *wire.Batch) {
	t := m.b.t
	t.Helper()
	m.fits(b)
	for _, p := range b.Parts {
		if !slices.Contains(m.scopes, p.Scope) {
			t.Fatalf("a part of %q came, the session has %v", p.Scope, m.scopes)
		}
		m.readable(p.Raw, p.Changes)
	}
	m.staged = append(m.staged, b.Parts...)
	if b.More {
		m.hello.Staged = b.Cursor
		return
	}
	updated := map[string]bool{}
	for _, p := range m.staged {
		if m.members[p.Scope] == nil {
			m.members[p.Scope] = map[string]bool{}
		}
		for _, c := range p.Changes {
			m.change(p.Scope, c, updated)
		}
	}
	m.staged, m.hello.Staged = nil, ""
	m.tidy()
	m.hello.Seq, m.hello.Term = b.To, b.Term
	for _, p := range b.Parts {
		if sum := m.sum(p.Scope); sum != p.Sum {
			t.Fatalf("%s sums up to %x at %d, should be %x", p.Scope, sum, b.To, p.Sum)
		}
	}
}

func (m *mole) change(scope string, c tidemark.Change, updated map[string]bool) {
	id := rowName(c.Table, m.b.hub.Schema().Table(c.Table).KeyID(c.Key))
	switch c.Op {
	case tidemark.Insert:
		m.rows[id] = memoryRow{table: c.Table, key: c.Key, values: c.New}
		m.members[scope][id] = true
	case tidemark.Update:
		if !m.members[scope][id] {
			m.b.t.Fatalf("an update of a row that was never sent in %s: %v", scope, c)
		}
		if updated[id] {
			return
		}
		updated[id] = true
		row := m.rows[id]
		row.values = slices.Clone(row.values)
		for i, col := range c.Cols {
			row.values[col] = putValue(m.b.t, row.values[col], c.New[i], c.EditOf(i))
		}
		m.rows[id] = row
	case tidemark.Forget:
		delete(m.members[scope], id)
	case tidemark.Delete:
		for _, members := range m.members {
			delete(members, id)
		}
	}
}

func (m *mole) sum(scope string) (sum uint64) {
	for id := range m.members[scope] {
		sum += m.b.sumRow(m.rows[id])
	}
	return sum
}

// sumRow hashes a row as the store does.
func (b *bench) sumRow(r memoryRow) uint64 {
	if b.digest == nil {
		return sumOf(r.key, r.values)
	}
	return b.digest.Row(b.hub.Schema().Table(r.table), r.values)
}

func (m *mole) catchUp() {
	m.b.t.Helper()
	m.line.catchUp(m.hear)
}

// right fails unless the mole holds its scopes as the store has them.
func (m *mole) right(scopes ...string) {
	m.b.t.Helper()
	if held := slices.Sorted(maps.Keys(m.members)); !slices.Equal(held, scopes) || !slices.Equal(m.scopes, scopes) {
		m.b.t.Fatalf("holds %v of %v, should be %v", held, m.scopes, scopes)
	}
	for _, scope := range scopes {
		want := map[string]bool{}
		for _, r := range m.b.store.now.rows {
			if r.values != nil && slices.Contains(scopesIn(r.values), scope) {
				want[r.keyID] = true
				if got := m.rows[r.keyID].values; !slices.Equal(got, r.values) {
					m.b.t.Fatalf("row %v of %s is %v, should be %v", r.key, scope, got, r.values)
				}
			}
		}
		if !maps.Equal(want, m.members[scope]) {
			m.b.t.Fatalf("%s has %d rows, should have %d", scope, len(m.members[scope]), len(want))
		}
	}
}

func (m *mole) push(changes ...tidemark.Change) hub.Submission {
	m.b.t.Helper()
	return m.taken(m.send(m.next(changes...)))
}

// fate pushes, and returns the outcome.
func (m *mole) fate(changes ...tidemark.Change) tidemark.Outcome {
	m.b.t.Helper()
	m.got = nil
	m.b.group(m.push(changes...))
	return m.outcome()
}

func (m *mole) outcome() tidemark.Outcome {
	m.b.t.Helper()
	for _, d := range m.got {
		if o, ok := d.(*wire.Outcomes); ok {
			return o.List[len(o.List)-1]
		}
	}
	m.b.t.Fatalf("no outcome in %v", m.got)
	return tidemark.Outcome{}
}

// kinds names the messages heard since the last look, and forgets them.
func (m *mole) kinds() string {
	var names []string
	for _, d := range m.got {
		names = append(names, strings.TrimPrefix(fmt.Sprintf("%T", d), "*wire."))
	}
	m.got = nil
	return strings.Join(names, " ")
}

// in is an item that is in scopes.
func in(id int64, name, scopes string) tidemark.Change {
	c := insert(id, name)
	c.New[2] = tidemark.Text(scopes)
	return c
}

func move(id int64, scopes string) tidemark.Change { return update(id, 2, tidemark.Text(scopes)) }

func newScopedBench(t *testing.T, o hub.Options, changes ...tidemark.Change) *bench {
	b := &bench{t: t, store: newMemoryStore().scoped(), now: 1_000_000}
	b.restart(o)
	b.foreign(changes...)
	return b
}

// foreign has another program write.
func (b *bench) foreign(changes ...tidemark.Change) {
	b.t.Helper()
	if len(changes) > 0 {
		b.store.foreignWrite(nil, changes...)
		b.group()
	}
}

const grants = 1000 // ids of grants begin here

func grantTo(i int64, who, scopes string) tidemark.Change {
	return insert(grants+i, "grant "+who+": "+scopes)
}

func regrantTo(i int64, who, scopes string) tidemark.Change {
	return update(grants+i, 1, tidemark.Text("grant "+who+": "+scopes))
}
