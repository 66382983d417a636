package hub_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/hub"
	"github.com/tidemarkdb/tidemark/internal/wire"
)

func TestCatchUpInRounds(t *testing.T) {
	var rows []tidemark.Change
	for i := int64(1); i <= 60; i++ {
		rows = append(rows, in(i, strings.Repeat("x", 20)+fmt.Sprint(i), []string{"a", "b", "c", "a,c"}[i%4]))
	}
	b := newScopedBench(t, hub.Options{Chunk: 150}, append(rows, grantTo(1, "ann", "a b c"))...)
	ann := b.newMole("ann", nil)
	ann.send(&wire.Subscribe{Only: true, Want: []wire.Want{{Scope: "c", Priority: -1}, {Scope: "a", Priority: 5}, {Scope: "z"}}})
	var order []string
	for ann.s.Behind() {
		down, err := ann.s.Next(ctx)
		if err != nil {
			t.Fatal(err)
		}
		ann.hear(down)
		if held := slices.Sorted(maps.Keys(ann.members)); len(held) > len(order) {
			order = held
			if len(order) == 1 && order[0] != "c" {
				t.Fatalf("%v came first", order)
			}
		}
		if len(ann.got) == 9 {
			b.foreign(move(5, "c"), remove(7), update(11, 1, tidemark.Text("new")))
		}
	}
	ann.right("a", "c")
	ann.send(&wire.Subscribe{})
	ann.catchUp()
	ann.right("a", "b", "c")
	ann.send(&wire.Subscribe{Only: true})
	ann.right()
}

// What foreign keys may refer to in every copy is there before anything that may
// refer to it, whatever the priorities are.
func TestPublicScopesComeInTheFirstRound(t *testing.T) {
	store := newMemoryStore().scoped()
	store.now.schema.Public = []string{"b"}
	b := &bench{t: t, store: store, now: 1_000_000}
	b.restart(hub.Options{})
	b.foreign(grantTo(1, "ann", "a b c"), in(1, "one", "a"), in(2, "two", "b"), in(3, "three", "c"))
	for priority, want := range map[int64]string{-1: "[b c]", 0: "[b c]", 3: "[b]"} {
		ann := b.newMole("ann", nil)
		ann.send(&wire.Subscribe{Only: true, Want: []wire.Want{{Scope: "c", Priority: priority}, {Scope: "a", Priority: 7}}})
		down, err := ann.s.Next(ctx)
		if err != nil {
			t.Fatal(err)
		}
		ann.hear(down)
		if got := fmt.Sprint(slices.Sorted(maps.Keys(ann.members))); got != want {
			t.Errorf("with priority %d %s came first, not %s", priority, got, want)
		}
		ann.catchUp()
		ann.right("a", "b", "c")
	}
}

func TestStagedChunksOfScopes(t *testing.T) {
	var rows []tidemark.Change
	for i := int64(1); i <= 40; i++ {
		rows = append(rows, in(i, strings.Repeat("x", 20)+fmt.Sprint(i), []string{"a", "b"}[i%2]))
	}
	b := newScopedBench(t, hub.Options{Chunk: 150}, append(rows, grantTo(1, "ann", "a b"))...)
	ann := b.newMole("ann", nil)
	steps := func(n int) {
		for range n {
			down, err := ann.s.Next(ctx)
			if err != nil {
				t.Fatal(err)
			}
			ann.hear(down)
		}
	}
	steps(3)
	if ann.hello.Staged == "" || len(ann.staged) == 0 {
		t.Fatal("nothing is staged")
	}
	// It goes on where it was.
	staged := len(ann.staged)
	b.foreign(remove(1), move(2, "b"))
	ann.got = nil
	ann.connect("ann", nil)
	if got := ann.kinds(); got != "Welcome" || len(ann.staged) != staged {
		t.Fatalf("heard %s, has %d staged parts of %d", got, len(ann.staged), staged)
	}
	steps(2)
	if ann.staged[0].Changes[0].Key[0] == ann.staged[len(ann.staged)-1].Changes[0].Key[0] {
		t.Fatal("it began anew")
	}
	ann.catchUp()
	ann.right("a", "b")

	// Other scopes: void.
	bob := b.newMole("ann", nil)
	ann = bob
	steps(2)
	cursor := ann.hello.Staged
	b.foreign(regrantTo(1, "ann", "a"))
	if ann.staged != nil {
		t.Fatal("chunks of other scopes are not void")
	}
	ann.hello.Staged = cursor
	ann.got = nil
	ann.connect("ann", nil)
	if got := ann.kinds(); got != "Welcome Scopes" {
		t.Fatalf("heard %s", got)
	}
	ann.catchUp()
	ann.right("a")
}

