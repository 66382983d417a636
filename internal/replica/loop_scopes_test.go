package replica

import (
	"fmt"
	"testing"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/wire"
)

// subscribes counts the messages that tell what is wanted.
func subscribes(up []wire.Up) (n int) {
	for _, m := range up {
		if _, is := m.(*wire.Subscribe); is {
			n++
		}
	}
	return n
}

func TestSubscribeWaitsForItsRound(t *testing.T) {
	for _, ev := range []Event{Rewant{}, Local{}} {
		l := in(t, Idle)
		l.sent()
		l.mustStep(t, ev)
		if n := len(l.sent()); n != 0 {
			t.Fatalf("%T: %d messages although nothing else is wanted", ev, n)
		}
		l.copy.wants++
		if l.Settled() {
			t.Fatal("settled before the server was asked")
		}
		l.mustStep(t, ev, ev)
		if up := l.sent(); subscribes(up) != 1 || l.State() != CatchingUp {
			t.Fatalf("%T: sent %v in %v", ev, up, l.State())
		}
		l.mustStep(t, down(&wire.Scopes{List: []string{"a/1"}, Ask: l.copy.wants}))
		if l.State() != CatchingUp || l.copy.heard != 1 || l.Settled() {
			t.Fatalf("%v, heard %d", l.State(), l.copy.heard)
		}
		// Chunks of the round come at the checkpoint where the replica is.
		l.mustStep(t, down(&wire.Batch{More: true, Cursor: "c", Parts: []wire.Part{{Scope: "a/1"}}}))
		l.mustStep(t, down(&wire.Batch{Parts: []wire.Part{{Scope: "a/1"}}}))
		if l.State() != Idle || !l.Settled() {
			t.Fatalf("%v", l.State())
		}
	}
}

// What is wanted since Hello is told behind Welcome; what Hello said is not told again.
func TestSubscribeWhileGreeting(t *testing.T) {
	l := newTestLoop(1)
	l.copy.wants = 3
	l.mustStep(t, Start{}, Connected{}, down(&wire.Welcome{Ask: 3}))
	if n := subscribes(l.sent()); n != 0 || l.copy.heard != 3 || l.State() != Idle {
		t.Fatalf("%d messages, heard %d", n, l.copy.heard)
	}
	l = newTestLoop(1)
	l.mustStep(t, Start{}, Connected{})
	l.copy.wants = 1
	l.mustStep(t, Rewant{}, down(&wire.Welcome{}))
	if n := subscribes(l.sent()); n != 1 || l.copy.heard != 0 || l.State() != CatchingUp {
		t.Fatalf("%d messages, heard %d, %v", n, l.copy.heard, l.State())
	}
	// A connection that is lost loses the question, not what is wanted.
	l.mustStep(t, Disconnected{}, Tick{}, Connected{}, down(&wire.Welcome{Ask: 1}))
	if n := subscribes(l.sent()); n != 0 || l.copy.heard != 1 || l.State() != Idle {
		t.Fatalf("%d messages, heard %d, %v", n, l.copy.heard, l.State())
	}
}

// A list that was on its way when the replica asked for something else does not answer it.
func TestListThatCrossesASubscribe(t *testing.T) {
	l := in(t, Idle)
	for range 2 {
		l.copy.wants++
		l.mustStep(t, Rewant{})
	}
	for _, m := range l.sent() {
		if s, is := m.(*wire.Subscribe); is && (s.Ask < 1 || s.Ask > 2) {
			t.Fatalf("subscribes as %d", s.Ask)
		}
	}
	for ask := range int64(2) {
		l.mustStep(t, down(&wire.Scopes{Ask: ask}))
		if l.State() != CatchingUp || l.Settled() || l.copy.heard != ask {
			t.Fatalf("after the list to %d: %v, heard %d, settled %v", ask, l.State(), l.copy.heard, l.Settled())
		}
	}
	l.mustStep(t, down(&wire.Scopes{Ask: 2}))
	if l.State() != Idle || !l.Settled() {
		t.Fatalf("%v, heard %d", l.State(), l.copy.heard)
	}
	// Over plain HTTP a Welcome answers, too: that of a trip that began before says so.
	l.copy.wants++
	l.mustStep(t, Rewant{}, down(&wire.Welcome{Ask: 2}))
	if l.State() != CatchingUp || l.Settled() {
		t.Fatalf("answered by an older round trip: %v", l.State())
	}
	l.mustStep(t, down(&wire.Welcome{Ask: 3}))
	if l.State() != Idle || !l.Settled() {
		t.Fatalf("%v, heard %d", l.State(), l.copy.heard)
	}
}

