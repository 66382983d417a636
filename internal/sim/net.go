package sim

import (
	"errors"

	"github.com/tidemarkdb/tidemark/internal/hub"
	"github.com/tidemarkdb/tidemark/internal/replica"
	"github.com/tidemarkdb/tidemark/internal/wire"
)

// link is one connection. Normally it is a stream: frames arrive in order, and
// a lost one breaks it sooner or later. With faults.frames every frame is on
// its own, which is harsher than any transport that Tidemark runs on.
type link struct {
	w       *world
	device  *device
	epoch   int // of the device's engine
	session *hub.Session
	trip    *trip // of a plain HTTP request; nil otherwise
	up      lane
	down    lane
	short   [4]wire.Shorthand // of the device's writer and reader, the server's reader and writer
	closed  bool              // the device knows that it is gone
	dropped bool              // the server knows
	backlog int               // frames on their way down

	wants wants         // what the replica said that it wants
	told  []string      // the scopes that it was told it has
	asked map[int64]int // tables by the number of the question
	over  bool          // it was refused for good
}

// lane is one direction of a stream.
type lane struct {
	last int64 // when the frame sent last arrives
	cut  bool  // nothing that is sent arrives any more
	hole bool  // nor what is on its way: something before it did not
}

// loses reports whether a frame that got here is lost. In a stream all behind it
// are lost with it.
func (s *lane) loses(off, stream bool) bool {
	if off && stream {
		s.cut, s.hole = true, true
	}
	return off || s.hole
}

var errBroken = errors.New("the connection broke")

// dial connects a device, or fails after a while, or never answers.
func (d *device) dial() {
	w := d.w
	d.dials++
	epoch, attempt := d.epoch, d.dials
	answer := func(ev replica.Event) func() {
		return func() {
			if d.epoch == epoch && d.dials == attempt {
				d.step(ev)
			}
		}
	}
	switch {
	case d.plain:
		d.trips = &trips{d: d, epoch: epoch}
		w.after(0, answer(replica.Connected{}))
	case d.offUp || d.offDown:
		if w.chance(0.5) {
			w.after(w.between(1, 2000), answer(replica.Disconnected{Err: errBroken}))
		}
	case !w.server.up:
		w.after(w.between(1, 50), answer(replica.Disconnected{Err: errBroken}))
	default:
		w.after(w.delay(), func() { d.connect(epoch, attempt, answer) })
	}
}

func (d *device) connect(epoch, attempt int, answer func(replica.Event) func()) {
	w := d.w
	if d.epoch != epoch || d.dials != attempt {
		return
	}
	if !w.server.up {
		answer(replica.Disconnected{Err: errBroken})()
		return
	}
	l := &link{w: w, device: d, epoch: epoch, session: w.server.hub.NewSession(d.holder())}
	d.link = l
	w.server.links = append(w.server.links, l)
	answer(replica.Connected{})()
}

// delay is how long one frame takes.
func (w *world) delay() int64 {
	if w.calm {
		return 1 + w.rand.Int64N(5)
	}
	return 1 + w.rand.Int64N(w.faults.latency)
}

// sendUp puts a message on its way to the server.
func (l *link) sendUp(m wire.Up) {
	if !l.w.faults.frames {
		m = l.short[0].Up(m)
	}
	frame := wire.AppendUp(nil, m)
	l.w.trace("%s -> %T %d bytes", l.device.name, m, len(frame))
	l.transmit(&l.up, l.device.offUp, frame, l.arriveUp)
}

// sendDown puts a message on its way to the device.
func (l *link) sendDown(m wire.Down) {
	if l.trip != nil {
		l.w.trace("%s <- %T in an answer", l.device.name, m)
		l.trip.say(m)
		return
	}
	if !l.w.faults.frames {
		m = l.short[3].Down(m)
	}
	frame := wire.AppendDown(nil, m)
	l.w.trace("%s <- %T %d bytes", l.device.name, m, len(frame))
	l.backlog++
	l.transmit(&l.down, l.device.offDown, frame, l.arriveDown)
}

func (l *link) transmit(lane *lane, off bool, frame []byte, arrive func([]byte)) {
	w := l.w
	if off || lane.cut {
		lane.cut = true
		return
	}
	if w.calm {
		l.inOrder(lane, frame, arrive)
		return
	}
	if w.chance(w.faults.damage) {
		frame = damaged(w, frame)
	}
	if !w.faults.frames {
		if w.chance(w.faults.loss / 4) {
			lane.cut = true
			w.after(w.between(1, 5000), l.breakOff)
			return
		}
		l.inOrder(lane, frame, arrive)
		return
	}
	copies := 1
	if w.chance(w.faults.twice) && l.device.named { // who has no name would get two
		copies = 2
	}
	for range copies {
		if !w.chance(w.faults.loss) {
			w.after(w.delay(), func() { arrive(frame) })
		}
	}
}

func (l *link) inOrder(lane *lane, frame []byte, arrive func([]byte)) {
	lane.last = max(lane.last, l.w.now+l.w.delay())
	l.w.after(lane.last-l.w.now, func() { arrive(frame) })
}

// damaged cuts a frame, or puts a byte into it that cannot be there.
func damaged(w *world, frame []byte) []byte {
	at := w.rand.IntN(len(frame))
	if w.chance(0.5) {
		return frame[:at]
	}
	out := append([]byte(nil), frame...)
	out[at] = 0
	return out
}

func (l *link) arriveUp(frame []byte) {
	if l.dropped || l.up.loses(l.device.offUp, !l.w.faults.frames) {
		return
	}
	l.w.server.receive(l, frame)
}

func (l *link) arriveDown(frame []byte) {
	l.backlog--
	d := l.device
	if l.closed || d.link != l || l.down.loses(d.offDown, !l.w.faults.frames) {
		return
	}
	m, err := wire.DecodeDown(frame)
	if err != nil {
		l.w.trace("%s cannot read a frame", d.name)
		l.breakOff()
		return
	}
	l.short[1].ReadDown(m)
	d.step(replica.Received{Msg: m})
}

// breakOff breaks the connection for both sides, each hearing of it in its own time.
func (l *link) breakOff() {
	if l.trip != nil {
		l.drop()
		l.w.after(l.w.delay(), func() { l.trip.end(nil, errBroken) })
		return
	}
	if !l.closed {
		l.closed = true
		l.w.stats.Breaks++
		l.w.after(l.w.delay(), func() { l.device.lost(l, errBroken) })
	}
	l.w.after(l.w.delay(), l.drop)
}

// hangUp is the device closing its end.
func (l *link) hangUp() {
	if l.closed {
		return
	}
	l.closed = true
	if l.device.offUp {
		l.w.after(l.w.between(1000, 20000), l.drop) // the server learns by its own patience
		return
	}
	l.w.after(l.w.delay(), l.drop)
}

// drop is the server forgetting the connection.
func (l *link) drop() {
	if l.dropped {
		return
	}
	l.dropped, l.up.cut, l.down.cut = true, true, true
	l.session.End()
	s := l.w.server
	for i, other := range s.links {
		if other == l {
			s.links = append(s.links[:i], s.links[i+1:]...)
			return
		}
	}
}

// lost tells the device that its connection is gone.
func (d *device) lost(l *link, err error) {
	if d.link != l || d.epoch != l.epoch {
		return
	}
	d.link = nil
	d.step(replica.Disconnected{Err: err})
}
