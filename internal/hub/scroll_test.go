package hub_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/hub"
	"github.com/tidemarkdb/tidemark/internal/schema"
	"github.com/tidemarkdb/tidemark/internal/splice"
	"github.com/tidemarkdb/tidemark/internal/wire"
)

// scroll is a store for long texts: one table with a text column, nothing is
// copied, nothing is undone. What is rejected must be so before it is written.
type scroll struct {
	tidemark.Tx // what is not below is not called

	schema   *tidemark.Schema
	rows     map[string]*tidemark.RowState
	before   map[string][]tidemark.Value // rows that were written since Effects
	written  []string
	past     map[string][]tidemark.RowEffect
	steps    map[string][]tidemark.TextStep
	outcomes map[string]tidemark.Outcome
	replicas map[string]tidemark.ReplicaState
	refused  map[string]int64
	head     tidemark.Seq
	pruned   tidemark.Seq // nothing is known of what happened up to it
	foreign  []tidemark.Change
	queries  int // of the past
}

const bodyCol = 1

func newScroll() *scroll {
	t := &tidemark.Table{ID: 1, Name: "doc", Key: []int{0}, RowidAlias: true, Columns: []tidemark.Column{
		{Name: "id", Collation: "BINARY"}, {Name: "body", Collation: "BINARY", Policy: tidemark.PolicyText}, {Name: "title", Collation: "BINARY"},
	}}
	s := &scroll{
		schema: &tidemark.Schema{Hash: "docs", Tables: []*tidemark.Table{t}},
		rows:   map[string]*tidemark.RowState{}, before: map[string][]tidemark.Value{},
		past: map[string][]tidemark.RowEffect{}, steps: map[string][]tidemark.TextStep{},
		outcomes: map[string]tidemark.Outcome{}, replicas: map[string]tidemark.ReplicaState{}, refused: map[string]int64{},
	}
	return s
}

func (s *scroll) id(key []tidemark.Value) string { return s.schema.Tables[0].KeyID(key) }

func (s *scroll) Group(_ context.Context, fn func(tidemark.Tx) error) error  { return fn(s) }
func (s *scroll) View(_ context.Context, fn func(tidemark.View) error) error { return fn(s) }
func (s *scroll) Dirty(context.Context) (bool, error)                        { return false, nil }
func (s *scroll) Close() error                                               { return nil }
func (s *scroll) Snapshot(context.Context, string) (tidemark.SnapshotInfo, error) {
	return tidemark.SnapshotInfo{}, nil
}
func (s *scroll) Scrub(context.Context, tidemark.Tx, string, int) ([]tidemark.Change, string, error) {
	return nil, "", nil
}

func (s *scroll) Schema() *tidemark.Schema                   { return s.schema }
func (s *scroll) SchemaBody(string) ([]byte, error)          { return schema.Encode(s.schema), nil }
func (s *scroll) StartTerm(string) error                     { return nil }
func (s *scroll) Savepoint(fn func() error) error            { return fn() }
func (s *scroll) Settle([]tidemark.Change) error             { return nil }
func (s *scroll) Leases(string) ([]tidemark.Lease, error)    { return nil, nil }
func (s *scroll) TermEnd(string) (tidemark.Seq, bool, error) { return s.head, true, nil }
func (s *scroll) State() (tidemark.SpaceState, error) {
	return tidemark.SpaceState{Space: "docs", Incarnation: "i", Term: "t", Head: s.head, SchemaHash: "docs"}, nil
}

func (s *scroll) Since(c tidemark.Cursor, fn func(tidemark.Cursor, tidemark.Change) bool) error {
	for id, r := range s.rows {
		ch := tidemark.Change{Table: 1, Op: tidemark.Insert, Key: []tidemark.Value{r.Values[0]}, New: r.Values}
		if r.Seq > c.Seq && !fn(tidemark.Cursor{Seq: r.Seq, Table: 1, KeyID: id}, ch) {
			return nil
		}
	}
	return nil
}

func (s *scroll) Row(_ int, key []tidemark.Value) (tidemark.RowState, error) {
	if r := s.rows[s.id(key)]; r != nil {
		return *r, nil
	}
	return tidemark.RowState{}, nil
}

func (s *scroll) History(_ int, key []tidemark.Value, after tidemark.Seq, fn func(tidemark.RowEffect) bool) (bool, error) {
	s.queries++
	past := s.past[s.id(key)]
	for i := len(past) - 1; i >= 0 && past[i].Seq > max(after, s.pruned); i-- {
		if !fn(past[i]) {
			return true, nil
		}
	}
	return after >= s.pruned, nil
}

