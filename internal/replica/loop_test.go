package replica

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/dice"
	"github.com/tidemarkdb/tidemark/internal/wire"
)

// testLoop keeps the timer of a loop beside it, as a shell would.
type testLoop struct {
	*Loop
	copy  *fakeCopy
	clock int64
	timer time.Duration
	dials int
	up    []wire.Up
	notes []Note
}

func newTestLoop(seed uint64) *testLoop {
	f := &fakeCopy{mine: map[int]map[int64]int64{}}
	var s [32]byte
	s[0] = byte(seed)
	return &testLoop{copy: f, clock: 1, Loop: newLoop(f, LoopOptions{Rand: rand.NewChaCha8(s)})}
}

func (l *testLoop) step(ev Event) error {
	if _, ok := ev.(Tick); ok {
		l.timer = 0
	}
	effects, err := l.Step(l.clock, ev)
	for _, e := range effects {
		switch e := e.(type) {
		case SetTimer:
			l.timer = e.After
		case Dial:
			l.dials++
		case Send:
			l.up = append(l.up, e.Msgs...)
		case Close:
		case Notify:
			l.notes = append(l.notes, e.Note)
		}
	}
	return err
}

// mustStep fails the test on an error of the file.
func (l *testLoop) mustStep(t *testing.T, events ...Event) {
	t.Helper()
	for _, ev := range events {
		if err := l.step(ev); err != nil {
			t.Fatalf("%T in %v: %v", ev, l.State(), err)
		}
	}
}

func (l *testLoop) sent() []wire.Up {
	up := l.up
	l.up = nil
	return up
}

// in brings a new loop into a state by the way that leads there.
func in(t *testing.T, s State) *testLoop {
	t.Helper()
	l := newTestLoop(1)
	l.copy.schema.Tables = []*tidemark.Table{{ID: 1, Columns: []tidemark.Column{{Name: "a"}, {Name: "b"}}, Key: []int{0}}}
	greeted := []Event{Start{}, Connected{}}
	way := map[State][]Event{
		Offline:    {},
		Dialing:    {Start{}},
		Greeting:   greeted,
		CatchingUp: append(greeted[:2:2], down(&wire.Welcome{Head: 5})),
		Idle:       append(greeted[:2:2], down(&wire.Welcome{})),
		Pushing:    append(greeted[:2:2], down(&wire.Welcome{})),
		Verifying:  append(greeted[:2:2], down(&wire.Welcome{}), Verify{}),
		Backoff:    {Start{}, Disconnected{}},
		AuthNeeded: append(greeted[:2:2], down(&wire.Refusal{Code: tidemark.CodeForbidden})),
		Stopped:    append(greeted[:2:2], down(&wire.Refusal{Code: tidemark.CodeIncarnation, Fatal: true})),
	}
	if s == Pushing {
		l.copy.unsealed = 2
	}
	l.mustStep(t, way[s]...)
	if l.State() != s {
		t.Fatalf("the way to %v leads to %v", s, l.State())
	}
	return l
}

func down(m wire.Down) Received { return Received{Msg: m} }

// samples has one or more events of every kind.
func samples() map[kind][]Event {
	refusals := []Event{}
	for _, c := range []tidemark.Code{
		tidemark.CodeGap, tidemark.CodeFork, tidemark.CodeRestored, tidemark.CodeIncarnation, tidemark.CodeWrongSpace,
		tidemark.CodeProtocol, tidemark.CodeShutdown, tidemark.CodeForbidden, tidemark.CodeBusy, "something new",
	} {
		refusals = append(refusals, down(&wire.Refusal{Code: c}), down(&wire.Refusal{Code: c, Fatal: true}))
	}
	return map[kind][]Event{
		kStart:     {Start{}},
		kConnected: {Connected{}},
		kWelcome:   {down(&wire.Welcome{Head: 3}), down(&wire.Welcome{Head: 3, Resync: true})},
		kSchema:    {down(&wire.Schema{})},
		kOutcomes:  {down(&wire.Outcomes{}), down(outcomesOf(1, 0)), down(outcomesOf(1, 9)), down(outcomesOf(77, 0))},
		kBatch: {
			down(&wire.Batch{From: 0, To: 1}), down(&wire.Batch{From: 0, To: 5, More: true}),
			down(&wire.Batch{From: 3, To: 4}), down(&wire.Batch{}),
		},
		kRanges:       {down(&wire.Ranges{ID: 1}), down(&wire.Ranges{ID: 1, List: make([]tidemark.RangeSum, 1)}), down(&wire.Ranges{ID: 99, Seq: 99})},
		kRows:         {down(&wire.Rows{ID: 1}), down(&wire.Rows{ID: 99, More: true})},
		kLeases:       {down(&wire.Leases{}), down(&wire.Leases{List: []tidemark.Lease{{Table: 1, First: 5, Last: 9}}})},
		kScopes:       {down(&wire.Scopes{}), down(&wire.Scopes{List: []string{"a", "b/1"}})},
		kRefusal:      refusals,
		kGarbage:      {Received{}},
		kDisconnected: {Disconnected{}, Disconnected{Err: errors.New("gone")}, Disconnected{Err: &tidemark.Error{Code: tidemark.CodeForbidden}}},
		kLocal:        {Local{}},
		kTick:         {Tick{}},
		kRewant:       {Rewant{}},
		kVerify:       {Verify{}},
		kHangup:       {Hangup{}},
	}
}

