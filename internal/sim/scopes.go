package sim

import (
	"fmt"
	"slices"
	"strings"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/lite"
	"github.com/tidemarkdb/tidemark/internal/sim/oracle"
	"github.com/tidemarkdb/tidemark/internal/wire"
)

// wants is what a replica subscribes to.
type wants struct {
	only bool
	list []wire.Want
}

// of picks from the scopes that somebody may read those that are wanted. What
// is everybody's and has no key cannot be left out: other rows refer to it.
func (x wants) of(granted []string) []string {
	if !x.only {
		return granted
	}
	return slices.DeleteFunc(slices.Clone(granted), func(scope string) bool {
		return scope != "catalog" && !slices.ContainsFunc(x.list, func(want wire.Want) bool { return want.Scope == scope })
	})
}

func (x wants) String() string { return fmt.Sprintf("only %v %v", x.only, x.list) }

// chooseWants draws what somebody wants, also what is not there and what nobody may read.
func (w *world) chooseWants() wants {
	x := wants{only: w.chance(0.5)}
	names := []string{"catalog", "mine/p0", "mine/p1", "mine/p2", "org/1", "org/2", "org/3", "vault", "project/nothing", "no such kind"}
	for i := range 9 {
		names = append(names, fmt.Sprintf("project/%d", i+1))
	}
	for range w.rand.IntN(8) {
		name := names[w.rand.IntN(len(names))]
		if !slices.ContainsFunc(x.list, func(want wire.Want) bool { return want.Scope == name }) {
			x.list = append(x.list, wire.Want{Scope: name, Priority: w.between(-2, 2)})
		}
	}
	slices.SortFunc(x.list, func(a, b wire.Want) int { return strings.Compare(a.Scope, b.Scope) })
	return x
}

// list is the scopes that somebody who wants these may read now.
func (w *world) list(who string, x wants) []string {
	return x.of(w.model.Granted(w.ledger.now.at(w.ledger.now.head()), who))
}

// confirmed is what a device holds of the state at a seq.
func (d *device) confirmed(s oracle.State, held []string) oracle.State {
	if !d.w.model.Scoped() {
		return s
	}
	return d.w.model.Cut(s, held)
}

// atHead reports whether a device shows the newest state of what it wants.
func (d *device) atHead() bool {
	w := d.w
	if !w.model.Scoped() {
		return d.seq == w.ledger.now.head()
	}
	list := w.list(d.owner, d.wants)
	return d.line == w.ledger.now && slices.Equal(d.held, list) &&
		equal(w.model.Cut(d.line.at(d.seq), list), w.model.Cut(d.line.at(d.line.head()), list))
}

// heard keeps what a session's replica told the server of its wishes.
func (l *link) heard(m wire.Up) {
	switch m := m.(type) {
	case *wire.Hello:
		l.wants = wants{m.Only, m.Want}
	case *wire.Subscribe:
		l.wants = wants{m.Only, m.Want}
	case *wire.AskRows:
		if l.asked == nil {
			l.asked = map[int64]int{}
		}
		l.asked[m.ID] = m.Table
	}
}

// screen judges a message to a session: it holds nothing that the session's
// principal may not read.
func (w *world) screen(l *link, m wire.Down) {
	if !w.model.Scoped() {
		return
	}
	who := l.session.Principal().ID
	if text := w.secrets.leak(who, wire.AppendDown(nil, m)); text != "" {
		w.fail("I21", "%T to %s of %q holds %s, which was only in %v:\n%.800s", m, l.device.name, who, text, w.secrets.where(text), wire.AppendDown(nil, m))
	}
	switch m := m.(type) {
	case *wire.Welcome:
		l.hears(m.Scopes)
	case *wire.Scopes:
		l.hears(m.List)
	case *wire.Batch:
		for _, p := range m.Parts {
			l.part(m, p)
		}
	case *wire.Rows:
		for i, row := range m.List {
			l.row(m, row, m.Scopes[i])
		}
	case *wire.Refusal:
		l.over = l.over || m.Fatal
	}
}

// hears notes which scopes a session is told it has. While the file holds what
// nobody sequenced they may be other ones: it is told again, once it is known
// what stands.
func (l *link) hears(scopes []string) {
	if l.told = scopes; l.w.server.foreignBefore == nil && !l.w.server.moving {
		l.listed()
	}
}

// listed checks that a session knows which scopes it has, no more and no less.
func (l *link) listed() {
	w := l.w
	want := w.list(l.session.Principal().ID, l.wants)
	if !slices.Equal(want, l.told) {
		w.fail("I21", "%s of %q at head %d is told the scopes\n  %v, it may read of what it wants\n  %v\n%v",
			l.device.name, l.session.Principal().ID, w.ledger.now.head(), l.told, want, l.wants)
	}
}

// upToDate checks, once a group was told, that every session knows which
// scopes it has by now.
func (s *server) upToDate() {
	if !s.w.model.Scoped() {
		return
	}
	for _, l := range s.links {
		if l.told != nil && !l.dropped && !l.closed && !l.over && !l.session.Behind() {
			l.listed()
		}
	}
}

