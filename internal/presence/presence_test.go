package presence

import (
	"fmt"
	"maps"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/tidemarkdb/tidemark"
	_ "github.com/tidemarkdb/tidemark/internal/dice"
	"github.com/tidemarkdb/tidemark/internal/wire"
)

// view is what one listener made of what it was told.
type view struct {
	*Listener
	peers map[string]string
	said  []string
	told  int // messages
}

func admitted(h *Hall, now int64, id string) *view {
	v := &view{Listener: &Listener{Tag: id}, peers: map[string]string{}}
	h.Admit(now, v.Listener, id, "p-"+id)
	return v
}

// take takes up to n messages, all for a negative n.
func (v *view) take(t require, h *Hall, n int) {
	for ; n != 0; n-- {
		b := h.Next(v.Listener)
		if b == nil {
			return
		}
		v.told++
		m, err := wire.DecodeDown(b)
		if err != nil {
			t.Fatalf("%v: %s", err, b)
		}
		if len(b) > chunk+wire.MaxCast {
			t.Fatalf("a message of %d bytes", len(b))
		}
		switch m := m.(type) {
		case *wire.Heard:
			v.said = append(v.said, m.ID+" "+string(m.Body))
		case *wire.Peers:
			if m.All {
				clear(v.peers)
			}
			for _, p := range m.List {
				if p.State == nil {
					delete(v.peers, p.ID)
				} else {
					v.peers[p.ID] = p.Principal + " " + string(p.State)
				}
			}
		}
	}
}

type require interface {
	Fatalf(string, ...any)
}

func join(h *Hall, now int64, v *view, part, state string) *wire.Declined {
	d, _ := h.Receive(now, v.Listener, &wire.Presence{Scope: All, State: []byte(state), Part: part})
	return d
}

func leave(h *Hall, now int64, v *view, part string) {
	h.Receive(now, v.Listener, &wire.Presence{Scope: All, Part: part})
}

// Whatever happens in whatever order, however slowly some listen: once it is
// quiet everyone sees exactly who is there, with the newest states.
func TestEveryoneSeesWhoIsThere(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		h := New(Limits{Peers: 6})
		now := int64(1_000_000)
		var live []*view
		model := map[string]string{} // by peer
		owner := map[string]*view{}
		until := map[string]int64{}
		pick := func() *view { return rapid.SampledFrom(live).Draw(t, "who") }
		part := func() string { return rapid.SampledFrom([]string{"", "a", "b"}).Draw(t, "part") }
		steps := rapid.IntRange(1, 80).Draw(t, "steps")
		for i := range steps {
			op := rapid.IntRange(0, 9).Draw(t, "op")
			if len(live) == 0 {
				op = 0
			}
			switch op {
			case 0: // also a second connection of the same replica
				live = append(live, admitted(h, now, rapid.SampledFrom([]string{"r1", "r2", "r3", "r4"}).Draw(t, "id")))
			case 1, 2, 3:
				v, p := pick(), part()
				state := fmt.Sprintf(`{"n":%d,"pad":"%s"}`, i, strings.Repeat("x", rapid.SampledFrom([]int{0, 3000}).Draw(t, "pad")))
				if d := join(h, now, v, p, state); d == nil {
					id := v.peer(p)
					model[id], owner[id] = v.principal+" "+state, v
					delete(until, id)
				} else if d.Code != tidemark.CodeBusy {
					t.Fatalf("declined: %+v", d)
				}
			case 4:
				v, p := pick(), part()
				leave(h, now, v, p)
				if id := v.peer(p); owner[id] == v {
					delete(model, id)
					delete(owner, id)
				}
			case 5:
				v, clean := pick(), rapid.Bool().Draw(t, "clean")
				gone := v.Listener.heard
				h.End(now, v.Listener, clean)
				for id, o := range owner {
					if o != v {
						continue
					}
					delete(owner, id)
					if until[id] = min(now+Grace, gone+Silence); clean {
						delete(model, id)
						delete(until, id)
					}
				}
				live = without(live, v)
			case 6:
				h.Receive(now, pick().Listener, &wire.Cast{Scope: All, Body: []byte(`"` + strings.Repeat("y", 2000) + `"`)})
			case 7:
				pick().take(t, h, rapid.IntRange(1, 3).Draw(t, "n"))
			default:
				now += rapid.SampledFrom([]int64{1, Pause, 500, Grace}).Draw(t, "later")
				for _, v := range live {
					h.Alive(now, v.Listener)
				}
				h.Tick(now)
			}
			bounded(t, h)
		}
		for range 3 { // sweeps and tells what is left
			now += longest + sweep
			for _, v := range live {
				h.Alive(now, v.Listener)
			}
			h.Tick(now)
		}
		for id, at := range until {
			if now >= at {
				delete(model, id)
			}
		}
		for _, v := range live {
			v.take(t, h, -1)
			if v.Joined() && !maps.Equal(v.peers, model) {
				t.Fatalf("%s sees %v, there are %v", v.id, v.peers, model)
			}
		}
		if h.Peers() != len(model) {
			t.Fatalf("%d peers are counted, there are %d", h.Peers(), len(model))
		}
	})
}

