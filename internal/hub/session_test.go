package hub_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/dice"
	"github.com/tidemarkdb/tidemark/internal/hub"
	"github.com/tidemarkdb/tidemark/internal/wire"
)

func TestCatchUpByChunksWhileOthersCommit(t *testing.T) {
	rng := dice.New(t)
	for range dice.Times(30) {
		b := newBench(t, hub.Options{Chunk: 100 + rng.IntN(400)})
		a, away := b.join(), b.join()
		away.s.End()
		commit := func() {
			id := rng.Int64N(30)
			c := insert(id, fmt.Sprint("name ", rng.Uint64()))
			if a.rows[b.hub.Schema().Table(1).KeyID(c.Key)] != nil {
				if c = update(id, 1, c.New[1]); rng.IntN(3) == 0 {
					c = remove(id)
				}
			}
			b.group(a.push(c))
		}
		for range 60 {
			commit()
		}
		away.connect()
		chunks := 0
		for away.s.Behind() {
			if chunks < 40 && rng.IntN(2) == 0 {
				commit()
			}
			if rng.IntN(6) == 0 {
				away.connect() // with what was staged
			}
			down, err := away.s.Next(ctx)
			if err != nil {
				t.Fatal(err)
			}
			away.hear(down)
			chunks++
		}
		away.same()
		a.same()
		commit() // live again
		away.same()
		if code := away.refusal(); code != "" {
			t.Fatal(code)
		}
	}
}

func TestFallback(t *testing.T) {
	b := newBench(t, hub.Options{})
	a, slow := b.join(), b.join()
	b.group(a.push(insert(1, "one")))
	slow.send(&wire.Ack{Seq: slow.hello.Seq})
	before, rows := slow.hello, len(slow.rows)
	b.group(a.push(insert(2, "two")))
	slow.hello = before // this batch was dropped from the queue
	delete(slow.rows, b.hub.Schema().Table(1).KeyID([]tidemark.Value{tidemark.Int(2)}))
	if len(slow.rows) != rows {
		t.Fatal("the test is wrong")
	}
	slow.s.Fallback()
	slow.catchUp()
	slow.same()
	b.group(a.push(insert(3, "three")))
	slow.same()
}

func TestNoRoomForTheBatch(t *testing.T) {
	b := newBench(t, hub.Options{})
	a := b.join()
	c, err := b.hub.Group(ctx, b.now, []hub.Submission{a.push(insert(1, "one"))}, nil)
	if err != nil {
		t.Fatal(err)
	}
	a.hear(a.s.Answers(c))
	if a.outcome().Seq != 1 || !a.s.Behind() {
		t.Fatal("the outcome must come, and the session be behind")
	}
	a.catchUp()
	a.same()
}

func TestALargeCommitComesInChunks(t *testing.T) {
	b := newBench(t, hub.Options{Chunk: 1000})
	a, other := b.join(), b.join()
	var list []tidemark.Change
	for id := range int64(100) {
		list = append(list, insert(id, strings.Repeat("x", 100)+fmt.Sprint(id)))
	}
	if c := b.group(a.push(list...)); c.Batch != nil || c.To != 1 {
		t.Fatal("it came as one batch")
	}
	other.catchUp()
	if n := len(heard[*wire.Batch](other)); n < 5 {
		t.Fatalf("in %d chunks", n)
	}
	other.same()
}

func TestQuestionsAreAnsweredAtHead(t *testing.T) {
	b := newBench(t, hub.Options{Chunk: 100})
	a, away := b.join(), b.join()
	away.s.End()
	for id := range int64(20) {
		b.group(a.push(insert(id, fmt.Sprint("name ", id))))
	}
	away.connect()
	away.send(&wire.AskRanges{ID: 7, Table: 1, Bounds: [][]tidemark.Value{{tidemark.Int(3)}}})
	away.send(&wire.AskRows{ID: 8, Table: 1, Limit: 1000})
	away.send(&wire.AskRows{ID: 9, Table: 2})
	away.send(&wire.AskRows{ID: 10, Table: 1, After: make([]tidemark.Value, 2)})
	away.catchUp()
	last := away.got[len(away.got)-4:]
	ranges, ok := last[0].(*wire.Ranges)
	if !ok || ranges.ID != 7 || ranges.Seq != 20 || len(ranges.List) != 2 {
		t.Fatalf("%+v", last[0])
	}
	rows, ok := last[1].(*wire.Rows)
	if !ok || rows.ID != 8 || rows.Seq != 20 || !rows.More || len(rows.List) == 0 {
		t.Fatalf("%+v", last[1])
	}
	for _, m := range last[2:] {
		if r, ok := m.(*wire.Refusal); !ok || r.Fatal {
			t.Fatalf("%+v", m)
		}
	}
	away.same()
}

