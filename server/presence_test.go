package server

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/wire"
)

// crowd is what a device knows of who is present.
type crowd struct {
	*device
	peers map[string]string
	heard []string
}

func (d *deck) newCrowd() *crowd {
	d.t.Helper()
	c := &crowd{device: d.newDevice(), peers: map[string]string{}}
	c.dial()
	return c
}

func (c *crowd) present(state string) { c.send(&wire.Presence{Scope: "all", State: []byte(state)}) }
func (c *crowd) cast(body string)     { c.send(&wire.Cast{Scope: "all", Body: []byte(body)}) }

// until reads until done, and keeps what it is told of presence.
func (c *crowd) until(what string, done func() bool) {
	c.d.t.Helper()
	for !done() {
		m, err := c.read()
		if err != nil {
			c.d.t.Fatalf("waiting until %s: %v; peers are %v, heard was %v", what, err, c.peers, c.heard)
		}
		switch m := m.(type) {
		case *wire.Peers:
			if m.All {
				clear(c.peers)
			}
			for _, p := range m.List {
				if c.peers[p.ID] = string(p.State); p.State == nil {
					delete(c.peers, p.ID)
				}
			}
		case *wire.Heard:
			c.heard = append(c.heard, m.ID+" "+string(m.Body))
		}
	}
}

func (c *crowd) sees(peers map[string]string) {
	c.d.t.Helper()
	c.until(fmt.Sprintf("%v are there", peers), func() bool { return maps.Equal(c.peers, peers) })
}

func (c *crowd) hears(what string) {
	c.d.t.Helper()
	c.until("it hears "+what, func() bool { return slices.Contains(c.heard, what) })
}

func TestPeersSeeEachOther(t *testing.T) {
	d := newDeck(t, Options{}, testTuning())
	a, b := d.newCrowd(), d.newCrowd()
	a.present(`{ "name": "Ana" }`)
	a.sees(map[string]string{a.hello.Replica: `{"name":"Ana"}`})
	b.present(`{}`)
	both := map[string]string{a.hello.Replica: `{"name":"Ana"}`, b.hello.Replica: `{}`}
	a.sees(both)
	b.sees(both)
	for i := range 50 {
		a.present(fmt.Sprintf(`{"n":%d}`, i))
	}
	b.sees(map[string]string{a.hello.Replica: `{"n":49}`, b.hello.Replica: `{}`})
	a.cast(`["wave"]`)
	a.hears(a.hello.Replica + ` ["wave"]`)
	b.hears(a.hello.Replica + ` ["wave"]`)
	if got := d.metric(`tidemark_presence_peers{space="shop"}`); !strings.HasSuffix(got, " 2") {
		t.Errorf("%s peers are counted", got)
	}
	// Parts of one replica are peers of their own.
	b.send(&wire.Presence{Scope: "all", State: []byte(`{"tab":2}`), Part: "t2"})
	a.until("a part is there", func() bool { return a.peers[b.hello.Replica+":t2"] == `{"tab":2}` })
	a.send(&wire.Presence{Scope: "all"})
	b.sees(map[string]string{b.hello.Replica: `{}`, b.hello.Replica + ":t2": `{"tab":2}`})
	// The sync beside it works.
	b.send(b.push(insertItem(1, "one")))
	if o := b.outcome(); o.Kind != tidemark.Accepted {
		t.Errorf("%+v", o)
	}
}

func TestPresenceThatIsDeclined(t *testing.T) {
	d := newDeck(t, Options{Presence: PresenceLimits{Peers: 1}}, testTuning())
	v := d.newDevice()
	v.open()
	v.send(&wire.Presence{Scope: "all", State: []byte(`{}`)})
	if m, ok := v.next().(*wire.Declined); !ok || m.Code != tidemark.CodeProtocol {
		t.Fatalf("before Hello: %+v", m)
	}
	v.send(&v.hello) // which does not suffer
	wait[*wire.Welcome](v)
	for name, c := range map[string]struct {
		m    wire.Up
		code tidemark.Code
	}{
		"another scope": {&wire.Presence{Scope: "project/42", State: []byte(`{}`)}, tidemark.CodeNotFound},
		"too large":     {&wire.Presence{Scope: "all", State: []byte(`{"x":"` + strings.Repeat("y", 5000) + `"}`)}, tidemark.CodeTooLarge},
		"a megabyte":    {&wire.Presence{Scope: "all", State: []byte(`{"x":"` + strings.Repeat("y", 1<<20) + `"}`)}, tidemark.CodeTooLarge},
		"no object":     {&wire.Presence{Scope: "all", State: []byte(`[]`)}, tidemark.CodeProtocol},
		"not there":     {&wire.Cast{Scope: "all", Body: []byte(`1`)}, tidemark.CodeUsage},
	} {
		v.send(c.m)
		if m := wait[*wire.Declined](v); m.Code != c.code || m.Message == "" {
			t.Errorf("%s: %+v", name, m)
		}
	}
	a := d.newCrowd()
	a.present(`{}`)
	a.sees(map[string]string{a.hello.Replica: `{}`})
	v.send(&wire.Presence{Scope: "all", State: []byte(`{}`)})
	if m := wait[*wire.Declined](v); m.Code != tidemark.CodeBusy {
		t.Errorf("more peers than the limit: %+v", m)
	}
	v.send(v.push(insertItem(1, "one")))
	if o := v.outcome(); o.Kind != tidemark.Accepted {
		t.Errorf("%+v", o)
	}
}