// Nobody waits for ever for an answer.
func TestSubscribeWithoutAnAnswer(t *testing.T) {
	l := in(t, Idle)
	l.copy.wants++
	l.mustStep(t, Rewant{}, Tick{})
	if l.State() != Backoff {
		t.Fatal(l.State())
	}
}

func TestOtherScopesBeginAVerificationAnew(t *testing.T) {
	rows := manyRows(100)
	l, theirs := verifying(t, rows, rows)
	old := l.sent()
	l.mustStep(t, down(&wire.Scopes{List: []string{"a/1"}}))
	if l.State() != CatchingUp {
		t.Fatal(l.State())
	}
	for _, m := range old { // answers to what was asked before
		if a := answer(m, theirs, l.seq); a != nil {
			l.mustStep(t, down(a))
		}
	}
	if lastReport(l) != nil {
		t.Fatal("a report on other scopes")
	}
	l.mustStep(t, down(&wire.Batch{Parts: []wire.Part{{Scope: "a/1"}}}))
	if l.State() != Verifying {
		t.Fatal(l.State())
	}
	converse(t, l, theirs)
	if r := lastReport(l); r == nil || r.Rows != 100 || l.State() != Idle {
		t.Fatalf("%+v in %v", r, l.State())
	}
}

// After a restore nothing is pushed before the copy is compared, and that waits for its scopes.
func TestRestoredServerWithScopes(t *testing.T) {
	l := newTestLoop(1)
	l.copy.schema.Tables = []*tidemark.Table{{ID: 1, Columns: []tidemark.Column{{Name: "a"}, {Name: "b"}}, Key: []int{0}}}
	l.copy.unsealed = 1
	l.mustStep(t, Start{}, Connected{}, down(&wire.Welcome{Resync: true, Scopes: []string{"a/1"}}))
	for _, m := range l.sent() {
		switch m.(type) {
		case *wire.Push, *wire.AskRanges:
			t.Fatalf("%T before the scopes are whole", m)
		}
	}
	l.mustStep(t, down(&wire.Batch{Parts: []wire.Part{{Scope: "a/1"}}}))
	if l.State() != Verifying {
		t.Fatal(l.State())
	}
	converse(t, l, map[int]map[int64]int64{})
	if l.State() != Pushing {
		t.Fatal(l.State())
	}
}

func TestServerOfTheOtherKindStopsTheLoop(t *testing.T) {
	for _, s := range []State{Greeting, Idle, CatchingUp} {
		l := in(t, s)
		l.copy.fail = fmt.Errorf("wrapped: %w", otherKind(true))
		ev := down(&wire.Schema{})
		if s == Greeting {
			ev = down(&wire.Welcome{})
		}
		if err := l.step(ev); err == nil || l.State() != Stopped || l.copy.stopped != tidemark.CodeSchema {
			t.Errorf("%v: %v in %v, stopped by %q", s, err, l.State(), l.copy.stopped)
		}
	}
}