func without(list []*view, v *view) (out []*view) {
	for _, x := range list {
		if x != v {
			out = append(out, x)
		}
	}
	return out
}

// bounded looks whether a hall keeps more than it promises.
func bounded(t require, h *Hall) {
	for _, r := range h.rooms {
		if len(r.members) == 0 || len(r.members) > h.limits.Peers {
			t.Fatalf("%d members are kept", len(r.members))
		}
		if r.bytes > maxLog+chunk || r.untold > maxUntold+wire.MaxCast {
			t.Fatalf("the log has %d bytes, %d wait", r.bytes, r.untold)
		}
		for l, s := range r.seats {
			if len(s.parts) == 0 || l.seats[r.scope] != s || l.parts > maxParts {
				t.Fatalf("a seat of nobody")
			}
		}
	}
}

func TestUpdatesAreToldTogether(t *testing.T) {
	h := New(Limits{})
	a, b := admitted(h, 1, "a"), admitted(h, 1, "b")
	join(h, 1, a, "", `{"n":0}`)
	join(h, 1, b, "", `{"n":0}`)
	h.Tick(1)
	b.take(t, h, -1)
	before := b.told
	for now := int64(2); now <= 1001; now++ {
		join(h, now, a, "", fmt.Sprintf(`{"n":%d}`, now))
		if due := h.Due(); now >= due {
			h.Tick(now)
		}
		b.take(t, h, -1)
	}
	if n := b.told - before; n > 31 || n < 25 {
		t.Errorf("1000 updates in a second were told in %d messages", n)
	}
	h.Tick(1100)
	b.take(t, h, -1)
	if got := b.peers["a"]; got != `p-a {"n":1001}` {
		t.Errorf("the last state is told as %s", got)
	}
}

// The more listen the less often everything is told, so that a scope costs a
// bounded number of bytes a second.
func TestACrowdIsToldLessOften(t *testing.T) {
	h := New(Limits{})
	var all []*view
	state := func(n int64) string { return fmt.Sprintf(`{"n":%d,"pad":"%s"}`, n, strings.Repeat("x", 2000)) }
	for i := range 1000 {
		v := admitted(h, 1, fmt.Sprintf("r%04d", i))
		if d := join(h, 1, v, "", state(0)); d != nil {
			t.Fatal(d)
		}
		all = append(all, v)
	}
	late := admitted(h, 1, "late")
	if d := join(h, 1, late, "", `{}`); d == nil || d.Code != tidemark.CodeBusy || d.Hint == "" {
		t.Fatalf("one more than the limit: %+v", d)
	}
	tells := 0
	for now := int64(2); now < 4000; now++ {
		join(h, now, all[now%1000], "", state(now))
		if now >= h.Due() && len(h.Tick(now)) > 0 {
			tells++
		}
	}
	bounded(t, h)
	if tells > 120 || tells < 2 {
		t.Errorf("told %d times in 4 seconds", tells)
	}
	all[7].take(t, h, -1)
	if len(all[7].peers) != 1000 {
		t.Errorf("one who comes late to it sees %d", len(all[7].peers))
	}
}