func TestARoundTripCannotBePresent(t *testing.T) {
	d := newDeck(t, Options{}, testTuning())
	v := d.newDevice()
	v.trip("", http.Header{}) // gets its name
	down, _ := v.trip("", http.Header{},
		&wire.Presence{Scope: "all", State: []byte(`{}`)}, v.push(insertItem(1, "one")), &wire.Cast{Scope: "all", Body: []byte(`1`)})
	declined, accepted := 0, false
	for _, m := range down {
		switch m := m.(type) {
		case *wire.Declined:
			if declined++; m.Code != tidemark.CodeUsage || m.Hint == "" {
				t.Errorf("%+v", m)
			}
		case *wire.Outcomes:
			accepted = m.List[0].Kind == tidemark.Accepted
		}
	}
	if declined != 2 || !accepted {
		t.Errorf("%d declined, the changeset accepted: %v", declined, accepted)
	}
}

func TestOtherSpacesNeverHear(t *testing.T) {
	d := newDeck(t, Options{}, testTuning())
	other := filepath.Join(t.TempDir(), "yard.sqlite")
	makeFile(t, other, shopSchema)
	if err := d.srv.Add(context.Background(), "yard", other); err != nil {
		t.Fatal(err)
	}
	a := d.newCrowd()
	dialer := websocket.Dialer{Subprotocols: []string{wire.Subprotocol}}
	conn, _, err := dialer.Dial("ws"+strings.TrimPrefix(d.http.URL, "http")+"/v1/spaces/yard/ws", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	b := &crowd{device: &device{d: d, conn: conn, rows: map[string][]tidemark.Value{}}, peers: map[string]string{}}
	sp, err := d.srv.space(context.Background(), "yard")
	if err != nil {
		t.Fatal(err)
	}
	st := sp.State()
	b.hello = wire.Hello{Protocol: 1, Space: "yard", Incarnation: st.Incarnation, Term: st.Term, Schema: st.SchemaHash, Seq: st.Head}
	b.send(&b.hello)
	wait[*wire.Welcome](b.device)
	b.present(`{"in":"yard"}`)
	b.sees(map[string]string{b.hello.Replica: `{"in":"yard"}`})
	a.present(`{"in":"shop"}`)
	a.cast(`"secret"`)
	a.hears(a.hello.Replica + ` "secret"`)
	for range 3 { // ticks of the other space
		b.heard = nil
		b.cast(`"mine"`)
		b.hears(b.hello.Replica + ` "mine"`)
	}
	if len(b.peers) != 1 || len(b.heard) != 1 {
		t.Errorf("the other space saw %v and heard %v", b.peers, b.heard)
	}
}

// hurried runs the clock of presence ten times faster than it should, so that
// half a minute is over soon, and not before a slow machine has said its next word.
func hurried() tuning {
	tune := testTuning()
	tune.hurry, tune.ping = 10, 20*time.Millisecond
	return tune
}

func TestWhoLeavesIsGone(t *testing.T) {
	d := newDeck(t, Options{}, hurried())
	a, b, c := d.newCrowd(), d.newCrowd(), d.newCrowd()
	for _, v := range []*crowd{a, b, c} {
		v.present(`{}`)
	}
	three := map[string]string{a.hello.Replica: `{}`, b.hello.Replica: `{}`, c.hello.Replica: `{}`}
	a.sees(three)
	closing := websocket.FormatCloseMessage(websocket.CloseNormalClosure, "")
	if err := b.conn.WriteControl(websocket.CloseMessage, closing, time.Now().Add(time.Second)); err != nil {
		t.Fatal(err)
	}
	delete(three, b.hello.Replica)
	a.sees(three)
	if err := c.conn.Close(); err != nil { // without a word
		t.Fatal(err)
	}
	a.sees(map[string]string{a.hello.Replica: `{}`})
}

// One whose connection breaks stays for a moment, and is back in time.
func TestWhoComesBackWasNeverGone(t *testing.T) {
	d := newDeck(t, Options{}, testTuning())
	a, c := d.newCrowd(), d.newCrowd()
	a.present(`{}`)
	c.present(`{}`)
	a.sees(map[string]string{a.hello.Replica: `{}`, c.hello.Replica: `{}`})
	if err := c.conn.Close(); err != nil {
		t.Fatal(err)
	}
	again := &crowd{device: c.device, peers: map[string]string{}}
	again.dial()
	again.present(`{"back":true}`)
	a.until("it is back", func() bool {
		if a.peers[c.hello.Replica] == "" {
			t.Fatal("it was gone for a moment")
		}
		return a.peers[c.hello.Replica] == `{"back":true}`
	})
}

// A connection on which nobody is any more, and which nobody closed.
func TestWhoIsSilentIsGone(t *testing.T) {
	d := newDeck(t, Options{}, hurried())
	a, b := d.newCrowd(), d.newCrowd()
	b.present(`{}`)
	b.sees(map[string]string{b.hello.Replica: `{}`}) // and reads no more: no pings, no pongs
	a.present(`{}`)
	a.sees(map[string]string{a.hello.Replica: `{}`, b.hello.Replica: `{}`})
	a.sees(map[string]string{a.hello.Replica: `{}`})
	// It wakes up.
	b.present(`{"awake":true}`)
	a.sees(map[string]string{a.hello.Replica: `{}`, b.hello.Replica: `{"awake":true}`})
}

func TestTheNewerConnectionTakesThePeer(t *testing.T) {
	d := newDeck(t, Options{}, testTuning())
	a, b := d.newCrowd(), d.newCrowd()
	a.present(`{}`)
	b.present(`{"n":1}`)
	a.sees(map[string]string{a.hello.Replica: `{}`, b.hello.Replica: `{"n":1}`})
	newer := &crowd{device: d.newDevice(), peers: map[string]string{}}
	newer.hello.Replica, newer.hello.Ticket = b.hello.Replica, b.hello.Ticket
	newer.dial()
	newer.present(`{"n":2}`)
	a.until("it is the newer one", func() bool {
		if a.peers[b.hello.Replica] == "" {
			t.Fatal("it was gone for a moment")
		}
		return a.peers[b.hello.Replica] == `{"n":2}`
	})
	// What the older says finds no ear.
	_ = b.conn.WriteMessage(websocket.TextMessage, wire.AppendUp(nil, &wire.Presence{Scope: "all", State: []byte(`{"n":3}`)}))
	newer.cast(`1`)
	a.hears(b.hello.Replica + " 1")
	if a.peers[b.hello.Replica] != `{"n":2}` {
		t.Errorf("the older one still speaks: %v", a.peers)
	}
}

// One that floods and one that does not read hold nobody up, and cost nothing
// that grows.
func TestAFloodDelaysNobody(t *testing.T) {
	d := newDeck(t, Options{}, testTuning())
	slow, loud, other := d.newCrowd(), d.newCrowd(), d.newCrowd()
	for _, v := range []*crowd{slow, loud, other} {
		v.present(`{}`)
	}
	slow.until("all are there", func() bool { return len(slow.peers) == 3 }) // and reads no more
	pad := strings.Repeat("x", 4000)
	stop := make(chan struct{})
	done := make(chan struct{})
	go func() {
		defer close(done)
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			default:
			}
			m := wire.AppendUp(nil, &wire.Presence{Scope: "all", State: fmt.Appendf(nil, `{"n":%d,"pad":"%s"}`, i, pad)})
			if i%3 == 0 {
				m = wire.AppendUp(nil, &wire.Cast{Scope: "all", Body: []byte(`"` + pad + `"`)})
			}
			_ = loud.conn.SetWriteDeadline(time.Now().Add(100 * time.Millisecond))
			if loud.conn.WriteMessage(websocket.TextMessage, m) != nil {
				return // it does not read what it is told, and is not read any more
			}
		}
	}()
	for i := range int64(50) {
		other.send(other.push(insertItem(i+1, fmt.Sprint(i))))
		if o := other.outcome(); o.Kind != tidemark.Accepted {
			t.Fatalf("%+v", o)
		}
	}
	close(stop)
	<-done
	sp := d.space()
	sp.present.mu.Lock()
	peers := sp.present.hall.Peers()
	sp.present.mu.Unlock()
	if peers > 3 {
		t.Errorf("%d peers", peers)
	}
	// The slow one gets all batches, and the newest states.
	slow.reach(other.hello.Seq)
	other.present(`{"last":true}`)
	slow.until("the last state is there", func() bool { return slow.peers[other.hello.Replica] == `{"last":true}` })
}