func TestSessionWithoutRoom(t *testing.T) {
	b := newScopedBench(t, hub.Options{}, grantTo(1, "ann", "a b"), in(1, "one", "a"), in(2, "two", "b"), in(3, "three", "c"))
	ann := b.newMole("ann", nil)
	ann.catchUp()
	b.store.foreignWrite(nil, update(1, 1, tidemark.Text("uno")), regrantTo(1, "ann", "a c"))
	c, err := b.hub.Group(ctx, b.now, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	ann.got = nil
	ann.hear(ann.s.Answers(c))
	if got := ann.kinds(); got != "Scopes" || !ann.s.Behind() {
		t.Fatalf("heard %s", got)
	}
	b.foreign(update(1, 1, tidemark.Text("eins")))
	ann.catchUp()
	ann.right("a", "c")
	b.foreign(update(1, 1, tidemark.Text("un")))
	ann.right("a", "c")
}

func TestLargePartsAreCaughtUp(t *testing.T) {
	b := newScopedBench(t, hub.Options{Chunk: 200}, grantTo(1, "ann", "a"), grantTo(2, "bob", "b"), in(2, "two", "b"))
	ann, bob := b.newMole("ann", nil), b.newMole("bob", nil)
	ann.catchUp()
	bob.catchUp()
	var rows []tidemark.Change
	for i := int64(10); i < 60; i++ {
		rows = append(rows, in(i, strings.Repeat("x", 30)+fmt.Sprint(i), "a"))
	}
	b.foreign(append(rows, update(2, 1, tidemark.Text("due")))...)
	bob.right("b")
	if !ann.s.Behind() || bob.s.Behind() {
		t.Fatal("who listens to what is too much falls behind, and nobody else")
	}
	ann.catchUp()
	ann.right("a")
}

func TestFallbackWithScopes(t *testing.T) {
	b := newScopedBench(t, hub.Options{}, grantTo(1, "ann", "a b"), in(1, "one", "a"), in(2, "two", "b"), in(3, "three", "c"))
	ann := b.newMole("ann", nil)
	ann.send(&wire.Subscribe{Only: true, Want: []wire.Want{{Scope: "a"}}})
	ann.catchUp()
	ann.send(&wire.Ack{Seq: ann.hello.Seq})
	lost := func() { // what comes now is dropped on its way
		for ann.s.Behind() {
			if _, err := ann.s.Next(ctx); err != nil {
				t.Fatal(err)
			}
		}
	}
	down, _, err := ann.s.Receive(ctx, b.now, &wire.Subscribe{Ask: ann.ask})
	if err != nil || len(down) != 1 {
		t.Fatal(down, err)
	}
	lost()
	b.store.foreignWrite(nil, update(1, 1, tidemark.Text("uno")), remove(2), in(4, "four", "b"))
	c, _ := b.hub.Group(ctx, b.now, nil, nil)
	ann.s.Deliver(c)
	ann.s.Fallback()
	ann.catchUp()
	ann.right("a", "b")

	// Grants that went and came again, both unheard.
	ann.send(&wire.Ack{Seq: ann.hello.Seq})
	for _, scopes := range []string{"a", "a b"} {
		b.store.foreignWrite(nil, regrantTo(1, "ann", scopes), update(4, 1, tidemark.Text("in "+scopes)))
		c, _ = b.hub.Group(ctx, b.now, nil, nil)
		ann.s.Deliver(c)
		lost()
	}
	b.store.foreignWrite(nil, remove(4))
	c, _ = b.hub.Group(ctx, b.now, nil, nil)
	ann.s.Deliver(c)
	ann.s.Fallback()
	ann.catchUp()
	ann.right("a", "b")
}