func outcomesOf(n int64, seq tidemark.Seq) *wire.Outcomes {
	return &wire.Outcomes{List: []tidemark.Outcome{{Name: tidemark.Name{N: n}, Kind: tidemark.Accepted, Seq: seq}}}
}

func hasTimer(s State) bool {
	switch s {
	case Offline, AuthNeeded, Stopped:
		return false
	case Dialing, Greeting, CatchingUp, Pushing, Idle, Verifying, Backoff:
		return true
	}
	panic("a state that the test does not know")
}

// Every pair of state and event is taken, with and without a failing file,
// and leads to a state that waits for something.
func TestEveryEventInEveryState(t *testing.T) {
	for s := range State(states) {
		for k := range kind(kinds) {
			if table[k][s] == nil {
				t.Fatalf("nothing is said about event %d in state %v", k, s)
			}
			for i, ev := range samples()[k] {
				for _, broken := range []error{nil, errors.New("disk I/O error"), ErrMoved} {
					t.Run(fmt.Sprintf("%v/%d.%d/%v", s, k, i, broken), func(t *testing.T) {
						l := in(t, s)
						l.copy.fail = broken
						_ = l.step(ev)
						if got := l.timer > 0; got != hasTimer(l.State()) {
							t.Errorf("in %v the timer is %v", l.State(), l.timer)
						}
					})
				}
			}
		}
	}
}

func TestSamplesCoverEveryKind(t *testing.T) {
	for k := range kind(kinds) {
		evs := samples()[k]
		if len(evs) == 0 {
			t.Errorf("no sample of event %d", k)
		}
		for _, ev := range evs {
			if kindOf(ev) != k {
				t.Errorf("%#v is filed under %d", ev, k)
			}
		}
	}
}

func TestSessionPushesAndSettles(t *testing.T) {
	l := in(t, Greeting)
	if _, ok := l.sent()[0].(*wire.Hello); !ok {
		t.Fatal("a session does not begin with hello")
	}
	l.copy.unsealed = 2
	l.mustStep(t, down(&wire.Welcome{Head: 1}))
	l.mustStep(t, Local{})
	pushes := 0
	for _, m := range l.sent() {
		if _, ok := m.(*wire.Push); ok {
			pushes++
		}
	}
	if pushes != 2 || l.State() != CatchingUp {
		t.Fatalf("%d pushes in %v; local changes must not wait for catch-up", pushes, l.State())
	}
	// The outcomes come first, each settles with its batch.
	l.mustStep(t, down(outcomesOf(1, 2)), down(outcomesOf(2, 3)))
	if len(l.copy.settled) != 0 {
		t.Fatal("an outcome settled before its rows came")
	}
	l.mustStep(t, down(&wire.Batch{From: 0, To: 1}), down(&wire.Batch{From: 1, To: 2}))
	if len(l.copy.settled) != 1 || l.State() != Pushing {
		t.Fatalf("settled %d in %v", len(l.copy.settled), l.State())
	}
	l.mustStep(t, down(&wire.Batch{From: 2, To: 3}))
	if l.State() != Idle || !l.Settled() {
		t.Fatalf("%v, settled %v", l.State(), l.Settled())
	}
}

func TestWindowBoundsWhatIsInFlight(t *testing.T) {
	l := newTestLoop(1)
	l.opts.PushBytes = 250
	l.copy.unsealed = 10
	l.mustStep(t, Start{}, Connected{}, down(&wire.Welcome{}))
	if n := len(l.flying); n != 3 {
		t.Fatalf("%d pushes of 100 bytes in a window of 250", n)
	}
	for n := int64(1); n <= 10; n++ {
		l.mustStep(t, down(outcomesOf(n, 0)))
		if len(l.flying) > 3 {
			t.Fatalf("%d in flight", len(l.flying))
		}
	}
	if len(l.copy.settled) != 10 || l.State() != Idle {
		t.Fatalf("%d settled, %v", len(l.copy.settled), l.State())
	}
}

