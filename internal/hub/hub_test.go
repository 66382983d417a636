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

// peer is the other end of a session: it believes everything and applies it to a map.
type peer struct {
	b       *bench
	s       *hub.Session
	hello   wire.Hello
	n       int64
	welcome *wire.Welcome
	got     []wire.Down // since the last look
	rows    map[string][]tidemark.Value
	staged  []tidemark.Change
	sum     uint64
}

func (b *bench) newPeer() *peer {
	p := &peer{b: b, rows: map[string][]tidemark.Value{}}
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
	down, sub, err := p.s.Receive(ctx, p.b.now, m)
	if err != nil {
		p.b.t.Fatal(err)
	}
	p.hear(down)
	return sub
}

func (p *peer) hear(down []wire.Down) {
	p.b.t.Helper()
	for _, m := range down {
		p.got = append(p.got, m)
		switch m := m.(type) {
		case *wire.Welcome:
			p.welcome = m
			p.hello.Replica, p.hello.Ticket, p.hello.Incarnation = m.Replica, m.Ticket, m.Incarnation
			if m.Resync {
				p.hello.Seq, p.hello.Term = m.Head, m.Term
			}
		case *wire.Schema:
			p.hello.Schema = m.Hash
		case *wire.Batch:
			p.apply(m)
		}
	}
}