func TestTheDeadGoInTime(t *testing.T) {
	h := New(Limits{})
	a, b, c := admitted(h, 0, "a"), admitted(h, 0, "b"), admitted(h, 0, "c")
	for _, v := range []*view{a, b, c} {
		join(h, 0, v, "", `{}`)
	}
	run := func(from, to int64) {
		for now := from; now < to; now += 100 {
			h.Alive(now, a.Listener)
			h.Tick(now)
		}
		a.take(t, h, -1)
	}
	run(100, 5000)
	h.End(5000, c.Listener, false) // lost
	run(5000, 14_000)
	if len(a.peers) != 3 {
		t.Errorf("before the time of grace is over: %v", a.peers)
	}
	run(14_000, 17_000)
	if _, there := a.peers["c"]; there || len(a.peers) != 2 {
		t.Errorf("when the time of grace is over: %v", a.peers)
	}
	run(17_000, 32_000) // nothing was heard of b
	if len(a.peers) != 1 {
		t.Errorf("after a silence: %v", a.peers)
	}
	h.Alive(33_000, b.Listener) // it was asleep only
	run(33_000, 34_000)
	if len(a.peers) != 2 {
		t.Errorf("after it was heard again: %v", a.peers)
	}
	h.End(34_000, b.Listener, true)
	run(34_000, 34_200)
	if len(a.peers) != 1 {
		t.Errorf("after a clean end: %v", a.peers)
	}
}

// One that comes back in time was never gone.
func TestComingBackIsNoNews(t *testing.T) {
	h := New(Limits{})
	a, b := admitted(h, 0, "a"), admitted(h, 0, "b")
	join(h, 0, a, "", `{}`)
	join(h, 0, b, "x", `{"n":1}`)
	h.Tick(1)
	a.take(t, h, -1)
	h.End(100, b.Listener, false)
	again := admitted(h, 4000, "b")
	join(h, 4000, again, "x", `{"n":2}`)
	for now := int64(4000); now < 20_000; now += 100 {
		h.Alive(now, a.Listener)
		h.Alive(now, again.Listener)
		h.Tick(now)
		a.take(t, h, 1)
		if a.peers["b:x"] == "" {
			t.Fatalf("it was gone for a moment at %d", now)
		}
	}
	if a.peers["b:x"] != `p-b {"n":2}` {
		t.Errorf("it is told as %s", a.peers["b:x"])
	}
	// A second connection takes the peer from the first, whose end changes nothing.
	other := admitted(h, 20_000, "b")
	join(h, 20_000, other, "x", `{"n":3}`)
	h.End(20_001, again.Listener, true)
	h.Tick(20_100)
	a.take(t, h, -1)
	if a.peers["b:x"] != `p-b {"n":3}` {
		t.Errorf("taken over it is told as %q", a.peers["b:x"])
	}
}