// What is too large to be read must not stand in the way of what is behind it.
func TestPushTooLargeGoesWithoutItsBody(t *testing.T) {
	l := newTestLoop(1)
	l.copy.unsealed = 2
	l.mustStep(t, Start{}, Connected{}, down(&wire.Welcome{Limits: wire.Limits{Changeset: 99}}))
	n := 0
	for _, m := range l.sent() {
		if p, ok := m.(*wire.Push); ok {
			n++
			if p.Body != nil || p.ContentHash() != l.copy.pending[p.N-1].ContentHash() {
				t.Errorf("%+v", p)
			}
		}
	}
	if n != 2 || l.copy.pending[0].Body == nil {
		t.Fatalf("%d pushes", n)
	}
}

func TestBatchesThatDoNotFit(t *testing.T) {
	l := in(t, Idle)
	l.mustStep(t, down(&wire.Batch{From: 0, To: 1}), down(&wire.Batch{From: 0, To: 1}))
	if l.State() != Idle || l.seq != 1 {
		t.Fatalf("a batch that came twice: %v at %d", l.State(), l.seq)
	}
	dials := l.dials
	l.mustStep(t, down(&wire.Batch{From: 2, To: 3}))
	if l.State() != Dialing || l.dials != dials+1 {
		t.Fatalf("a missing batch must begin a new session, not %v", l.State())
	}
}

// Beginning anew without a pause is for honest surprises. A server that
// surprises for ever is a failure.
func TestAnewIsBounded(t *testing.T) {
	l := in(t, Idle)
	for range 2 * maxAgain {
		l.mustStep(t, down(&wire.Refusal{Code: tidemark.CodeGap}))
		if l.State() == Backoff {
			return
		}
		l.mustStep(t, Connected{}, down(&wire.Welcome{Head: 5}))
	}
	t.Fatal("the loop never paused")
}

func TestForkRenamesBeforeHello(t *testing.T) {
	l := in(t, Greeting)
	l.sent()
	l.mustStep(t, down(&wire.Refusal{Code: tidemark.CodeFork}), Connected{})
	if l.copy.renamed != 1 || l.State() != Greeting || len(l.sent()) != 1 {
		t.Fatalf("renamed %d times, %v", l.copy.renamed, l.State())
	}
}

func TestRestoredServerIsComparedWhole(t *testing.T) {
	l := in(t, Idle)
	l.copy.seq, l.copy.unsealed = 9, 1
	l.mustStep(t, Tick{}, Connected{})
	l.sent()
	l.mustStep(t, down(&wire.Refusal{Code: tidemark.CodeRestored}), Connected{})
	h := l.sent()[0].(*wire.Hello)
	if h.Seq != 0 || h.Term != "" {
		t.Fatalf("hello still claims %d of term %q", h.Seq, h.Term)
	}
	l.mustStep(t, down(&wire.Welcome{Head: 4, Resync: true}))
	if l.State() != Verifying || l.check.code != tidemark.CodeRecovered {
		t.Fatalf("%v", l.State())
	}
	for _, m := range l.sent() {
		if _, ok := m.(*wire.Push); ok {
			t.Fatal("pushed before the copy was compared")
		}
	}
	l.mustStep(t, down(&wire.Ranges{ID: 1, Seq: 4, List: make([]tidemark.RangeSum, 1)}))
	if l.State() != Pushing || l.copy.proved != 1 {
		t.Fatalf("%v, proved %d", l.State(), l.copy.proved)
	}
}

// A comparison that a crash cut short still saves what the server lost under
// the right name.
func TestResyncIsRemembered(t *testing.T) {
	l := in(t, Greeting)
	l.copy.repair = resyncReason
	l.mustStep(t, down(&wire.Welcome{Head: 0}))
	if l.State() != Verifying || l.check.code != tidemark.CodeRecovered {
		t.Fatalf("%v", l.State())
	}
}

// Whatever comes in whatever order, the loop waits for something and does not panic.
func TestRandomEvents(t *testing.T) {
	seed := dice.Seed(t)
	rnd := rand.New(rand.NewPCG(seed, 1))
	l := in(t, Idle)
	for i := range 20000 {
		evs := samples()[kind(rnd.IntN(kinds))]
		if rnd.IntN(50) == 0 {
			l.copy.fail = errors.New("disk I/O error")
		}
		if rnd.IntN(10) == 0 {
			l.copy.unsealed++
		}
		ev := evs[rnd.IntN(len(evs))]
		_ = l.step(ev)
		if got := l.timer > 0; got != hasTimer(l.State()) {
			t.Fatalf("seed %d step %d: after %#v in %v the timer is %v", seed, i, ev, l.State(), l.timer)
		}
	}
}