func TestWritesIntoTheServersFile(t *testing.T) {
	b := newBench(t, hub.Options{})
	a := b.join()
	b.store.foreignWrite(nil, insert(1, "by hand"))
	a.s.Fallback()
	if c := b.group(); c.Foreign != 1 || c.To != 1 {
		t.Fatalf("%+v", c)
	}
	a.same()
	b.store.foreignWrite(&tidemark.Error{Code: tidemark.CodeCheck, Msg: "no"}, insert(2, "bad"))
	c := b.group(a.push(insert(3, "three")))
	if len(c.Rejected) != 1 || c.Rejected[0].Code != tidemark.CodeCheck || c.Rejected[0].N != 2 || len(b.store.now.undone) != 1 {
		t.Fatalf("%+v", c.Rejected)
	}
	if a.outcome().Seq != 2 {
		t.Fatal("it held others up")
	}
	a.same()
	e := b.store.now.log[0]
	if e.Name.Replica != tidemark.FileReplica || e.Name.N != 1 || e.Name.Hash == (tidemark.Hash{}) {
		t.Fatalf("%+v", e)
	}
}

func TestForeignWorkComesBeforeEverything(t *testing.T) {
	b := newBench(t, hub.Options{})
	a := b.join()
	b.group(a.push(insert(1, "one")))
	a.outcome()
	b.store.foreignWrite(nil, update(1, 1, tidemark.Text("by hand")))
	if _, err := a.s.Next(ctx); err != nil {
		t.Fatal("a session at head has nothing to ask the store for")
	}
	b.group(a.push(update(1, 1, tidemark.Text("mine"))))
	if o := a.outcome(); o.Seq != 3 {
		t.Fatalf("%+v", o)
	}
	a.same()
	away := b.join()
	away.hello.Seq = 0
	b.store.foreignWrite(nil, insert(2, "by hand"))
	away.connect()
	if _, err := away.s.Next(ctx); tidemark.CodeOf(err) != tidemark.CodeBusy {
		t.Fatalf("reading between a foreign write and its group: %v", err)
	}
	b.group()
	away.catchUp()
	away.same()
}

func TestTheSchemaMoves(t *testing.T) {
	b := newBench(t, hub.Options{})
	a, away := b.join(), b.join()
	away.s.End()
	late := a.push(insert(1, "under the old schema"))
	wide := items("price")
	b.store.waiting = &tidemark.ForeignWork{Moved: &tidemark.SchemaMove{Schema: wide}}
	c := b.group(late)
	if c.Schema == nil || c.Schema.Hash != wide.Hash || c.To != 2 {
		t.Fatalf("%+v", c)
	}
	if o := a.outcome(); o.Kind != tidemark.Accepted {
		t.Fatalf("a changeset of the old schema: %+v", o)
	}
	if a.hello.Schema != wide.Hash {
		t.Fatal("the schema did not come")
	}
	a.same()
	b.group(a.push(update(1, 3, tidemark.Int(5))))
	a.same()
	away.connect()
	away.catchUp()
	if away.hello.Schema != wide.Hash {
		t.Fatal("the schema did not come to the one who was away")
	}
	away.same()
}

func TestScrubSequencesWhatCaptureMissed(t *testing.T) {
	b := newBench(t, hub.Options{})
	a := b.join()
	b.store.missed = []tidemark.Change{insert(1, "unseen")}
	row := memoryRow{table: 1, keyID: items().Table(1).KeyID([]tidemark.Value{tidemark.Int(1)}), key: []tidemark.Value{tidemark.Int(1)}, values: insert(1, "unseen").New}
	b.store.now.rows["1/"+row.keyID] = row
	next, c, err := b.hub.Scrub(ctx, b.now, "", 100)
	if err != nil || next == "" || c.Missed != 1 || c.To != 1 {
		t.Fatalf("%q %+v %v", next, c, err)
	}
	b.deliver(c)
	a.same()
	if next, c, err = b.hub.Scrub(ctx, b.now, next, 100); err != nil || next != "" || c.To != c.From {
		t.Fatalf("%q %+v %v", next, c, err)
	}
}

// TestOneSeedOneTrace runs the same inputs twice and compares every byte that was said.
func TestOneSeedOneTrace(t *testing.T) {
	run := func() string {
		var trace []byte
		b := newBench(t, hub.Options{Rand: rand.NewChaCha8([32]byte{1})})
		a, c := b.join(), b.join()
		rng := rand.New(rand.NewPCG(7, 7))
		for i := range 50 {
			var subs []hub.Submission
			for _, p := range []*peer{a, c, a} {
				subs = append(subs, p.push(insert(rng.Int64N(40), fmt.Sprint(rng.IntN(60))), update(rng.Int64N(40)+100, 1, tidemark.Null)))
				subs = append(subs, p.push(remove(rng.Int64N(40)), insert(int64(1000+i), fmt.Sprint("x", rng.IntN(1000)))))
			}
			b.group(subs...)
		}
		for _, p := range []*peer{a, c} {
			for _, m := range p.got {
				trace = wire.AppendDown(trace, m)
			}
		}
		return string(trace)
	}
	if first, second := run(), run(); first != second {
		t.Fatal("two runs of one seed differ")
	}
}

func TestOutcomesComeBeforeTheBatchThatTheySettleWith(t *testing.T) {
	b := newBench(t, hub.Options{})
	a := b.join()
	a.got = nil
	b.store.waiting = &tidemark.ForeignWork{Moved: &tidemark.SchemaMove{Schema: items("price")}}
	b.group(a.push(insert(1, "one")))
	var kinds []string
	for _, m := range a.got {
		kinds = append(kinds, fmt.Sprintf("%T", m))
	}
	if !slices.Equal(kinds, []string{"*wire.Schema", "*wire.Outcomes", "*wire.Batch"}) {
		t.Fatalf("%v", kinds)
	}
}