func TestWhatIsDeclined(t *testing.T) {
	h := New(Limits{})
	stranger := &view{Listener: &Listener{}}
	a := admitted(h, 0, "a")
	long := `{"x":"` + strings.Repeat("y", wire.MaxState) + `"}`
	for _, c := range []struct {
		name string
		who  *view
		m    wire.Up
		code tidemark.Code
	}{
		{"before Welcome", stranger, &wire.Presence{Scope: All, State: []byte(`{}`)}, tidemark.CodeProtocol},
		{"a cast before Welcome", stranger, &wire.Cast{Scope: All, Body: []byte(`{}`)}, tidemark.CodeProtocol},
		{"another scope", a, &wire.Presence{Scope: "project/42", State: []byte(`{}`)}, tidemark.CodeNotFound},
		{"leaving another scope", a, &wire.Presence{Scope: strings.Repeat("é", 1<<20)}, tidemark.CodeNotFound},
		{"a cast into another scope", a, &wire.Cast{Scope: ""}, tidemark.CodeNotFound},
		{"a large state", a, &wire.Presence{Scope: All, State: []byte(long)}, tidemark.CodeTooLarge},
		{"a state that is a list", a, &wire.Presence{Scope: All, State: []byte(`[]`)}, tidemark.CodeProtocol},
		{"a state that is a number", a, &wire.Presence{Scope: All, State: []byte(`1`)}, tidemark.CodeProtocol},
		{"an odd part", a, &wire.Presence{Scope: All, State: []byte(`{}`), Part: "a:b"}, tidemark.CodeProtocol},
		{"a long part", a, &wire.Presence{Scope: All, State: []byte(`{}`), Part: strings.Repeat("a", 65)}, tidemark.CodeProtocol},
		{"a cast without being there", a, &wire.Cast{Scope: All, Body: []byte(`1`)}, tidemark.CodeUsage},
	} {
		d, wait := h.Receive(0, c.who.Listener, c.m)
		if d == nil || d.Code != c.code || d.Message == "" || wait == 0 || len(wire.AppendDown(nil, d)) > 600 {
			t.Errorf("%s: %+v, wait %d", c.name, d, wait)
		}
	}
	if h.Due() != 0 || h.Peers() != 0 || len(h.rooms) != 0 {
		t.Errorf("what was declined left something behind")
	}
	join(h, 0, a, "", `{}`)
	if d, _ := h.Receive(0, a.Listener, &wire.Cast{Scope: All, Body: []byte(`"` + strings.Repeat("y", wire.MaxCast) + `"`)}); d == nil || d.Code != tidemark.CodeTooLarge {
		t.Errorf("a large cast: %+v", d)
	}
	if d := join(h, 0, a, "", long); d == nil || a.seats[All] == nil {
		t.Errorf("a large state takes the one before away")
	}
	for i := range maxParts - 1 {
		if d := join(h, 0, a, fmt.Sprint(i), `{}`); d != nil {
			t.Fatal(d)
		}
	}
	if d := join(h, 0, a, "more", `{}`); d == nil || d.Code != tidemark.CodeBusy {
		t.Errorf("more parts than allowed: %+v", d)
	}
	off := New(Limits{Peers: -1})
	if d := join(off, 0, admitted(off, 0, "a"), "", `{}`); d == nil || d.Code != tidemark.CodeUsage {
		t.Errorf("switched off: %+v", d)
	}
}

// Who joins hears what is cast from then on, though it is told of everyone later.
func TestWhoJoinsHearsWhatIsCastNext(t *testing.T) {
	h := New(Limits{})
	a, b := admitted(h, 0, "a"), admitted(h, 0, "b")
	join(h, 0, a, "", `{}`)
	h.Receive(0, a.Listener, &wire.Cast{Scope: All, Body: []byte(`1`)})
	h.Tick(1)
	a.take(t, h, -1)
	h.Receive(100, a.Listener, &wire.Cast{Scope: All, Body: []byte(`2`)})
	h.Tick(100)
	join(h, 200, b, "", `{}`)
	h.Receive(200, a.Listener, &wire.Cast{Scope: All, Body: []byte(`3`)})
	h.Tick(200)
	h.Receive(300, a.Listener, &wire.Cast{Scope: All})
	h.Tick(300)
	a.take(t, h, -1)
	b.take(t, h, -1)
	if got := strings.Join(a.said, ","); got != "a 1,a 2,a 3,a " {
		t.Errorf("the one heard %s", got)
	}
	if got := strings.Join(b.said, ","); got != "a 3,a " || len(b.peers) != 2 {
		t.Errorf("the other heard %s and sees %v", got, b.peers)
	}
}

