package replica

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strconv"
	"testing"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/lite"
	"github.com/tidemarkdb/tidemark/internal/wire"
)

// An item is in the scope of its p and in that of its q, a sub where its item
// is, a solo in a scope that has no key. What is in none stays on the server.
const scopedZoo = `
CREATE TABLE item (id INTEGER PRIMARY KEY, p INTEGER, q INTEGER, a, u UNIQUE);
CREATE TABLE sub (id INTEGER PRIMARY KEY, item INTEGER REFERENCES item(id) ON DELETE CASCADE ON UPDATE CASCADE, v);
CREATE TABLE solo (id INTEGER PRIMARY KEY, v);
`

var scopedNames = []string{"p/0", "p/1", "p/2", "q/0", "q/1", "solo"}

func scopedStatement(w *world) string {
	n := func(limit int) string { return strconv.Itoa(w.n(limit)) }
	maybe := func(limit int) string {
		if w.n(3) == 0 {
			return "NULL"
		}
		return n(limit)
	}
	id := func() string { return strconv.Itoa(1 + w.n(9)) }
	switch w.n(13) {
	case 0, 1, 2:
		return fmt.Sprintf("INSERT INTO item VALUES (%s, %s, %s, %s, %s)", id(), maybe(3), maybe(2), n(9), maybe(5))
	case 3, 4:
		return fmt.Sprintf("UPDATE item SET a = %s, u = %s WHERE id = %s", n(9), maybe(5), id())
	case 5:
		return fmt.Sprintf("UPDATE item SET p = %s WHERE id = %s", maybe(3), id())
	case 6:
		return fmt.Sprintf("UPDATE item SET q = %s, a = a || 'x' WHERE id >= %s", maybe(2), id())
	case 7:
		return fmt.Sprintf("DELETE FROM item WHERE id = %s", id())
	case 8, 9:
		return fmt.Sprintf("INSERT INTO sub VALUES (%s, %s, %s)", id(), id(), n(9))
	case 10:
		return fmt.Sprintf("UPDATE sub SET item = %s, v = v || 'y' WHERE id = %s", id(), id())
	case 11:
		return fmt.Sprintf("INSERT OR REPLACE INTO solo VALUES (%s, %s)", id(), n(9))
	}
	return fmt.Sprintf("DELETE FROM solo WHERE id = %s", id())
}

// scopesIn says by itself in which scopes a row of a state is.
func scopesIn(s *tidemark.Schema, state images, id rowID) map[string]bool {
	image := state[id]
	if image == nil {
		return nil
	}
	in := map[string]bool{}
	switch s.Table(id.t).Name {
	case "solo":
		in["solo"] = true
	case "sub":
		item := s.Named("item")
		if !image[1].IsNull() {
			return scopesIn(s, state, idOf(item, image[1:2]))
		}
	case "item":
		for i, kind := range []string{"p", "q"} {
			if v := image[1+i]; !v.IsNull() {
				in[tidemark.ScopeID(kind, strconv.FormatInt(v.Int64(), 10))] = true
			}
		}
	}
	return in
}

// scopedWorld is a world whose replica holds some scopes.
type scopedWorld struct {
	world
	granted map[string]bool // what the server lists
	held    map[string]bool // what the replica has whole
	left    map[rowID]bool  // rows that went from here, and are not known to be deleted

	accepted map[int64][]rowID // rows that an accepted changeset brought
	chunk    *wire.Batch       // staged on the replica
}

func newScopedOrigin(t *testing.T, ddl string, kinds ...string) *origin {
	o := newOrigin(t, ddl)
	o.schema.Scopes, o.schema.Declared = kinds, "x"
	return o
}

// cloneScoped makes a replica of a space with scopes: it has no rows at first.
func (o *origin) cloneScoped() *device {
	o.t.Helper()
	d := &device{t: o.t, path: filepath.Join(o.t.TempDir(), "copy.db"), salt: rand.NewChaCha8([32]byte{7})}
	db, err := lite.Open(d.path, lite.Options{Create: true})
	must(o.t, err)
	for _, object := range o.schema.Objects {
		if object.SQL != "" {
			must(o.t, db.Script(object.SQL))
		}
	}
	must(o.t, db.Close())
	st := o.state()
	st.Sum = 0
	must(o.t, Create(d.path, CreateOptions{Server: "http://x", State: st, Schema: o.schema}))
	d.open()
	o.t.Cleanup(func() {
		d.integrity()
		_ = d.app.Close()
		_ = d.r.Close()
	})
	return d
}

