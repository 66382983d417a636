package hub_test

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/hub"
	"github.com/tidemarkdb/tidemark/internal/splice"
	"github.com/tidemarkdb/tidemark/internal/wire"
)

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

// outcome is how changeset n ended.
func (a *author) outcome(n int64) tidemark.Outcome {
	a.desk.t.Helper()
	o, err := a.desk.store.Outcome(a.session.Replica(), n)
	if err != nil || o == nil {
		a.desk.t.Fatalf("changeset %d has no outcome", n)
	}
	return *o
}