func (s *scroll) Texts(_ int, key []tidemark.Value, col int, after tidemark.Seq) ([]tidemark.TextStep, error) {
	s.queries++
	list := s.steps[s.id(key)]
	i, _ := slices.BinarySearchFunc(list, after+1, func(st tidemark.TextStep, q tidemark.Seq) int { return int(st.Seq - q) })
	return list[i:], nil
}

func (s *scroll) SaveText(_ int, key []tidemark.Value, _ int, st tidemark.TextStep) error {
	s.steps[s.id(key)] = append(s.steps[s.id(key)], st)
	return nil
}

func (s *scroll) DropTexts(_ int, key []tidemark.Value) error {
	delete(s.steps, s.id(key))
	return nil
}

func (s *scroll) EditTime(int, []tidemark.Value, int) (int64, error) { return 0, nil }
func (s *scroll) Renumberings(string) ([]tidemark.Renumbered, error) { return nil, nil }
func (s *scroll) Refused(_ string, _ int, key []tidemark.Value) (int64, error) {
	return s.refused[s.id(key)], nil
}
func (s *scroll) SaveRefused(_ string, n int64, _ int, key []tidemark.Value) error {
	s.refused[s.id(key)] = n
	return nil
}

func (s *scroll) Replica(id string) (*tidemark.ReplicaState, error) {
	if r, ok := s.replicas[id]; ok {
		return &r, nil
	}
	return nil, nil
}

func (s *scroll) SaveReplica(r tidemark.ReplicaState) error {
	s.replicas[r.ID] = r
	return nil
}

func (s *scroll) Outcome(replica string, n int64) (*tidemark.Outcome, error) {
	if o, ok := s.outcomes[outcomeID(replica, n)]; ok {
		return &o, nil
	}
	return nil, nil
}

func (s *scroll) Outcomes(string, int64, int) ([]tidemark.Outcome, error) { return nil, nil }

func (s *scroll) SaveOutcome(o tidemark.Outcome) error {
	s.outcomes[outcomeID(o.Replica, o.N)] = o
	return nil
}

func (s *scroll) Foreign() (tidemark.ForeignWork, error) {
	w := tidemark.ForeignWork{Changes: s.foreign}
	s.foreign = nil
	return w, nil
}

func (s *scroll) SaveRejectedForeign([]tidemark.Change, tidemark.Outcome) error { return nil }

func (s *scroll) Write(c tidemark.Change) error { return s.WriteAll([]tidemark.Change{c}) }

func (s *scroll) WriteAs(_ tidemark.Author, changes []tidemark.Change) error {
	return s.WriteAll(changes)
}

func (s *scroll) WriteAll(changes []tidemark.Change) error {
	for _, c := range changes {
		s.put(c)
	}
	return nil
}

func (s *scroll) put(c tidemark.Change) {
	id := s.id(c.Key)
	r := s.rows[id]
	if r == nil {
		r = &tidemark.RowState{}
		s.rows[id] = r
	}
	if _, known := s.before[id]; !known {
		s.before[id] = r.Values
		s.written = append(s.written, id)
	}
	switch c.Op {
	case tidemark.Insert:
		r.Values = slices.Clone(c.New)
	case tidemark.Delete:
		r.Values = nil
	default:
		r.Values = slices.Clone(r.Values)
		for i, col := range c.Cols {
			r.Values[col] = c.New[i]
		}
		if to := s.schema.Tables[0].KeyOf(r.Values); s.id(to) != id {
			s.put(tidemark.Change{Table: 1, Op: tidemark.Insert, Key: to, New: r.Values})
			r.Values = nil
		}
	}
}

func (s *scroll) Effects() ([]tidemark.Change, error) {
	var out []tidemark.Change
	for _, id := range s.written {
		old, now := s.before[id], s.rows[id].Values
		switch {
		case slices.Equal(old, now):
		case now == nil:
			out = append(out, tidemark.Change{Table: 1, Op: tidemark.Delete, Key: old[:1], Old: old})
		case old == nil:
			out = append(out, tidemark.Change{Table: 1, Op: tidemark.Insert, Key: now[:1], New: now})
		default:
			c := tidemark.Change{Table: 1, Op: tidemark.Update, Key: now[:1]}
			for i := range now {
				if now[i] != old[i] {
					c.Cols, c.New, c.Old = append(c.Cols, i), append(c.New, now[i]), append(c.Old, old[i])
				}
			}
			out = append(out, c)
		}
	}
	clear(s.before)
	s.written = nil
	return out, nil
}