func newScopedWorld(t *testing.T, seed uint64) *scopedWorld {
	w := &scopedWorld{granted: map[string]bool{}, held: map[string]bool{}, left: map[rowID]bool{}, accepted: map[int64][]rowID{}}
	w.world = world{t: t, rng: rand.New(rand.NewPCG(seed, 5)), o: newScopedOrigin(t, scopedZoo, "p", "q", "solo"), statement: scopedStatement}
	w.begin()
	w.d = w.o.cloneScoped()
	return w
}

// confirmed are the rows that a replica with these scopes has at seq.
func (w *scopedWorld) confirmed(seq tidemark.Seq) images {
	rows := images{}
	for id, image := range w.states[seq] {
		if meet(scopesIn(w.o.schema, w.states[seq], id), w.held) {
			rows[id] = image
		}
	}
	return rows
}

func meet(a, b map[string]bool) bool {
	for s := range a {
		if b[s] {
			return true
		}
	}
	return false
}

func (w *scopedWorld) seq() tidemark.Seq { return w.d.status().Seq }

func (w *scopedWorld) step() {
	switch n := w.n(20); {
	case n < 5:
		w.say("local %q", w.statements(w.d.app))
	case n < 9:
		w.say("server %q", w.statements(w.o.db))
		w.o.commit()
		w.states = append(w.states, w.o.rows)
	case n < 11:
		w.judge()
	case n < 14:
		w.live()
	case n < 16:
		w.catchUp()
	case n < 18:
		w.grant()
	case n < 19:
		w.say("crash")
		w.d.crash()
	default:
		w.settle()
	}
}

// grant lets the server list other scopes.
func (w *scopedWorld) grant() {
	name := scopedNames[w.n(len(scopedNames))]
	if w.granted[name] = !w.granted[name]; !w.granted[name] {
		delete(w.granted, name)
	}
	list := slices.Sorted(maps.Keys(w.granted))
	before := w.confirmed(w.seq())
	w.d.seal()
	maps.DeleteFunc(w.held, func(s string, _ bool) bool { return !w.granted[s] })
	after := w.confirmed(w.seq())
	for id := range before {
		if after[id] == nil {
			w.left[id] = true
		}
	}
	w.say("granted %v", list)
	if w.n(2) == 0 {
		_, err := w.d.r.TakeScopes(list, 1)
		must(w.t, err)
		w.chunk = nil
		return
	}
	w.d.welcome(&wire.Welcome{Space: "s", Incarnation: "inc", DigestKey: w.o.key, Term: "term", Schema: w.o.schema.Hash,
		Head: w.seq(), Scopes: list}, 1)
	if w.chunk != nil { // a server would notice that the cursor is of other scopes
		_, err := w.d.r.TakeScopes(list, 1)
		must(w.t, err)
		w.chunk = nil
	}
}

// follow moves the model over a batch that led to seq.
func (w *scopedWorld) follow(before images, seq tidemark.Seq, from tidemark.Seq) {
	after := w.confirmed(seq)
	for id := range before {
		if after[id] == nil {
			if w.left[id] = true; w.states[seq][id] == nil {
				delete(w.left, id)
			}
		}
	}
	for id := range after {
		delete(w.left, id)
	}
	for id := range w.left {
		if w.diedIn(id, from, seq) {
			delete(w.left, id)
		}
	}
}

// diedIn reports whether a batch tells that a row died: it was in one of the
// scopes that it tells of.
func (w *scopedWorld) diedIn(id rowID, from, to tidemark.Seq) bool {
	if w.states[to][id] != nil {
		return false
	}
	for s := from; s < to; s++ {
		if meet(scopesIn(w.o.schema, w.states[s], id), w.held) {
			return true
		}
	}
	return false
}

// judge lets the server answer the next pending changeset. It refuses what
// changes rows that it does not show.
func (w *scopedWorld) judge() {
	w.d.seal()
	for _, p := range w.d.pending() {
		if p.N <= w.judged {
			continue
		}
		w.judged = p.N
		if w.hidden(p.Changes) || w.n(8) == 0 {
			w.outcomes = append(w.outcomes, w.d.rejection(p.N, w.o.seq, tidemark.CodeForbidden))
			w.say("refuse %d", p.N)
			return
		}
		out, b := w.o.judge(p.N, w.d.hash(p.N), p.Changes)
		if b != nil {
			w.states = append(w.states, w.o.rows)
			for _, c := range p.Changes {
				t := w.o.schema.Table(c.Table)
				if to := idOf(t, keyAfter(t, &c)); c.Op == tidemark.Insert || to != idOf(t, c.Key) && c.Op == tidemark.Update {
					w.accepted[p.N] = append(w.accepted[p.N], to)
				}
			}
		}
		w.outcomes = append(w.outcomes, out)
		w.say("judge %d: %s %s at %d", p.N, out.Kind, out.Code, out.Seq)
		return
	}
}