func (p *peer) apply(m *wire.Batch) {
	p.b.t.Helper()
	if m.From != p.hello.Seq {
		p.b.t.Fatalf("a batch from %d came at %d", m.From, p.hello.Seq)
	}
	if m.Schema != p.hello.Schema {
		p.b.t.Fatalf("a batch of schema %q came before that schema", m.Schema)
	}
	if m.Raw != nil {
		back, err := wire.DecodeChanges(m.Raw)
		if err != nil || len(back) != len(m.Changes) {
			p.b.t.Fatalf("encoded changes differ: %v", err)
		}
	}
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

// push makes the next changeset.
func (p *peer) push(changes ...tidemark.Change) hub.Submission {
	p.b.t.Helper()
	p.n++
	m := pushOf(p.n, p.hello.Schema, changes...)
	m.Seen, m.MadeAt = p.hello.Seq, p.b.now
	sub := p.send(m)
	if sub == nil {
		p.b.t.Fatalf("push %d made no submission: %v", p.n, p.got)
	}
	return *sub
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
	for p.s.Behind() {
		down, err := p.s.Next(ctx)
		if err != nil {
			p.b.t.Fatal(err)
		}
		p.hear(down)
	}
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

func TestAChangesetReachesEveryone(t *testing.T) {
	b := newBench(t, hub.Options{})
	a, c := b.join(), b.join()
	sub := a.push(insert(1, "one"), insert(2, "two"))
	b.group(sub)
	o := a.outcome()
	if o.Kind != tidemark.Accepted || o.Seq != 1 || o.Name != sub.Changeset.Name {
		t.Fatalf("outcome %+v", o)
	}
	if len(c.outcomes()) != 0 {
		t.Fatal("an outcome went to a replica that it does not concern")
	}
	a.same()
	c.same()
	if a.sum != c.sum || a.sum != b.hub.State().Sum {
		t.Fatal("sums differ")
	}
}

func TestOneBatchForAGroup(t *testing.T) {
	b := newBench(t, hub.Options{})
	a, c := b.join(), b.join()
	b.group(a.push(insert(1, "one"), insert(2, "two"), insert(3, "three")))
	heard[*wire.Batch](c)
	b.group(
		a.push(update(1, 1, tidemark.Text("uno"))),
		c.push(update(1, 2, tidemark.Text("note"))),
		a.push(remove(2)),
		c.push(insert(4, "four")),
		a.push(update(4, 1, tidemark.Text("quattro"))),
		c.push(insert(5, "five")),
		a.push(remove(5)),
		c.push(remove(3)),
		a.push(insert(3, "drei")),
	)
	batches := heard[*wire.Batch](c)
	if len(batches) != 1 {
		t.Fatalf("%d batches", len(batches))
	}
	m := batches[0]
	if m.From != 1 || m.To != 10 || len(m.Changes) != 5 {
		t.Fatalf("batch %d to %d with %v", m.From, m.To, m.Changes)
	}
	for i, want := range []tidemark.Op{tidemark.Delete, tidemark.Delete, tidemark.Update, tidemark.Insert, tidemark.Insert} {
		if m.Changes[i].Op != want {
			t.Fatalf("change %d is %v", i, m.Changes[i])
		}
	}
	if u := m.Changes[2]; !slices.Equal(u.Cols, []int{1, 2}) {
		t.Fatalf("two edits of one row became %v", u)
	}
	a.same()
	c.same()
}

func TestReplayGetsTheRecordedOutcome(t *testing.T) {
	b := newBench(t, hub.Options{})
	a := b.join()
	first := a.push(insert(1, "one"))
	b.group(first, first)
	list := a.outcomes()
	if len(list) != 2 || fmt.Sprint(list[0]) != fmt.Sprint(list[1]) {
		t.Fatalf("a replay in the same group: %v", list)
	}
	b.group(a.push(insert(2, "bad")))
	rejected := a.outcome()
	b.restart(hub.Options{})
	a.connect()
	for i, o := range a.outcomes() {
		if want := []tidemark.Outcome{list[0], rejected}[i]; fmt.Sprint(o) != fmt.Sprint(want) {
			t.Fatalf("after a restart hello brings %+v, not %+v", o, want)
		}
	}
	a.n = 0
	b.group(a.push(insert(1, "one")), a.push(insert(2, "bad")))
	again := a.outcomes()
	if len(again) != 2 || fmt.Sprint(again) != fmt.Sprint([]tidemark.Outcome{list[0], rejected}) {
		t.Fatalf("after a restart the replay got %v", again)
	}
	if st := b.hub.State(); st.Head != 1 {
		t.Fatalf("head %d", st.Head)
	}
}

func TestOtherContentUnderAKnownNumberIsAFork(t *testing.T) {
	b := newBench(t, hub.Options{})
	a := b.join()
	b.group(a.push(insert(1, "one")))
	a.outcome()
	a.n = 0
	fork := a.push(insert(1, "uno"))
	behind := a.push(insert(2, "two"))
	b.group(fork, behind)
	if code := a.refusal(); code != tidemark.CodeFork {
		t.Fatalf("refusal %q", code)
	}
	if list := a.outcomes(); len(list) != 0 {
		t.Fatalf("what came behind a fork was judged: %v", list)
	}
	if sub := a.send(pushOf(3, a.hello.Schema)); sub != nil {
		t.Fatal("a session that forked takes a push before another hello")
	}
}

func TestNumbersBehindWhatIsSettledAreAFork(t *testing.T) {
	b := newBench(t, hub.Options{})
	a := b.join()
	a.hello.Settled = 7
	a.connect()
	a.n = 6
	b.group(a.push(insert(1, "one")))
	if code := a.refusal(); code != tidemark.CodeFork {
		t.Fatalf("refusal %q", code)
	}
	// But the next number goes on: the server lost the outcomes, not the replica.
	a.connect()
	a.n = 7
	b.group(a.push(insert(1, "one")))
	if o := a.outcome(); o.Kind != tidemark.Accepted {
		t.Fatalf("%+v", o)
	}
}

func TestGapGetsNoOutcome(t *testing.T) {
	b := newBench(t, hub.Options{})
	a := b.join()
	one := a.push(insert(1, "one"))
	two, three := a.push(insert(2, "two")), a.push(insert(3, "three"))
	b.group(two, three)
	if code := a.refusal(); code != tidemark.CodeGap {
		t.Fatalf("refusal %q", code)
	}
	b.group(one, two, three)
	if list := a.outcomes(); len(list) != 3 || list[2].Seq != 3 {
		t.Fatalf("%v", list)
	}
}

func TestRejections(t *testing.T) {
	key := []tidemark.Value{tidemark.Int(1)}
	cases := []struct {
		name   string
		change tidemark.Change
		code   tidemark.Code
	}{
		{"a check", insert(2, "bad"), tidemark.CodeCheck},
		{"a unique value", insert(2, "one"), tidemark.CodeUnique},
		{"a key that is there", insert(1, "other"), tidemark.CodeUnique},
		{"a foreign key", update(1, 2, tidemark.Text("orphan")), tidemark.CodeForeignKey},
		{"a row that never was", update(9, 1, tidemark.Text("x")), tidemark.CodeDependsOn},
		{"a NULL key", tidemark.Change{Table: 1, Op: tidemark.Delete, Key: []tidemark.Value{tidemark.Null}}, tidemark.CodeNotNull},
		{"a move to NULL", update(1, 0, tidemark.Null), tidemark.CodeNotNull},
		{"an unknown table", tidemark.Change{Table: 9, Op: tidemark.Delete, Key: key}, tidemark.CodeSchema},
		{"a table that is out", tidemark.Change{Table: 2, Op: tidemark.Delete, Key: key}, tidemark.CodeSchema},
		{"a short row", tidemark.Change{Table: 1, Op: tidemark.Insert, Key: key, New: key}, tidemark.CodeSchema},
		{"a long row", tidemark.Change{Table: 1, Op: tidemark.Insert, Key: key, New: make([]tidemark.Value, 4)}, tidemark.CodeSchema},
		{"a column too many", update(1, 3, tidemark.Null), tidemark.CodeSchema},
		{"a wide key", tidemark.Change{Table: 1, Op: tidemark.Delete, Key: make([]tidemark.Value, 2)}, tidemark.CodeSchema},
		{"columns twice", tidemark.Change{Table: 1, Op: tidemark.Update, Key: key, Cols: []int{1, 1}, New: make([]tidemark.Value, 2)}, tidemark.CodeSchema},
		{"a huge row", insert(3, string(make([]byte, 2000))), tidemark.CodeTooLarge},
		{"RAISE(ROLLBACK)", insert(3, nameGone), tidemark.CodeRaised},
	}
	b := newBench(t, hub.Options{Limits: wire.Limits{Row: 1000, Changeset: 4000}})
	a, other := b.join(), b.join()
	b.group(a.push(insert(1, "one")))
	a.outcome()
	for _, tc := range cases {
		head := b.hub.State().Head
		bad := a.push(insert(100, "good"), tc.change)
		b.group(bad, other.push(update(1, 2, tidemark.Int(int64(head)))), a.push(update(1, 2, tidemark.Text("after "+tc.name))))
		list := a.outcomes()
		if len(list) != 2 {
			t.Fatalf("%s: %v", tc.name, list)
		}
		o := list[0]
		if o.Kind != tidemark.Rejected || o.Code != tc.code || o.Message == "" || o.Seq != head {
			t.Errorf("%s: %+v", tc.name, o)
		}
		if list[1].Kind != tidemark.Merged || other.outcome().Kind != tidemark.Accepted {
			t.Errorf("%s: it held others up: %+v", tc.name, list[1])
		}
		if b.hub.State().Head != head+2 {
			t.Errorf("%s: head went from %d to %d", tc.name, head, b.hub.State().Head)
		}
		a.same()
		other.same()
	}
}

func TestUnreadableChangesetsAreRejected(t *testing.T) {
	b := newBench(t, hub.Options{Limits: wire.Limits{Changeset: 100}})
	a := b.join()
	for _, tc := range []struct {
		body, schema string
		code         tidemark.Code
	}{
		{"", a.hello.Schema, tidemark.CodeSchema},
		{"[[[[", a.hello.Schema, tidemark.CodeSchema},
		{`"x"`, a.hello.Schema, tidemark.CodeSchema},
		{"[]", "no such schema", tidemark.CodeSchema},
		{"[" + string(make([]byte, 100)) + "]", a.hello.Schema, tidemark.CodeTooLarge},
	} {
		a.n++
		b.group(*a.send(&wire.Push{N: a.n, Schema: tc.schema, Body: []byte(tc.body)}))
		if o := a.outcome(); o.Kind != tidemark.Rejected || o.Code != tc.code {
			t.Errorf("%q under %q: %+v", tc.body, tc.schema, o)
		}
	}
}

// A changeset whose body was not sent, because it is too large, gets its
// outcome by its hash, and the same one when it comes again.
func TestAWithheldBodyIsRejected(t *testing.T) {
	b := newBench(t, hub.Options{Limits: wire.Limits{Changeset: 100}})
	a := b.join()
	p := &wire.Push{N: 1, Schema: a.hello.Schema, Hash: tidemark.Hash{7}}
	a.n++
	for range 2 {
		b.group(*a.send(p))
		if o := a.outcome(); o.Kind != tidemark.Rejected || o.Code != tidemark.CodeTooLarge || o.Hash != p.Hash {
			t.Errorf("%+v", o)
		}
	}
	b.group(a.push(insert(1, "behind it")))
	if o := a.outcome(); o.Kind != tidemark.Accepted {
		t.Errorf("it held others up: %+v", o)
	}
}

func TestOneRowTwiceIsRejected(t *testing.T) {
	b := newBench(t, hub.Options{})
	a := b.join()
	b.group(a.push(insert(1, "one"), update(1, 1, tidemark.Text("uno"))))
	if o := a.outcome(); o.Code != tidemark.CodeSchema {
		t.Fatalf("%+v", o)
	}
}

func TestUpdateOfADeletedRowIsMerged(t *testing.T) {
	b := newBench(t, hub.Options{})
	a, c := b.join(), b.join()
	b.group(a.push(insert(1, "one")))
	b.group(c.push(remove(1)))
	a.outcomes()
	b.group(a.push(update(1, 1, tidemark.Text("uno")), insert(2, "two")))
	o := a.outcome()
	if o.Kind != tidemark.Merged || len(o.Lost) != 1 || o.Lost[0].Table != "item" || o.Lost[0].Column != "name" || o.Seq != 3 {
		t.Fatalf("%+v", o)
	}
	a.same()
	c.same()
}

func TestWhatIsDoneAlreadyIsAccepted(t *testing.T) {
	b := newBench(t, hub.Options{})
	a, c := b.join(), b.join()
	b.group(a.push(insert(1, "one")), c.push(insert(1, "one")), a.push(remove(1)), c.push(remove(1)))
	for _, p := range []*peer{a, c} {
		for _, o := range p.outcomes() {
			if o.Kind != tidemark.Accepted {
				t.Fatalf("%+v", o)
			}
		}
		p.same()
	}
	if head := b.hub.State().Head; head != 4 {
		t.Fatalf("every changeset takes a seq, head is %d", head)
	}
}

func TestRowsMayTradeKeys(t *testing.T) {
	b := newBench(t, hub.Options{})
	a := b.join()
	b.group(a.push(insert(1, "one"), insert(2, "two")))
	a.outcomes()
	b.group(a.push(update(2, 0, tidemark.Int(3)), insert(2, "new two"), remove(1)))
	if o := a.outcome(); o.Kind != tidemark.Accepted {
		t.Fatalf("%+v", o)
	}
	a.same()
}

func TestAWorkingStoreGivesUpOnOneThatKeepsFailing(t *testing.T) {
	for _, name := range []string{nameBroken, nameCrash} {
		b := newBench(t, hub.Options{})
		a, c := b.join(), b.join()
		queue := []hub.Submission{a.push(insert(1, name)), a.push(insert(2, "two"))}
		for i := 0; ; i++ {
			if i > 6 {
				t.Fatalf("%s: still in the way", name)
			}
			commit := b.group(append(queue, c.push(insert(int64(100+i), fmt.Sprint(i))))...)
			if c.outcome().Kind != tidemark.Accepted {
				t.Fatalf("%s: it held others up", name)
			}
			if queue = commit.Retry; len(queue) == 0 {
				break
			}
			if len(queue) != 2 || queue[0].Changeset.N != 1 || commit.Failed(queue[0]) == nil {
				t.Fatalf("%s: to try again: %v", name, queue)
			}
		}
		list := a.outcomes()
		if len(list) != 2 || list[0].Code != tidemark.CodeInternal || list[1].Kind != tidemark.Accepted {
			t.Fatalf("%s: %+v", name, list)
		}
		a.same()
	}
}

func TestAFullDiskRejectsNothing(t *testing.T) {
	b := newBench(t, hub.Options{})
	a := b.join()
	sub := a.push(insert(1, "one"))
	b.store.full = true
	for range 20 {
		if _, err := b.hub.Group(ctx, b.now, []hub.Submission{sub}, nil); tidemark.CodeOf(err) != tidemark.CodeFull {
			t.Fatal(err)
		}
	}
	b.store.full = false
	b.group(sub)
	if o := a.outcome(); o.Kind != tidemark.Accepted {
		t.Fatalf("%+v", o)
	}
}

func TestAGroupEndsWhenItsTimeIsOver(t *testing.T) {
	b := newBench(t, hub.Options{})
	a := b.join()
	subs := []hub.Submission{a.push(insert(1, "one")), a.push(insert(2, "two")), a.push(insert(3, "three"))}
	c, err := b.hub.Group(ctx, b.now, subs, func() bool { return false })
	if err != nil {
		t.Fatal(err)
	}
	b.deliver(c)
	if len(c.Retry) != 2 || c.Failed(c.Retry[0]) != nil || c.To != 1 {
		t.Fatalf("%+v", c)
	}
	b.group(c.Retry...)
	if list := a.outcomes(); len(list) != 3 {
		t.Fatalf("%v", list)
	}
}
