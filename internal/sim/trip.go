package sim

import (
	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/replica"
	"github.com/tidemarkdb/tidemark/internal/wire"
)

// trips is a connection made of plain HTTP requests, as it is where WebSockets
// do not get through: every request is a session of its own that begins with a
// hello, and one without anything to say waits at the server for news.
type trips struct {
	d      *device
	epoch  int
	queue  []wire.Up
	now    *trip // the request on its way
	closed bool
}

// trip is one request.
type trip struct {
	of    *trips
	link  *link // the server's view: its session, and what it says to it
	waits bool
	over  bool
	all   bool // every message was handed in
	void  bool // broken off before it got to the server
	open  int  // changesets without an answer
	news  bool
	down  []wire.Down
}

// tripWait is how long the server holds a request without news, in milliseconds.
const tripWait = 3000

func (t *trips) send(msgs []wire.Up) {
	for _, m := range msgs {
		if _, ack := m.(*wire.Ack); !ack {
			t.queue = append(t.queue, m)
		}
	}
	if t.now != nil && t.now.waits && !t.now.over && len(t.queue) > 0 {
		t.now.abort() // something came up
		t.now = nil
	}
	t.next()
}

// next begins the next request.
func (t *trips) next() {
	d := t.d
	if t.closed || t.now != nil || !d.up || d.epoch != t.epoch {
		return
	}
	msgs := t.queue
	if len(msgs) > 0 {
		if _, greets := msgs[0].(*wire.Hello); greets {
			msgs = msgs[:1]
		}
	}
	t.queue = t.queue[len(msgs):]
	n := &trip{of: t, waits: len(msgs) == 0}
	if len(msgs) == 0 || !greets(msgs[0]) {
		h, err := d.r.Hello()
		d.w.must(err, d.name+": hello")
		msgs = append([]wire.Up{h}, msgs...)
	}
	t.now = n
	n.request(msgs)
}

func greets(m wire.Up) bool {
	_, is := m.(*wire.Hello)
	return is
}

// request carries the messages to the server, or loses them.
func (n *trip) request(msgs []wire.Up) {
	d, w := n.of.d, n.of.d.w
	var short wire.Shorthand
	var frames [][]byte
	for _, m := range msgs {
		frames = append(frames, wire.AppendUp(nil, short.Up(m)))
	}
	w.trace("%s posts %d messages, waits %v", d.name, len(msgs), n.waits)
	if d.offUp || w.lossy() || !w.server.up {
		w.after(w.between(10, 3000), func() { n.end(nil, errBroken) })
		return
	}
	w.after(w.delay(), func() { n.arrive(frames) })
}

// abort breaks a request off. What the server has of it, it forgets; what is on
// its way may still get there.
func (n *trip) abort() {
	n.over = true
	switch {
	case n.link != nil:
		n.link.drop()
	case n.of.d.w.calm || n.of.d.w.chance(0.9):
		n.void = true
	}
}

// lossy decides whether a request or an answer is lost.
func (w *world) lossy() bool { return !w.calm && w.chance(w.faults.loss+w.faults.breaks) }

// arrive is the request at the server.
func (n *trip) arrive(frames [][]byte) {
	s := n.of.d.w.server
	if n.void {
		return
	}
	if !s.up {
		n.end(nil, errBroken)
		return
	}
	n.link = &link{w: s.w, device: n.of.d, trip: n, session: s.hub.NewSession(n.of.d.principal())}
	n.link.session.RoundTrip = true
	s.links = append(s.links, n.link)
	for _, f := range frames {
		if n.link.dropped {
			return
		}
		s.receive(n.link, f)
	}
	n.all = true
	s.w.after(tripWait, func() { n.finish(true) })
	n.finish(false)
}

// say keeps a message for the answer.
func (n *trip) say(m wire.Down) {
	n.down = append(n.down, m)
	switch m.(type) {
	case *wire.Welcome, *wire.Schema, *wire.Leases:
	default:
		n.news = true
	}
	if r, ok := m.(*wire.Refusal); ok && (r.Fatal || r.Code != tidemark.CodeGap) {
		n.finish(true)
	}
}

// finish answers the request once there is nothing to wait for, or enough is enough.
func (n *trip) finish(enough bool) {
	if n.link == nil || n.link.dropped {
		return
	}
	if !enough && (!n.all || n.open > 0 || n.link.session.Behind() || n.waits && !n.news) {
		return
	}
	n.link.drop()
	d, w := n.of.d, n.of.d.w
	if d.offDown || w.lossy() {
		w.after(w.between(10, 3000), func() { n.end(nil, errBroken) })
		return
	}
	w.after(w.delay(), func() { n.end(n.down, nil) })
}

// end is the answer at the device, or the news that there will be none.
func (n *trip) end(down []wire.Down, err error) {
	t, d := n.of, n.of.d
	if n.over || t.closed || d.epoch != t.epoch || t.now != n {
		return
	}
	n.over = true
	if err != nil {
		t.closed = true
		d.trips = nil
		d.step(replica.Disconnected{Err: err})
		return
	}
	for _, m := range down {
		m, err := wire.DecodeDown(wire.AppendDown(nil, m))
		d.w.must(err, "reading what the server wrote")
		if t.closed || d.epoch != t.epoch {
			return
		}
		d.step(replica.Received{Msg: m})
	}
	t.now = nil // not before: the next Hello has to know what this answer brought
	if n.news || !n.waits || len(t.queue) > 0 {
		t.next()
		return
	}
	d.w.after(100, t.next)
}

func (d *device) endTrips() {
	if d.trips != nil {
		d.trips.closed = true
		d.trips = nil
	}
}
