package hub_test

import (
	"testing"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/hub"
	"github.com/tidemarkdb/tidemark/internal/wire"
)

func TestHelloIsRefused(t *testing.T) {
	b := newBench(t, hub.Options{})
	known := b.join()
	b.group(known.push(insert(1, "one")))
	good := known.hello
	for _, tc := range []struct {
		name   string
		change func(*wire.Hello)
		code   tidemark.Code
		fatal  bool
	}{
		{"another protocol", func(h *wire.Hello) { h.Protocol = 99 }, tidemark.CodeProtocol, true},
		{"another space", func(h *wire.Hello) { h.Space = "zoo" }, tidemark.CodeWrongSpace, true},
		{"another incarnation", func(h *wire.Hello) { h.Incarnation = "x" }, tidemark.CodeIncarnation, true},
		{"an unknown term", func(h *wire.Hello) { h.Term = "x" }, tidemark.CodeRestored, false},
		{"a seq that is not there yet", func(h *wire.Hello) { h.Seq = 2 }, tidemark.CodeRestored, false},
		{"a stage of another log", func(h *wire.Hello) { h.Staged = "x.1.1.00" }, tidemark.CodeRestored, false},
		{"a stage that is not there yet", func(h *wire.Hello) { h.Staged = h.Term + ".2.1.00" }, tidemark.CodeRestored, false},
		{"a stage behind the checkpoint", func(h *wire.Hello) { h.Staged = h.Term + ".0.1.00" }, tidemark.CodeRestored, false},
		{"a stage of nonsense", func(h *wire.Hello) { h.Staged = "x" }, tidemark.CodeProtocol, true},
		{"a negative seq", func(h *wire.Hello) { h.Seq = -1 }, tidemark.CodeProtocol, true},
		{"a seq of no term", func(h *wire.Hello) { h.Term = "" }, tidemark.CodeProtocol, true},
		{"an unknown name", func(h *wire.Hello) { h.Replica = "x" }, tidemark.CodeFork, false},
		{"the name of the file", func(h *wire.Hello) { h.Replica = tidemark.FileReplica }, tidemark.CodeFork, false},
		{"another ticket", func(h *wire.Hello) { h.Ticket = "x" }, tidemark.CodeFork, false},
		{"no ticket", func(h *wire.Hello) { h.Ticket = "" }, tidemark.CodeFork, false},
	} {
		p := b.newPeer()
		p.hello = good
		tc.change(&p.hello)
		p.connect()
		list := heard[*wire.Refusal](p)
		if len(list) != 1 || list[0].Code != tc.code || list[0].Fatal != tc.fatal || list[0].Message == "" || len(p.got) != 0 {
			t.Errorf("%s: %+v and %v", tc.name, list, p.got)
		}
		if sub := p.send(pushOf(2, good.Schema)); sub != nil || len(p.got) != 0 {
			t.Errorf("%s: a push behind it got %v", tc.name, p.got)
		}
		if p.s.Behind() {
			t.Errorf("%s: a refused session is behind", tc.name)
		}
	}
	known.connect()
	if known.refusal() != "" {
		t.Fatal("after all that the good hello is refused")
	}
}

func TestTheFirstMessageMustBeHello(t *testing.T) {
	b := newBench(t, hub.Options{})
	for _, m := range []wire.Up{&wire.Ack{}, pushOf(1, ""), &wire.AskRows{}, &wire.AskRanges{}} {
		p := b.newPeer()
		p.s = b.hub.NewSession(tidemark.Principal{})
		p.send(m)
		if code := p.refusal(); code != tidemark.CodeProtocol {
			t.Errorf("%T: %q", m, code)
		}
	}
}

func TestPrincipalsAreKeptApart(t *testing.T) {
	b := newBench(t, hub.Options{})
	p := b.newPeer()
	p.s = b.hub.NewSession(tidemark.Principal{ID: "ann"})
	p.send(&p.hello)
	p.s = b.hub.NewSession(tidemark.Principal{ID: "bob"})
	p.send(&p.hello)
	if code := p.refusal(); code != tidemark.CodeForbidden {
		t.Fatalf("%q", code)
	}
}

func TestAReadOnlyCopyCannotPush(t *testing.T) {
	b := newBench(t, hub.Options{})
	p := b.newPeer()
	p.hello.ReadOnly = true
	p.connect()
	if sub := p.send(pushOf(1, p.hello.Schema)); sub != nil || p.refusal() != tidemark.CodeForbidden {
		t.Fatal("it could")
	}
}

func TestALostWelcomeIsNoFork(t *testing.T) {
	b := newBench(t, hub.Options{})
	a := b.join()
	for range 3 { // the answer never arrives
		before := a.hello
		a.connect()
		if a.refusal() != "" {
			t.Fatal("refused")
		}
		a.hello = before
	}
	a.connect()
	a.send(&wire.Ack{})
	b.group() // the proof is stored
	b.group(a.push(insert(1, "one")))
	if o := a.outcome(); o.Kind != tidemark.Accepted {
		t.Fatalf("%+v", o)
	}
}

func TestAHelloThatComesTwiceIsNoFork(t *testing.T) {
	b := newBench(t, hub.Options{})
	a := b.join()
	before := a.hello
	a.connect()
	first := a.hello
	a.hello = before
	a.connect()
	if a.hello.Ticket != first.Ticket {
		t.Fatal("two answers to one hello bring different tickets")
	}
	a.connect()
	if code := a.refusal(); code != "" {
		t.Fatal(code)
	}
}

