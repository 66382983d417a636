package hub_test

import (
	"context"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/digest"
	"github.com/tidemarkdb/tidemark/internal/hub"
	"github.com/tidemarkdb/tidemark/internal/wire"
)

var ctx = context.Background()

// bench is a hub on a memory store, with a clock of its own.
type bench struct {
	t     *testing.T
	store *memoryStore
	hub   *hub.Hub
	now   int64
	peers []*peer
	moles []*mole

	digest *digest.Hasher // nil: the memory store's sums
}

func newBench(t *testing.T, o hub.Options) *bench {
	b := &bench{t: t, store: newMemoryStore(), now: 1_000_000}
	b.restart(o)
	return b
}

func (b *bench) restart(o hub.Options) {
	if o.Rand == nil {
		var seed [32]byte
		binary.BigEndian.PutUint64(seed[:], uint64(b.store.commits)) // no two terms alike
		o.Rand = rand.NewChaCha8(seed)
	}
	h, err := hub.Open(ctx, b.store, b.now, o)
	if err != nil {
		b.t.Fatal(err)
	}
	b.hub, b.peers = h, nil
}

// line is the other end of a session, whatever it keeps of what it hears.
type line struct {
	b       *bench
	s       *hub.Session
	hello   wire.Hello
	n       int64
	welcome *wire.Welcome
	got     []wire.Down // since the last look
}

// say sends a message, and returns what is to be heard at once.
func (l *line) say(m wire.Up) ([]wire.Down, *hub.Submission) {
	l.b.t.Helper()
	down, sub, err := l.s.Receive(ctx, l.b.now, m)
	if err != nil {
		l.b.t.Fatal(err)
	}
	return down, sub
}

// note keeps a message, and learns from it what the next hello must say.
func (l *line) note(m wire.Down) {
	l.got = append(l.got, m)
	switch m := m.(type) {
	case *wire.Welcome:
		l.welcome = m
		l.hello.Replica, l.hello.Ticket, l.hello.Incarnation = m.Replica, m.Ticket, m.Incarnation
		if m.Resync {
			l.hello.Seq, l.hello.Term = m.Head, m.Term
		}
	case *wire.Schema:
		l.hello.Schema = m.Hash
	}
}

// fits fails unless a batch goes on where the line is.
func (l *line) fits(m *wire.Batch) {
	l.b.t.Helper()
	if m.From != l.hello.Seq || m.To < m.From {
		l.b.t.Fatalf("a batch from %d to %d came at %d", m.From, m.To, l.hello.Seq)
	}
	if m.Schema != l.hello.Schema {
		l.b.t.Fatalf("a batch of schema %q came before that schema", m.Schema)
	}
}

// readable fails unless changes are what their encoding says, if there is one.
func (l *line) readable(raw []byte, changes []tidemark.Change) {
	l.b.t.Helper()
	if raw == nil {
		return
	}
	if back, err := wire.DecodeChanges(raw); err != nil || len(back) != len(changes) {
		l.b.t.Fatalf("encoded changes differ: %v", err)
	}
}

// next makes the next changeset.
func (l *line) next(changes ...tidemark.Change) *wire.Push {
	l.n++
	m := pushOf(l.n, l.hello.Schema, changes...)
	m.Seen, m.MadeAt = l.hello.Seq, l.b.now
	return m
}

// taken fails unless the last push made a submission.
func (l *line) taken(sub *hub.Submission) hub.Submission {
	l.b.t.Helper()
	if sub == nil {
		l.b.t.Fatalf("push %d made no submission: %v", l.n, l.got)
	}
	return *sub
}

// catchUp hears what is missing.
func (l *line) catchUp(hear func([]wire.Down)) {
	l.b.t.Helper()
	for steps := 0; l.s.Behind(); steps++ {
		if steps == 10_000 {
			l.b.t.Fatal("catching up has no end")
		}
		down, err := l.s.Next(ctx)
		if err != nil {
			l.b.t.Fatal(err)
		}
		hear(down)
	}
}

// peer believes everything and applies it to a map.
type peer struct {
	line
	rows   map[string][]tidemark.Value
	staged []tidemark.Change
	sum    uint64
}

func (b *bench) newPeer() *peer {
	p := &peer{line: line{b: b}, rows: map[string][]tidemark.Value{}}
	p.hello = wire.Hello{Protocol: wire.Protocol, Space: "shop", Schema: b.hub.State().SchemaHash}
	return p
}

// join makes a peer at head, as a clone does.
func (b *bench) join() *peer {
	p := b.newPeer()
	st := b.hub.State()
	p.hello.Incarnation, p.hello.Term, p.hello.Seq = st.Incarnation, st.Term, st.Head
	for _, r := range b.store.now.rows {
		if r.values != nil {
			p.rows[rowName(r.table, r.keyID)] = r.values
		}
	}
	p.connect()
	if p.welcome == nil {
		b.t.Fatalf("not welcome: %v", p.got)
	}
	p.send(&wire.Ack{Seq: p.hello.Seq})
	return p
}

// connect says hello on a new session.
func (p *peer) connect() {
	p.s = p.b.hub.NewSession(tidemark.Principal{})
	if !slices.Contains(p.b.peers, p) {
		p.b.peers = append(p.b.peers, p)
	}
	p.send(&p.hello)
}

func (p *peer) send(m wire.Up) *hub.Submission {
	p.b.t.Helper()
	down, sub := p.say(m)
	p.hear(down)
	return sub
}

