package hub_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/hub"
	"github.com/tidemarkdb/tidemark/internal/wire"
)

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