// Append keeps effects as the log does: without the values of edited texts.
func (s *scroll) Append(e tidemark.LogEntry) error {
	s.head++
	if e.Seq != s.head {
		return fmt.Errorf("seq %d at head %d", e.Seq, s.head)
	}
	kept, err := wire.DecodeChanges(wire.AppendChanges(nil, e.Effects, true))
	if err != nil {
		return err
	}
	for _, c := range kept {
		id := s.id(c.Key)
		s.rows[id].Seq, s.rows[id].Writer = e.Seq, e.Name.Replica
		s.past[id] = append(s.past[id], tidemark.RowEffect{Seq: e.Seq, Name: e.Name, Change: c})
	}
	clear(s.before)
	s.written = nil
	return nil
}

// desk is a hub on a scroll with authors who all edit one text.
type desk struct {
	t       testing.TB
	store   *scroll
	hub     *hub.Hub
	authors []*author
	forget  bool // the hub forgets its bridges before each group
	commits int64
}

var docKey = []tidemark.Value{tidemark.Int(1)}

// newDesk makes a desk with authors who have seen a text.
func newDesk(t testing.TB, text string, authors int) *desk {
	d := &desk{t: t, store: newScroll()}
	var err error
	d.hub, err = hub.Open(ctx, d.store, 1, hub.Options{Rand: rand.NewChaCha8([32]byte{1})})
	if err != nil {
		t.Fatal(err)
	}
	d.byProgram(tidemark.Change{Table: 1, Op: tidemark.Insert, Key: docKey, New: []tidemark.Value{docKey[0], tidemark.Text(text), tidemark.Null}})
	for range authors {
		d.join()
	}
	return d
}

// byProgram writes into the served file.
func (d *desk) byProgram(c tidemark.Change) {
	d.t.Helper()
	d.store.put(c)
	effects, _ := d.store.Effects()
	d.store.foreign = effects
	d.group()
}

func (d *desk) join() *author {
	d.t.Helper()
	a := &author{desk: d, text: d.text(), seq: d.store.head, fates: map[int64]tidemark.Outcome{}}
	a.session = d.hub.NewSession(tidemark.Principal{})
	down, _, err := a.session.Receive(ctx, 1, &wire.Hello{
		Protocol: wire.Protocol, Space: "docs", Incarnation: "i", Term: "t", Seq: a.seq, Schema: "docs",
	})
	if err != nil || a.session.Replica() == "" {
		d.t.Fatalf("no welcome: %v %v", down, err)
	}
	d.authors = append(d.authors, a)
	return a
}

// text is the server's.
func (d *desk) text() string {
	if r := d.store.rows[d.store.id(docKey)]; r != nil && r.Values != nil {
		return r.Values[bodyCol].Str()
	}
	return ""
}

// group judges what authors have sent.
func (d *desk) group(subs ...hub.Submission) *hub.Commit {
	d.t.Helper()
	if d.forget {
		hub.ForgetBridges(d.hub)
	}
	d.commits++
	c, err := d.hub.Group(ctx, d.commits, subs, nil)
	if err != nil {
		d.t.Fatal(err)
	}
	if len(c.Retry) > 0 {
		d.t.Fatalf("put off: %v", c.Failed(c.Retry[0]))
	}
	for _, a := range d.authors {
		a.mail = append(a.mail, a.session.Deliver(c)...)
	}
	return c
}

// author is a replica as far as one text goes: the confirmed one, and edits on
// top of it that have no answer yet.
type author struct {
	desk    *desk
	session *hub.Session
	mail    []wire.Down // sent by the server, not read yet
	outbox  []hub.Submission
	n       int64
	seq     tidemark.Seq
	text    string // confirmed
	pending []pendingEdit
	moved   bool // what is shown changed under pending edits since the last one
	fates   map[int64]tidemark.Outcome
	bytes   int // pushed
}

type pendingEdit struct {
	n     int64
	patch splice.Patch
}

func (a *author) patches() []splice.Patch {
	out := make([]splice.Patch, len(a.pending))
	for i := range a.pending {
		out[i] = a.pending[i].patch
	}
	return out
}

// shown is the text as the author sees it.
func (a *author) shown() string {
	return apply(a.desk.t, splice.ComposeAll(a.patches()), a.text)
}

func apply(t testing.TB, p splice.Patch, text string) string {
	t.Helper()
	out, err := p.Apply(text)
	if err != nil {
		t.Fatalf("%v on %q: %v", p, text, err)
	}
	return out
}

// write changes the shown text to another.
func (a *author) write(after string) { a.edit(splice.Diff(a.shown(), after)) }

// edit seals an edit of the shown text.
func (a *author) edit(p splice.Patch) {
	a.desk.t.Helper()
	e := splice.Edit{Patch: p}
	if len(a.pending) > 0 {
		e.After = a.pending[len(a.pending)-1].n
		if a.moved {
			e.On, e.HasOn = splice.ComposeAll(a.patches()), true
		}
	}
	a.moved = false
	a.send(tidemark.Change{
		Table: 1, Op: tidemark.Update, Key: docKey, Cols: []int{bodyCol}, New: []tidemark.Value{tidemark.Null},
		Edits: []tidemark.Edit{{Kind: tidemark.EditText, Body: e.Body()}},
	})
	a.pending = append(a.pending, pendingEdit{a.n, p})
}