func (p *peer) hear(down []wire.Down) {
	p.b.t.Helper()
	for _, m := range down {
		p.note(m)
		if batch, ok := m.(*wire.Batch); ok {
			p.apply(batch)
		}
	}
}

func (p *peer) apply(m *wire.Batch) {
	p.b.t.Helper()
	p.fits(m)
	p.readable(m.Raw, m.Changes)
	p.staged = append(p.staged, m.Changes...)
	if m.More {
		p.hello.Staged = m.Cursor
		return
	}
	t := p.b.hub.Schema()
	for _, c := range p.staged {
		id := rowName(c.Table, t.Table(c.Table).KeyID(c.Key))
		switch c.Op {
		case tidemark.Insert:
			p.rows[id] = c.New
		case tidemark.Delete:
			delete(p.rows, id)
		case tidemark.Update:
			row := slices.Clone(p.rows[id])
			if row == nil {
				p.b.t.Fatalf("an update of a row that was never sent: %v", c)
			}
			for i, col := range c.Cols {
				row[col] = c.New[i]
			}
			p.rows[id] = row
		}
	}
	p.staged, p.hello.Staged = nil, ""
	p.hello.Seq, p.hello.Term, p.sum = m.To, m.Term, m.Sum
}

func (p *peer) push(changes ...tidemark.Change) hub.Submission {
	p.b.t.Helper()
	return p.taken(p.send(p.next(changes...)))
}

func pushOf(n int64, schema string, changes ...tidemark.Change) *wire.Push {
	var salt tidemark.Salt
	binary.BigEndian.PutUint64(salt[:], uint64(n))
	return &wire.Push{N: n, Salt: salt, Schema: schema, Body: wire.AppendChanges(nil, changes, false)}
}

// group runs a group and delivers it to everyone.
func (b *bench) group(subs ...hub.Submission) *hub.Commit {
	b.t.Helper()
	b.now++
	c, err := b.hub.Group(ctx, b.now, subs, nil)
	if err != nil {
		b.t.Fatal(err)
	}
	b.deliver(c)
	return c
}

func (b *bench) deliver(c *hub.Commit) {
	b.t.Helper()
	for _, p := range b.peers {
		p.hear(p.s.Deliver(c))
	}
	for _, m := range b.moles {
		m.hear(m.s.Deliver(c))
	}
}

func (p *peer) catchUp() {
	p.b.t.Helper()
	p.line.catchUp(p.hear)
}

// heard returns and forgets the messages of one type.
func heard[M wire.Down](p *peer) []M {
	var out []M
	var rest []wire.Down
	for _, m := range p.got {
		if x, ok := m.(M); ok {
			out = append(out, x)
		} else {
			rest = append(rest, m)
		}
	}
	p.got = rest
	return out
}

// outcome returns the only outcome heard.
func (p *peer) outcome() tidemark.Outcome {
	p.b.t.Helper()
	list := p.outcomes()
	if len(list) != 1 {
		p.b.t.Fatalf("%d outcomes: %v", len(list), list)
	}
	return list[0]
}

func (p *peer) outcomes() []tidemark.Outcome {
	var list []tidemark.Outcome
	for _, m := range heard[*wire.Outcomes](p) {
		list = append(list, m.List...)
	}
	return list
}

// refusal returns the code of the only refusal heard, "" for none.
func (p *peer) refusal() tidemark.Code {
	p.b.t.Helper()
	list := heard[*wire.Refusal](p)
	switch len(list) {
	case 0:
		return ""
	case 1:
		return list[0].Code
	}
	p.b.t.Fatalf("%d refusals, the second: %v", len(list), list[1])
	return ""
}

// same fails unless the peer holds what the store holds, and knows it.
func (p *peer) same() {
	p.b.t.Helper()
	st := p.b.hub.State()
	if p.hello.Seq != st.Head {
		p.b.t.Fatalf("at %d, head is %d", p.hello.Seq, st.Head)
	}
	n := 0
	for _, r := range p.b.store.now.rows {
		if r.values == nil {
			continue
		}
		n++
		if mine := p.rows[rowName(r.table, r.keyID)]; !slices.Equal(mine, r.values) {
			p.b.t.Fatalf("row %v is %v, should be %v", r.key, mine, r.values)
		}
	}
	if n != len(p.rows) {
		p.b.t.Fatalf("%d rows, should be %d", len(p.rows), n)
	}
}

// rowName names a row in peer.rows: items by their key alone.
func rowName(table int, keyID string) string {
	if table == 1 {
		return keyID
	}
	return fmt.Sprintf("%d/%s", table, keyID)
}

func insert(id int64, name string) tidemark.Change {
	return tidemark.Change{
		Table: 1, Op: tidemark.Insert, Key: []tidemark.Value{tidemark.Int(id)},
		New: []tidemark.Value{tidemark.Int(id), tidemark.Text(name), tidemark.Null},
	}
}

func update(id int64, col int, v tidemark.Value) tidemark.Change {
	return tidemark.Change{Table: 1, Op: tidemark.Update, Key: []tidemark.Value{tidemark.Int(id)}, Cols: []int{col}, New: []tidemark.Value{v}}
}

func remove(id int64) tidemark.Change {
	return tidemark.Change{Table: 1, Op: tidemark.Delete, Key: []tidemark.Value{tidemark.Int(id)}}
}