// A list in the middle of a session tells the app what came and went, and loses chunks.
func TestListInTheMiddle(t *testing.T) {
	l := in(t, CatchingUp)
	l.mustStep(t, down(&wire.Batch{To: 5, More: true, Cursor: "c"}))
	l.notes = nil
	l.mustStep(t, down(&wire.Scopes{List: []string{"a/1"}}))
	if l.staging || len(l.notes) == 0 || l.notes[0].Applied == nil {
		t.Fatalf("%+v", l.notes)
	}
	l.notes = nil
	l.mustStep(t, down(&wire.Scopes{List: []string{"a/1"}}))
	if len(l.notes) != 0 {
		t.Fatalf("told of nothing: %+v", l.notes)
	}
	// Plain HTTP greets anew all the time.
	l.mustStep(t, down(&wire.Welcome{Head: 5, Scopes: []string{"a/1"}}))
	if len(l.notes) != 0 {
		t.Fatalf("told of nothing: %+v", l.notes)
	}
	l.mustStep(t, down(&wire.Welcome{Head: 5}))
	if len(l.notes) == 0 {
		t.Fatal("a lost scope was not told")
	}
}

// What leaves because a schema shows that a Welcome listed nothing is told like
// any other loss, and a comparison of what was there begins anew.
func TestSchemaBehindAnEmptyList(t *testing.T) {
	for _, s := range []State{CatchingUp, Idle, Pushing, Verifying} {
		l := in(t, s)
		compared := l.check
		l.notes = nil
		lost := &Applied{Scopes: []ScopeNews{{Scope: "a/1", State: ScopeLost, Rows: 2}}, Left: map[int]int{1: 2}}
		l.copy.bySchema = lost
		l.mustStep(t, down(&wire.Schema{}))
		if len(l.notes) == 0 || l.notes[0].Applied != lost {
			t.Fatalf("%v: told %+v", s, l.notes)
		}
		if compared != nil && l.check == compared {
			t.Fatalf("%v: goes on comparing what is gone", s)
		}
		l.notes = nil
		if l.mustStep(t, down(&wire.Schema{})); len(l.notes) != 0 {
			t.Fatalf("%v: told of nothing: %+v", s, l.notes)
		}
	}
}

// A schema that is taken over behind the Welcome that a comparison began with can
// bring tables that were not asked about.
func TestSchemaBeginsAComparisonAnew(t *testing.T) {
	l := in(t, Verifying)
	compared, code := l.check, l.wantCode
	l.sent()
	l.copy.bySchema = &Applied{Schema: true}
	l.mustStep(t, down(&wire.Schema{}))
	if l.State() != Verifying || l.check == compared || l.check.code != code {
		t.Fatalf("%v, goes on with %+v", l.State(), l.check)
	}
	if len(l.sent()) == 0 {
		t.Fatal("nothing is asked")
	}
}

func TestRowsMustSayTheirScopes(t *testing.T) {
	image := []tidemark.Value{tidemark.Int(1), tidemark.Int(1)}
	for name, c := range map[string]struct {
		scoped bool
		rows   wire.Rows
		good   bool
	}{
		"none where scopes are":    {true, wire.Rows{List: [][]tidemark.Value{image}}, false},
		"a row in no scope":        {true, wire.Rows{List: [][]tidemark.Value{image}, Scopes: [][]string{{}}}, false},
		"more than rows":           {true, wire.Rows{List: [][]tidemark.Value{image}, Scopes: [][]string{{"a"}, {"b"}}}, false},
		"some where no scopes are": {false, wire.Rows{List: [][]tidemark.Value{image}, Scopes: [][]string{{"a"}}}, false},
		"one of a row":             {true, wire.Rows{List: [][]tidemark.Value{image}, Scopes: [][]string{{"a"}}}, true},
	} {
		l, theirs := verifying(t, map[int64]int64{}, map[int64]int64{1: 1})
		if c.scoped {
			l.copy.schema.Scopes = []string{"a"}
		}
		for _, m := range l.sent() {
			if a := answer(m, theirs, l.seq); a != nil {
				l.mustStep(t, down(a))
			}
		}
		for _, m := range l.sent() {
			if ask, is := m.(*wire.AskRows); is {
				c.rows.ID, c.rows.Seq = ask.ID, l.seq
			}
		}
		l.mustStep(t, down(&c.rows))
		if good := l.State() != Backoff; good != c.good {
			t.Errorf("%s: %v", name, l.State())
		}
	}
}