// send puts a changeset into the outbox.
func (a *author) send(changes ...tidemark.Change) {
	a.desk.t.Helper()
	a.n++
	push := pushOf(a.n, "docs", changes...)
	push.Seen = a.seq
	a.bytes += len(push.Body)
	_, sub, err := a.session.Receive(ctx, 1, push)
	if err != nil || sub == nil {
		a.desk.t.Fatalf("push %d: %v", a.n, err)
	}
	a.outbox = append(a.outbox, *sub)
}

// push hands in up to n changesets.
func (a *author) push(n int) {
	a.desk.t.Helper()
	n = min(n, len(a.outbox))
	a.desk.group(a.outbox[:n]...)
	a.outbox = a.outbox[n:]
}

// read takes up to n batches that the server sent.
func (a *author) read(n int) {
	a.desk.t.Helper()
	for len(a.mail) > 0 && n > 0 {
		m := a.mail[0]
		a.mail = a.mail[1:]
		switch m := m.(type) {
		case *wire.Outcomes:
			for _, o := range m.List {
				a.fates[o.N] = o
			}
			a.apply(&wire.Batch{From: a.seq, To: a.seq}) // rejections of what is reached
		case *wire.Batch:
			a.apply(m)
			n--
		case *wire.Refusal:
			a.desk.t.Fatalf("refused: %v", m)
		}
	}
}

// apply rebases as a replica does.
func (a *author) apply(m *wire.Batch) {
	a.desk.t.Helper()
	settled := 0
	for settled < len(a.pending) {
		if o, told := a.fates[a.pending[settled].n]; !told || o.Seq > m.To {
			break
		}
		settled++
	}
	confirmed, over := a.text, splice.Patch(nil)
	for _, c := range m.Changes {
		if i := slices.Index(c.Cols, bodyCol); i >= 0 || c.Op != tidemark.Update {
			confirmed, over = a.incoming(c, i)
		}
	}
	if settled > 0 {
		mine := apply(a.desk.t, splice.ComposeAll(a.patches()[:settled]), a.text)
		over = splice.Diff(mine, confirmed)
	}
	a.pending = a.pending[settled:]
	for i := range a.pending {
		a.pending[i].patch, over = splice.Transform(a.pending[i].patch, over, true)
	}
	a.text, a.seq = confirmed, m.To
	a.moved = len(a.pending) > 0 && (a.moved || len(over) > 0)
}

// incoming is what a change makes of the confirmed text.
func (a *author) incoming(c tidemark.Change, i int) (string, splice.Patch) {
	a.desk.t.Helper()
	switch {
	case c.Op == tidemark.Delete:
		return "", splice.Diff(a.text, "")
	case c.Op == tidemark.Insert:
		return c.New[bodyCol].Str(), splice.Diff(a.text, c.New[bodyCol].Str())
	}
	e := c.EditOf(i)
	if e.Kind != tidemark.EditText {
		return c.New[i].Str(), splice.Diff(a.text, c.New[i].Str())
	}
	p, err := splice.ParseBody(e.Body)
	if err != nil {
		a.desk.t.Fatal(err)
	}
	after := apply(a.desk.t, p, a.text)
	if after != c.New[i].Str() {
		a.desk.t.Fatalf("the edit makes %q, the value is %q", after, c.New[i].Str())
	}
	return after, p
}

// drain sends and reads everything; all must end with the server's text.
func (d *desk) drain() {
	d.t.Helper()
	for _, a := range d.authors {
		for len(a.outbox) > 0 {
			a.push(len(a.outbox))
		}
	}
	for _, a := range d.authors {
		a.read(1 << 30)
		for a.session.Behind() {
			down, err := a.session.Next(ctx)
			if err != nil {
				d.t.Fatal(err)
			}
			a.mail = append(a.mail, down...)
			a.read(1 << 30)
		}
		if len(a.pending) > 0 || a.shown() != d.text() {
			d.t.Fatalf("%s ends with %q and %d pending, the server with %q", a.session.Replica(), a.shown(), len(a.pending), d.text())
		}
	}
}

// outcome is how changeset n ended.
func (a *author) outcome(n int64) tidemark.Outcome {
	a.desk.t.Helper()
	o, err := a.desk.store.Outcome(a.session.Replica(), n)
	if err != nil || o == nil {
		a.desk.t.Fatalf("changeset %d has no outcome", n)
	}
	return *o
}