// A file is copied after it had the ticket; both copies have the same pending changeset.
func TestACopiedReplica(t *testing.T) {
	for _, originalFirst := range []bool{true, false} {
		b := newBench(t, hub.Options{})
		a := b.join()
		b.group(a.push(insert(1, "one")))
		pending := pushOf(2, a.hello.Schema, insert(2, "two"))
		twin := b.newPeer()
		twin.hello, twin.rows = a.hello, map[string][]tidemark.Value{}
		for id, row := range a.rows {
			twin.rows[id] = row
		}
		a.got = nil

		a.connect()
		a.send(&wire.Ack{})
		b.group()
		twin.connect()
		if code := twin.refusal(); code != tidemark.CodeFork {
			t.Fatalf("the copy hears %q", code)
		}
		hash := wire.HashOf(pending.Salt, pending.Body)
		renamed := *pending
		renamed.N, renamed.Was = 1, &tidemark.Name{Replica: a.hello.Replica, N: 2, Hash: hash}
		twin.hello.Replica, twin.hello.Ticket, twin.hello.Settled = "", "", 0
		twin.connect()
		if twin.hello.Replica == a.hello.Replica {
			t.Fatal("the copy has the name of the original")
		}
		a.got, twin.got = nil, nil
		first, second := a.send(pending), twin.send(&renamed)
		if !originalFirst {
			first, second = second, first
		}
		b.group(*first)
		b.group(*second)
		mine, theirs := a.outcome(), twin.outcome()
		if mine.Seq != 2 || theirs.Seq != 2 || theirs.Name != (tidemark.Name{Replica: twin.hello.Replica, N: 1, Hash: hash}) {
			t.Fatalf("one edit got two fates: %+v and %+v", mine, theirs)
		}
		a.n, twin.n = 2, 1
		b.group(a.push(insert(3, "three")), twin.push(insert(4, "four")))
		if a.outcome().Kind != tidemark.Accepted || twin.outcome().Kind != tidemark.Accepted {
			t.Fatal("they cannot go on")
		}
		a.same()
		twin.same()
	}
}

func TestWasOfSomebodyElseIsNotBelieved(t *testing.T) {
	b := newBench(t, hub.Options{})
	ann := b.newPeer()
	ann.s = b.hub.NewSession(tidemark.Principal{ID: "ann"})
	ann.send(&ann.hello)
	push := pushOf(1, ann.hello.Schema, insert(1, "one"))
	c := b.group(*ann.send(push))
	ann.hear(ann.s.Deliver(c))
	bob := b.newPeer()
	bob.s = b.hub.NewSession(tidemark.Principal{ID: "bob"})
	bob.send(&bob.hello)
	push.Was = &tidemark.Name{Replica: ann.hello.Replica, N: 1, Hash: wire.HashOf(push.Salt, push.Body)}
	c = b.group(*bob.send(push))
	bob.hear(bob.s.Deliver(c))
	if o := bob.outcome(); o.Seq != 2 {
		t.Fatalf("%+v", o)
	}
}

func TestTheNewerConnectionGoesOn(t *testing.T) {
	b := newBench(t, hub.Options{})
	a := b.join()
	old := a.s
	a.connect()
	down, sub, err := old.Receive(ctx, b.now, pushOf(1, a.hello.Schema))
	if err != nil || sub != nil || len(down) != 1 || down[0].(*wire.Refusal).Code != tidemark.CodeBusy {
		t.Fatalf("%v %v %v", down, sub, err)
	}
	b.group(a.push(insert(1, "one")))
	if o := a.outcome(); o.Kind != tidemark.Accepted {
		t.Fatalf("%+v", o)
	}
}

func TestARoundTripProvesNoTicket(t *testing.T) {
	b := newBench(t, hub.Options{})
	a := b.join()
	before := a.hello
	a.s = b.hub.NewSession(tidemark.Principal{})
	a.s.RoundTrip = true
	a.send(&a.hello)
	b.group(a.push(insert(1, "one")))
	a.hello = before // the answer was lost
	a.connect()
	if code := a.refusal(); code != "" {
		t.Fatalf("%q", code)
	}
	if o := a.outcomes(); len(o) == 0 || o[0].Kind != tidemark.Accepted {
		t.Fatal("and the outcome did not come again")
	}
}

func TestARoundTripCannotPushWithoutAName(t *testing.T) {
	b := newBench(t, hub.Options{})
	p := b.newPeer()
	p.s = b.hub.NewSession(tidemark.Principal{})
	p.s.RoundTrip = true
	p.send(&p.hello)
	if sub := p.send(pushOf(1, p.hello.Schema)); sub != nil || p.refusal() != tidemark.CodeProtocol {
		t.Fatal("it could")
	}
}

func TestARestoredServerIsNoticed(t *testing.T) {
	b := newBench(t, hub.Options{})
	a := b.join()
	b.group(a.push(insert(1, "one")))
	backup := b.store.now.copy()
	b.restart(hub.Options{})
	a.connect()
	if code := a.refusal(); code != "" {
		t.Fatalf("a mere restart is refused with %q", code)
	}
	b.group(a.push(insert(2, "two")))
	a.got = nil

	b.store.now = backup
	b.store.commits += 100
	b.restart(hub.Options{})
	a.connect()
	if code := a.refusal(); code != tidemark.CodeRestored {
		t.Fatalf("%q", code)
	}
	a.hello.Seq, a.hello.Term, a.hello.Staged = 0, "", ""
	a.connect()
	if code := a.refusal(); code == tidemark.CodeFork { // the ticket is newer than the backup
		a.hello.Replica, a.hello.Ticket = "", ""
		a.connect()
	}
	if a.welcome == nil || !a.welcome.Resync || a.s.Behind() {
		t.Fatalf("%+v", a.welcome)
	}
	a.n = 0
	b.group(a.push(insert(3, "three")))
	if a.outcomes()[0].Seq != 2 {
		t.Fatal("it cannot go on")
	}
}
