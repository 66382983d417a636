package server

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/wire"
)

// gate is a hook that waits until it is let go on.
type gate struct {
	came chan *HookCall
	fate chan error
}

func newGate() *gate { return &gate{came: make(chan *HookCall, 100), fate: make(chan error, 100)} }

func (g *gate) hook(ctx context.Context, call *HookCall) error {
	if !strings.HasPrefix(call.Changes[0].New["name"].Str(), "slow") {
		return nil
	}
	g.came <- call
	select {
	case err := <-g.fate:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

func TestASlowHookDelaysItsReplicaAlone(t *testing.T) {
	g := newGate()
	tune := testTuning()
	d := newDeck(t, Options{Hook: g.hook}, tune)
	path := strings.TrimSuffix(d.path, "shop.sqlite") + "second.sqlite"
	makeFile(t, path, shopSchema)
	if err := d.srv.Add(context.Background(), "second", path); err != nil {
		t.Fatal(err)
	}
	v, other := d.newDevice(), d.newDevice()
	v.dial()
	other.dial()
	v.send(v.push(insertItem(1, "slow")))
	v.send(v.push(insertItem(2, "behind it")))
	<-g.came
	for i := range int64(10) {
		other.send(other.push(insertItem(10+i, fmt.Sprint("other ", i))))
		if o := other.outcome(); o.Kind != tidemark.Accepted {
			t.Fatalf("%+v", o)
		}
	}
	d.byHand("INSERT INTO item VALUES (50, 'by hand', NULL)")
	other.reach(11)
	g.fate <- nil
	var got []tidemark.Outcome
	for len(got) < 2 {
		got = append(got, wait[*wire.Outcomes](v).List...)
	}
	if got[0].N != 1 || got[0].Seq != 12 || got[1].N != 2 || got[1].Seq != 13 {
		t.Fatalf("%+v", got)
	}
}

func TestAHookIsAskedAgainWhenRowsMoved(t *testing.T) {
	g := newGate()
	d := newDeck(t, Options{Hook: g.hook}, testTuning())
	v, other := d.newDevice(), d.newDevice()
	v.dial()
	other.dial()
	other.send(other.push(insertItem(1, "one")))
	other.outcome()
	v.reach(1)
	push := v.push(setName(1, "slow"))
	push.Seen = v.hello.Seq
	v.send(push)
	note := func(s string) tidemark.Change {
		return tidemark.Change{Table: 1, Op: tidemark.Update, Key: []tidemark.Value{tidemark.Int(1)}, Cols: []int{2}, New: []tidemark.Value{text(s)}}
	}
	// Another replica writes the row each time while the hook thinks.
	for try := 1; try <= maxShown; try++ {
		call := <-g.came
		want := tidemark.Null
		if try > 1 {
			want = text(fmt.Sprint("note ", try-1))
		}
		if call.Try != try || call.Changes[0].Old["note"] != want || call.Changes[0].New["note"] != want {
			t.Fatalf("try %d: %+v", call.Try, call.Changes[0])
		}
		other.send(other.push(note(fmt.Sprint("note ", try))))
		if o := other.outcome(); o.Kind != tidemark.Accepted {
			t.Fatalf("%+v", o)
		}
		g.fate <- nil
	}
	if o := v.outcome(); o.Kind != tidemark.Accepted {
		t.Fatalf("%+v", o)
	}
	select {
	case call := <-g.came:
		t.Fatalf("asked once more: %+v", call)
	default:
	}
}

func TestAHookThatCannotJudgeForAWhile(t *testing.T) {
	withHook(t, func(t *testing.T, tune tuning) {
		var down atomic.Bool
		var mu sync.Mutex
		var events []EventKind
		down.Store(true)
		d := newDeck(t, Options{
			Hook: func(_ context.Context, call *HookCall) error {
				if down.Load() {
					// also an error that looks like one of the data
					return &tidemark.Error{Code: tidemark.CodeUnique, Msg: "the app's own database is down"}
				}
				return nil
			},
			OnEvent: func(e Event) {
				mu.Lock()
				defer mu.Unlock()
				events = append(events, e.Kind)
			},
		}, tune)
		v := d.newDevice()
		v.dial()
		v.send(v.push(insertItem(1, "one")))
		v.send(v.push(insertItem(2, "two")))
		eventually(t, "14 tries", func() bool { return strings.Count(d.logs.String(), "cannot be applied now") >= 14 })
		down.Store(false)
		for n := int64(1); n <= 2; {
			for _, o := range wait[*wire.Outcomes](v).List {
				if o.Kind != tidemark.Accepted || o.N != n {
					t.Fatalf("%+v", o)
				}
				n++
			}
		}
		mu.Lock()
		defer mu.Unlock()
		failing := 0
		for _, e := range events {
			if e == EventHookFailing {
				failing++
			}
		}
		if failing != 1 || !contains(d.logs, "the hook works again") {
			t.Fatalf("%v", events)
		}
	})
}

// A round trip does not stay open while the hook is down: the replica hears why.
func TestARoundTripWhileTheHookIsDown(t *testing.T) {
	withHook(t, func(t *testing.T, tune tuning) {
		var down atomic.Bool
		down.Store(true)
		d := newDeck(t, Options{Hook: func(context.Context, *HookCall) error {
			if down.Load() {
				return errors.New("down")
			}
			return nil
		}}, tune)
		v := d.newDevice()
		v.dial() // for a name
		_ = v.conn.Close()
		a, b := v.push(insertItem(1, "one")), v.push(insertItem(2, "two"))
		got, _ := v.trip("", nil, a, b)
		r, ok := got[len(got)-1].(*wire.Refusal)
		if !ok || r.Code != tidemark.CodeBusy || r.Fatal || r.Retry <= 0 {
			t.Fatalf("%+v", got)
		}
		down.Store(false)
		got, _ = v.trip("", nil, a, b)
		n := 0
		for _, m := range got {
			if o, ok := m.(*wire.Outcomes); ok {
				n += len(o.List)
			}
		}
		if n != 2 || v.hello.Settled != 2 {
			t.Fatalf("%+v", got)
		}
	})
}

// What a connection handed in leaves with it; the verdict stays for when the
// replica comes again.
func TestAConnectionThatEndsWhileTheHookThinks(t *testing.T) {
	g := newGate()
	tune := testTuning()
	d := newDeck(t, Options{Hook: g.hook}, tune)
	v := d.newDevice()
	v.dial()
	one, two := v.push(insertItem(1, "slow")), v.push(insertItem(2, "two"))
	v.send(one)
	v.send(two)
	<-g.came
	for range 20 {
		v.dial() // again and again, with everything that has no outcome
		v.send(one)
		v.send(two)
	}
	_ = v.conn.Close()
	g.fate <- nil
	v.dial()
	v.send(one)
	v.send(two)
	for n := int64(1); n <= 2; {
		for _, o := range wait[*wire.Outcomes](v).List {
			// One may be told twice: at Hello, and when it is sent again.
			if o.Kind != tidemark.Accepted || o.N > n {
				t.Fatalf("%+v", o)
			}
			n = max(n, o.N+1)
		}
	}
	if len(g.came) != 0 {
		t.Fatal("it was asked again")
	}
	if got := d.metric(`tidemark_hook_calls_total{result="accepted"`); !strings.HasSuffix(got, " 2") {
		t.Fatal(got)
	}
}

// A server that stops forgets what waits: replicas send it to the next one.
func TestARestartWithChangesetsThatWait(t *testing.T) {
	g := newGate()
	tune := testTuning()
	d := newDeck(t, Options{Hook: g.hook}, tune)
	v := d.newDevice()
	v.dial()
	one := v.push(insertItem(1, "slow"))
	v.send(one)
	<-g.came
	if err := d.srv.Close(); err != nil {
		t.Fatal(err)
	}
	d.http.Close()
	d.again(Options{Hook: g.hook}, tune)
	v.dial()
	v.send(one)
	<-g.came
	g.fate <- Reject("late", "too late")
	if o := v.outcome(); o.Code != "app:late" || o.N != 1 {
		t.Fatalf("%+v", o)
	}
}

func TestAHookThatNeverReturns(t *testing.T) {
	release := make(chan struct{})
	came := make(chan struct{}, 1)
	tune := testTuning()
	tune.hookEnd = time.Millisecond
	d := newDeck(t, Options{HookTimeout: time.Millisecond, Hook: func(context.Context, *HookCall) error {
		came <- struct{}{}
		<-release
		return nil
	}}, tune)
	v := d.newDevice()
	v.dial()
	v.send(v.push(insertItem(1, "one")))
	<-came
	if err := d.srv.Close(); err != nil {
		t.Fatal(err)
	}
	if !contains(d.logs, "does not return") {
		t.Fatal("nobody was told")
	}
	close(release)
}

// Whoever comes, hands something in and leaves costs a bounded amount of memory.
func TestChangesetsThatNeverComeBackAreForgotten(t *testing.T) {
	g := newGate()
	d := newDeck(t, Options{Hook: g.hook}, testTuning())
	h := d.space().hooks
	waiting := func(n int) {
		t.Helper()
		want := fmt.Sprintf(`tidemark_hook_waiting{space="shop"} %d`, n)
		eventually(t, want, func() bool { return d.metric("tidemark_hook_waiting") == want })
	}
	for i := range hooksAtOnce + 5 {
		v := d.newDevice()
		v.dial()
		v.send(v.push(insertItem(1, "slow")))
		waiting(1)
		if i < hooksAtOnce {
			<-g.came
		}
		_ = v.conn.Close()
		waiting(0)
	}
	if err := d.srv.Close(); err != nil {
		t.Fatal(err)
	}
	if n := len(h.calls); n != hooksAtOnce {
		t.Fatalf("%d calls are remembered, %d had begun", n, hooksAtOnce)
	}
}

// Verdicts that nobody came back for are forgotten by their size, too.
func TestVerdictsAreKeptByTheirSize(t *testing.T) {
	h := &hooking{calls: map[tidemark.Name]*hookCalls{}, kept: bytesKept}
	under := &hookCalls{under: &hookRun{}}
	h.calls[tidemark.Name{N: 1}] = &hookCalls{answers: []*hookRun{{size: bytesKept}}}
	h.calls[tidemark.Name{N: 2}] = under
	h.tidy()
	if h.kept != 0 || len(h.calls) != 1 || h.calls[tidemark.Name{N: 2}] != under {
		t.Fatalf("%d bytes, %v", h.kept, h.calls)
	}
}