// part checks what a batch says of a scope: it is one of the session's, and
// what is said is so at the head, which is where messages are made.
func (l *link) part(m *wire.Batch, p wire.Part) {
	w := l.w
	if !slices.Contains(w.list(l.session.Principal().ID, l.wants), p.Scope) {
		w.fail("I21", "a batch to %s of %q holds a part of %s: %v", l.device.name, l.session.Principal().ID, p.Scope, p.Changes)
	}
	now := w.ledger.now.at(w.ledger.now.head())
	schema := w.server.hub.Schema()
	for _, c := range p.Changes {
		t := w.modelled(schema, c.Table)
		if t == nil {
			continue
		}
		row, there := now[t.Name][t.KeyOf(c.Key)]
		in := there && slices.Contains(w.model.In(now, t.Name, row), p.Scope)
		if in != (c.Op == tidemark.Insert || c.Op == tidemark.Update) {
			w.fail("I21", "a batch to %s at head %d has a row in %s: %v, it says %v %s %v", l.device.name, w.ledger.now.head(), p.Scope, in, c.Op, t.Name, c.Key)
		}
		if c.Op == tidemark.Insert && in && !slices.Equal(row, c.New) {
			w.fail("I21", "a batch to %s at head %d brings %v of %s, it is %v", l.device.name, w.ledger.now.head(), c.New, t.Name, row)
		}
		if c.Op == tidemark.Delete && there && !w.ledger.now.died(m.From, t, c) {
			w.fail("I21", "a batch to %s at head %d deletes %s %v, which left %s and is there", l.device.name, w.ledger.now.head(), t.Name, c.Key, p.Scope)
		}
	}
}

// died reports whether a row was not there at a time behind a seq.
func (h *history) died(after tidemark.Seq, t *oracle.Table, c tidemark.Change) bool {
	for k := max(0, after); k <= h.head(); k++ {
		if _, there := h.at(k)[t.Name][t.KeyOf(c.Key)]; !there {
			return true
		}
	}
	return false
}

// row checks one row of an answer.
func (l *link) row(m *wire.Rows, row []tidemark.Value, scopes []string) {
	w := l.w
	t := w.modelled(w.server.hub.Schema(), l.asked[m.ID])
	if t == nil {
		return
	}
	now := w.ledger.now.at(w.ledger.now.head())
	list := w.list(l.session.Principal().ID, l.wants)
	in := slices.DeleteFunc(w.model.In(now, t.Name, row), func(scope string) bool { return !slices.Contains(list, scope) })
	if !slices.Equal(now[t.Name][t.KeyOfRow(row)], row) || len(scopes) == 0 || slices.ContainsFunc(scopes, func(s string) bool { return !slices.Contains(in, s) }) {
		w.fail("I21", "%s is given %s %v of %v, it is in %v", l.device.name, t.Name, row, scopes, in)
	}
}

// modelled finds the oracle's table by the ID that a schema gives it, or nil.
func (w *world) modelled(s *tidemark.Schema, id int) *oracle.Table {
	if t := s.Table(id); t != nil {
		return w.model.Table(t.Name)
	}
	return nil
}

// shrunk checks that a device which holds less than before keeps nothing of
// what it lost, not even in the bytes of its file.
func (d *device) shrunk(v *view) {
	w := d.w
	lost := slices.ContainsFunc(d.held, func(s string) bool { return !slices.Contains(v.hello.Held, s) })
	d.held = v.hello.Held
	if !lost || d.soiled || w.faults.frames || w.ledger.rewound {
		return // what a repair took out of the tables is kept for a person to look at
	}
	scopes, err := d.r.Scopes()
	w.must(err, d.name+": scopes")
	var listed []string // by the server's last word, which may be old
	for _, s := range scopes {
		if s.Listed {
			listed = append(listed, s.Scope)
		}
	}
	for _, name := range []string{replicaFile, replicaFile + "-journal"} {
		if text := w.secrets.left(d.owner, listed, d.disk.Contents(name)); text != "" {
			w.fail("I22", "%s of %q lost scopes, and %s still holds %s of %v", d.name, d.owner, name, text, w.secrets.where(text))
		}
	}
}

// scoped are the scopes as a server takes them.
func (w *world) scoped(*tidemark.Schema) (*tidemark.Scopes, error) {
	n := 0
	if w.server != nil {
		n = w.server.declared
	}
	if s := w.work.scopes(n); len(s.List) > 0 {
		return s, nil
	}
	return nil, nil
}

// redeclare lets somebody declare the scopes in another way.
func (s *server) redeclare() {
	w := s.w
	if !w.model.Scoped() || !s.up || s.moving || s.foreignBefore != nil || s.tool.Dead() {
		return
	}
	s.declared++
	w.must(s.store.SetScopes(w.scoped), "declaring other scopes")
	w.trace("scopes are declared anew, for the %d. time", s.declared)
	s.moving = true
	s.backup = nil // as with a schema that grows
	s.plan(w.between(0, 300))
}

// conflicts checks that a device holds the records of conflicts that speak of
// rows which it may see, or saw go, and no others.
func (d *device) conflicts() {
	w := d.w
	if !w.model.Scoped() {
		return
	}
	list := w.list(d.owner, d.wants)
	const all = "SELECT id, tbl, row FROM tm_conflicts ORDER BY id"
	var want, got []string
	w.must(w.server.shell.Each(all, func(st *lite.Stmt) error {
		name := rowName{st.Text(1), w.model.Table(st.Text(1)).KeyOf(keyFrom(st.Text(2)))}
		if slices.ContainsFunc(w.ledger.now.in[name], func(scope string) bool { return slices.Contains(list, scope) }) {
			want = append(want, st.Text(0))
		}
		return nil
	}), "reading the server's conflicts")
	w.must(d.db.Each(all, func(st *lite.Stmt) error { got = append(got, st.Text(0)); return nil }), d.name+": reading conflicts")
	if !slices.Equal(want, got) {
		w.fail("I13", "%s holds the conflicts %v, it should hold %v", d.name, got, want)
	}
}
