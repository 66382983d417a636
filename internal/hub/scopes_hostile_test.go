package hub_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/hub"
	"github.com/tidemarkdb/tidemark/internal/wire"
)

func TestForgedCursors(t *testing.T) {
	b := newScopedBench(t, hub.Options{}, grantTo(1, "ann", "a b"), in(1, "one", "a"), in(2, "two", "b"), in(3, "three", "c"))
	ann := b.newMole("ann", nil)
	ann.catchUp()
	term := b.hub.State().Term
	for _, cursor := range []string{
		"x", "......", term + ".1.1.1", term + ".-1.0.1..1.", term + ".1.cbf29ce484222325.99..1.", term + ".99.cbf29ce484222325.1..1.",
		"no-such-term.1.0.1..1.", term + ".1.0.9223372036854775808..1.", term + ".1.0.1.zz.1.", term + ".1.0.1.63.1.00" + strings.Repeat("ff", 1000), "\x00\n",
	} {
		ann.hello.Staged = cursor
		ann.got = nil
		ann.connect("ann", nil)
		if got := ann.kinds(); got != "Welcome Scopes" {
			t.Fatalf("%q: heard %s", cursor, got)
		}
		ann.catchUp()
		ann.right("a", "b")
	}
}

func TestForgedHeldScopes(t *testing.T) {
	b := newScopedBench(t, hub.Options{}, grantTo(1, "ann", "a"), in(1, "one", "a"), in(3, "three", "c"))
	ann := b.newMole("ann", nil)
	ann.catchUp()
	for _, held := range [][]string{
		{"c"}, {"a", "a", "c", "c"}, {"c", "a"}, {"", "\x00", "a/\x1b[2J", strings.Repeat("c", 10_000)},
	} {
		ann.members = map[string]map[string]bool{}
		for _, scope := range held {
			ann.members[scope] = map[string]bool{}
		}
		ann.rows = map[string]memoryRow{}
		if slices.Contains(held, "a") {
			ann.members["a"][b.hub.Schema().Table(1).KeyID([]tidemark.Value{tidemark.Int(1)})] = true
			ann.rows[b.hub.Schema().Table(1).KeyID([]tidemark.Value{tidemark.Int(1)})] = b.store.now.rows[rowOf(b, 1)]
		}
		ann.connect("ann", nil)
		ann.hello.Held = append(held, held...)
		ann.send(&ann.hello)
		b.foreign(update(3, 1, tidemark.Text("c"+fmt.Sprint(len(held)))), update(1, 1, tidemark.Text("a"+fmt.Sprint(len(held)))))
		ann.catchUp()
		ann.right("a")
	}
	many := make([]string, 100_000)
	for i := range many {
		many[i] = fmt.Sprintf("s/%d", i)
	}
	for _, change := range []func(*wire.Hello){
		func(h *wire.Hello) { h.Held = many },
		func(h *wire.Hello) { h.Want = make([]wire.Want, 10_001) },
	} {
		h := ann.hello
		change(&h)
		s := b.hub.NewSession(tidemark.Principal{ID: "ann"})
		down, _, err := s.Receive(ctx, b.now, &h)
		if err != nil || len(down) != 1 {
			t.Fatalf("%v %v", down, err)
		}
		if r, ok := down[0].(*wire.Refusal); !ok || r.Code != tidemark.CodeTooLarge || !r.Fatal {
			t.Fatalf("%+v", down[0])
		}
	}
	ann.send(&wire.Subscribe{Want: make([]wire.Want, 10_001)})
	if ann.refused == nil || ann.refused.Code != tidemark.CodeTooLarge || ann.refused.Fatal {
		t.Fatalf("%+v", ann.refused)
	}
	ann.send(&wire.Subscribe{Only: true, Want: []wire.Want{{Scope: "c"}, {Scope: "\x00"}, {Scope: "a"}, {Scope: "a", Priority: 3}}})
	ann.catchUp()
	ann.right("a")
}

func TestTooManyScopes(t *testing.T) {
	names := make([]string, 10_001)
	for i := range names {
		names[i] = fmt.Sprintf("s/%05d", i)
	}
	b := newScopedBench(t, hub.Options{}, grantTo(1, "ann", strings.Join(names[1:], " ")), grantTo(2, "bob", strings.Join(names, " ")))
	ann := b.newMole("ann", nil)
	ann.catchUp()
	if len(ann.members) != 10_000 || b.hub.Subscriptions() != 10_000 {
		t.Fatalf("%d scopes, %d in the hub", len(ann.members), b.hub.Subscriptions())
	}
	bob := b.newMole("bob", nil)
	if bob.refused == nil || bob.refused.Code != tidemark.CodeTooLarge || bob.refused.Hint == "" {
		t.Fatalf("%+v", bob.refused)
	}
	b.foreign(regrantTo(1, "ann", strings.Join(names, " ")))
	if ann.refused == nil || !ann.refused.Fatal || b.hub.Subscriptions() != 0 {
		t.Fatalf("%+v, %d subscriptions", ann.refused, b.hub.Subscriptions())
	}
}

// A storm of wishes leaves nothing behind.
func TestSubscribeAgainAndAgain(t *testing.T) {
	var rows []tidemark.Change
	for i := int64(1); i <= 30; i++ {
		rows = append(rows, in(i, strings.Repeat("x", 40)+fmt.Sprint(i), []string{"a", "b", "c"}[i%3]))
	}
	b := newScopedBench(t, hub.Options{Chunk: 100}, append(rows, grantTo(1, "ann", "a b c"))...)
	ann := b.newMole("ann", nil)
	for i := range 200 {
		m := &wire.Subscribe{Only: i%2 == 0, Want: []wire.Want{{Scope: []string{"a", "b", "c", "z"}[i%4], Priority: int64(i % 3)}}}
		ann.got = nil
		ann.send(m)
		if got := ann.kinds(); got != "Scopes" {
			t.Fatalf("heard %s", got)
		}
		if i%3 > 0 {
			down, err := ann.s.Next(ctx)
			if err != nil {
				t.Fatal(err)
			}
			ann.hear(down)
		}
	}
	ann.send(&wire.Subscribe{})
	ann.catchUp()
	ann.right("a", "b", "c")
	if b.hub.Subscriptions() != 3 {
		t.Fatalf("%d subscriptions", b.hub.Subscriptions())
	}
	ann.s.End()
	if b.hub.Subscriptions() != 0 {
		t.Fatalf("%d subscriptions are left", b.hub.Subscriptions())
	}
}