func TestRates(t *testing.T) {
	h := New(Limits{})
	a, b := admitted(h, 0, "a"), admitted(h, 0, "b")
	join(h, 0, a, "", `{}`)
	join(h, 0, b, "", `{}`)
	h.Tick(1)
	taken := 0
	for i := range int64(10_000) {
		now := 10 + i // for ten seconds, a thousand a second
		if d, _ := h.Receive(now, a.Listener, &wire.Cast{Scope: All, Body: []byte(`1`)}); d == nil {
			taken++
		} else if d.Code != tidemark.CodeRateLimited {
			t.Fatal(d)
		}
		if now >= h.Due() {
			h.Tick(now)
		}
		b.take(t, h, -1)
	}
	if taken < 10*castRate || taken > 12*castRate {
		t.Errorf("%d casts of 10000 passed", taken)
	}
	h.Tick(20_000)
	if b.take(t, h, -1); len(b.said) != taken {
		t.Errorf("%d of %d were heard", len(b.said), taken)
	}
	// Large ones are counted by their bytes.
	big, taken := []byte(`"`+strings.Repeat("x", wire.MaxCast-2)+`"`), 0
	for i := range int64(1000) {
		if d, _ := h.Receive(30_000+i, b.Listener, &wire.Cast{Scope: All, Body: big}); d == nil {
			taken++
		}
	}
	if taken > 3*byteRate/wire.MaxCast+1 {
		t.Errorf("%d large casts in a second", taken)
	}
	// One that sends states without pause is read more slowly.
	waited := int64(0)
	for range 2000 {
		_, wait := h.Receive(40_000+waited, a.Listener, &wire.Presence{Scope: All, State: []byte(`{}`)})
		waited += wait
	}
	if waited < 7000 {
		t.Errorf("2000 states at once held it up for %d ms", waited)
	}
}

// One that takes nothing costs nothing, and is told of everyone when it comes to itself.
func TestASlowListenerIsToldAnew(t *testing.T) {
	h := New(Limits{})
	a, slow := admitted(h, 0, "a"), admitted(h, 0, "slow")
	join(h, 0, a, "", `{}`)
	join(h, 0, slow, "", `{}`)
	h.Tick(1)
	slow.take(t, h, -1)
	now := int64(0)
	for i := range 2000 {
		now += longest
		h.Alive(now, slow.Listener)
		join(h, now, a, "", fmt.Sprintf(`{"n":%d,"pad":"%s"}`, i, strings.Repeat("x", 4000)))
		h.Tick(now)
		bounded(t, h)
	}
	before := slow.told
	slow.take(t, h, -1)
	if slow.told-before > 2*maxLog/4000 || !strings.HasPrefix(slow.peers["a"], `p-a {"n":1999,`) || len(slow.peers) != 2 {
		t.Errorf("told in %d messages: %.20s", slow.told-before, slow.peers["a"])
	}
}

func BenchmarkUpdate(b *testing.B) {
	for _, n := range []int{10, 100, 1000} {
		b.Run(fmt.Sprintf("listeners=%d", n), func(b *testing.B) {
			h := New(Limits{Peers: n})
			var all []*view
			for i := range n {
				v := admitted(h, 0, fmt.Sprintf("r%04d", i))
				join(h, 0, v, "", `{"x":1,"y":2}`)
				all = append(all, v)
			}
			h.Tick(0)
			for _, v := range all {
				for h.Next(v.Listener) != nil {
				}
			}
			b.ReportAllocs()
			now := int64(0)
			for b.Loop() {
				now += longest
				all[0].Listener.heard = now
				join(h, now, all[0], "", `{"x":100,"y":200}`)
				for _, l := range h.Tick(now) {
					l.heard = now
					for h.Next(l) != nil {
					}
				}
			}
		})
	}
}