func (w *scopedWorld) hidden(changes []tidemark.Change) bool {
	for _, c := range changes {
		id := idOf(w.o.schema.Table(c.Table), c.Key)
		if c.Op != tidemark.Insert && w.o.rows[id] != nil && !meet(scopesIn(w.o.schema, w.o.rows, id), w.granted) {
			return true
		}
	}
	return false
}

func (w *scopedWorld) settled(ready []tidemark.Outcome, from, seq tidemark.Seq) {
	shown := w.confirmed(seq)
	for _, o := range ready {
		for _, id := range w.accepted[o.N] {
			if shown[id] == nil && !w.diedIn(id, from, seq) {
				w.left[id] = true
			}
		}
	}
}

func (w *scopedWorld) settle() {
	seq := w.seq()
	ready := w.due(seq)
	w.say("settle %d", len(ready))
	w.d.settle(ready...)
	w.settled(ready, seq, seq)
}

func (w *scopedWorld) check() {
	w.t.Helper()
	defer w.dump()
	w.d.seal()
	seq := w.seq()
	confirmed := w.confirmed(seq)
	list := w.d.pending()
	touched := map[rowID]bool{}
	for _, p := range list {
		for i := range p.Changes {
			for _, id := range rowsOf(w.o.schema.Table(p.Changes[i].Table), &p.Changes[i]) {
				touched[id] = true
			}
		}
	}
	maps.DeleteFunc(w.left, func(id rowID, _ bool) bool { return !touched[id] })
	o := newOracle(w.o.schema, confirmed)
	o.left = w.left
	w.checkFold(o, list)
	w.d.checkBase(confirmed)
	w.checkMembers(seq, confirmed)
}

// checkMembers compares scopes, memberships and sums with what they should be.
func (w *scopedWorld) checkMembers(seq tidemark.Seq, confirmed images) {
	w.t.Helper()
	want := map[string]int64{}
	sums := map[string]uint64{}
	ranges := map[int]tidemark.RangeSum{}
	for id, image := range confirmed {
		t := w.o.schema.Table(id.t)
		sum := ranges[id.t]
		sum.Count++
		sum.Sum += w.d.r.hasher.Row(t, image)
		for s := range scopesIn(w.o.schema, w.states[seq], id) {
			if w.held[s] {
				want[s]++
				sums[s] += w.d.r.hasher.Row(t, image)
				sum.Sum += w.d.r.hasher.Member(id.t, id.key, s)
			}
		}
		ranges[id.t] = sum
	}
	list, err := w.d.r.Scopes()
	must(w.t, err)
	got := map[string]bool{}
	for _, s := range list {
		got[s.Scope] = true
		if !w.granted[s.Scope] || s.Ready != w.held[s.Scope] || s.Rows != want[s.Scope] {
			w.t.Errorf("scope %+v, held %v with %d rows", s, w.held[s.Scope], want[s.Scope])
		}
		sum, err := w.d.r.db.Int("SELECT sum FROM main._tm_scope WHERE name = ?1", tidemark.Text(s.Scope))
		must(w.t, err)
		if uint64(sum) != sums[s.Scope] {
			w.t.Errorf("sum of %s: %x, want %x", s.Scope, uint64(sum), sums[s.Scope])
		}
	}
	if !maps.Equal(got, w.granted) {
		w.t.Errorf("scopes %v, want %v", got, w.granted)
	}
	for _, t := range w.o.schema.Tables {
		list, err := w.d.r.ConfirmedRanges(t.ID, nil, nil, nil)
		must(w.t, err)
		if list[0] != ranges[t.ID] {
			w.t.Errorf("ranges of %s: %+v, want %+v", t.Name, list[0], ranges[t.ID])
		}
	}
}

// finish answers and delivers everything.
func (w *scopedWorld) finish() {
	w.d.seal()
	for range w.d.pending() {
		w.judge()
	}
	for w.seq() < tidemark.Seq(len(w.states)-1) || w.d.status().Filling > 0 {
		w.catchUp()
	}
	w.settle()
	w.check()
	if n := len(w.d.pending()); n != 0 {
		w.fail("%d changesets are still pending", n)
	}
	if st := w.d.status(); !st.Proven {
		w.fail("not proven: %+v", st)
	}
	n, err := w.d.r.db.Int("SELECT count(*) FROM main._tm_lost")
	must(w.t, err)
	if n != 0 {
		w.fail("%d rows are noted as lost with nothing pending", n)
	}
}

func TestScopedModel(t *testing.T) {
	for _, seed := range seeds(t, 2*count(t)) {
		t.Run(fmt.Sprintf("seed=%d", seed), func(t *testing.T) {
			w := newScopedWorld(t, seed)
			for range 80 {
				w.step()
				w.check()
			}
			w.finish()
		})
	}
}
