package presence

import (
	"fmt"
	"maps"
	"slices"
	"testing"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/wire"
)

// sees compares the peers that a listener was told of, in whatever scopes.
func (v *view) sees(t *testing.T, h *Hall, who ...string) {
	t.Helper()
	v.take(t, h, -1)
	if got := slices.Sorted(maps.Keys(v.peers)); !slices.Equal(got, who) {
		t.Fatalf("%s sees %v, should see %v", v.id, got, who)
	}
}

func enter(t *testing.T, h *Hall, now int64, v *view, scope, part string) {
	t.Helper()
	if d, _ := h.Receive(now, v.Listener, &wire.Presence{Scope: scope, Part: part, State: []byte("{}")}); d != nil {
		t.Fatalf("%s is declined: %+v", v.id, d)
	}
}

func TestOnlyTheGrantedAreThere(t *testing.T) {
	h := New(Limits{})
	ana, bob, cid := admitted(h, 1, "ana"), admitted(h, 1, "bob"), admitted(h, 1, "cid")
	h.Grant(ana.Listener, []string{"p/1", "p/2"}, true)
	h.Grant(bob.Listener, []string{"p/1"}, true)
	h.Grant(cid.Listener, []string{"p/2"}, true)
	enter(t, h, 1, ana, "p/1", "")
	enter(t, h, 1, ana, "p/1", "tab")
	enter(t, h, 1, bob, "p/1", "")
	enter(t, h, 1, cid, "p/2", "")
	h.Tick(2)
	ana.sees(t, h, "ana", "ana:tab", "bob")
	bob.sees(t, h, "ana", "ana:tab", "bob")
	cid.sees(t, h, "cid")
	for _, scope := range []string{"p/2", "p/3", "", All, "p/\x00"} {
		for _, m := range []wire.Up{&wire.Presence{Scope: scope, State: []byte("{}")}, &wire.Cast{Scope: scope, Body: []byte("1")}} {
			d, wait := h.Receive(3, bob.Listener, m)
			if d == nil || d.Code != tidemark.CodeForbidden || (d.Hint != "") != (scope == All) || wait == 0 {
				t.Fatalf("%q: %+v", scope, d)
			}
		}
	}

	// What is told already, and was not taken, is not taken after the grant went.
	if d, _ := h.Receive(50, bob.Listener, &wire.Cast{Scope: "p/1", Body: []byte(`"last"`)}); d != nil {
		t.Fatalf("%+v", d)
	}
	h.Tick(50)
	out := h.Grant(ana.Listener, []string{"p/2"}, true)
	if got := fmt.Sprint(out[0].Part, " ", out[1].Part, " ", len(out), out[0].Code); got != " tab 2forbidden" {
		t.Fatalf("is told %q: %+v", got, out)
	}
	ana.take(t, h, -1)
	if len(ana.said) != 0 || ana.Joined() {
		t.Fatalf("heard %v", ana.said)
	}
	h.Tick(100)
	bob.sees(t, h, "bob")
	if h.Peers() != 2 {
		t.Fatalf("%d peers", h.Peers())
	}
	if out := h.Grant(ana.Listener, []string{"p/1"}, true); len(out) != 0 {
		t.Fatalf("%+v", out)
	}
	clear(ana.peers)
	enter(t, h, 150, ana, "p/1", "")
	h.Tick(150)
	ana.sees(t, h, "ana", "bob")
	bob.sees(t, h, "ana", "bob")
}
