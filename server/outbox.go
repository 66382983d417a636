package server

import (
	"sync"

	"github.com/gorilla/websocket"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/wire"
)

// frame is one message on its way out.
type frame struct {
	down   wire.Down
	shared *sharedBatch // not nil: the same goes to many
}

// sharedBatch is a live batch, encoded once for all sessions.
type sharedBatch struct {
	batch    *wire.Batch
	once     sync.Once
	bytes    []byte
	prepared *websocket.PreparedMessage
}

// sharing are the live batches of one commit: one where no scopes are declared,
// else one for all sessions that hear the same from the same seq on. Nil shares
// nothing.
type sharing map[*wire.Batch]*sharedBatch

func (s sharing) of(b *wire.Batch) *sharedBatch {
	if s == nil {
		return nil
	}
	shared := s[b]
	if shared == nil {
		shared = &sharedBatch{batch: b}
		s[b] = shared
	}
	return shared
}

// encode returns the batch without what both ends know.
func (b *sharedBatch) encode() ([]byte, *websocket.PreparedMessage) {
	b.once.Do(func() {
		brief := *b.batch
		brief.Term, brief.Schema = "", ""
		b.bytes = wire.AppendDown(nil, &brief)
		// The only error is that of a message type that is not known.
		b.prepared, _ = websocket.NewPreparedMessage(websocket.TextMessage, b.bytes)
	})
	return b.bytes, b.prepared
}

// outbox holds what waits for one connection. The loop puts, the connection's
// writer takes. It never blocks the loop: a session that is too slow gets no
// batches any more and falls behind, which costs nothing until it has room.
type outbox struct {
	more chan struct{} // something was put, or the end was
	less chan struct{} // it is no longer crammed

	mu       sync.Mutex
	frames   []frame
	size     int // bytes that wait, about
	sum      int // bytes that were ever put
	limit    int
	finished bool
	starved  bool   // somebody asked for room in vain
	wake     func() // called when there is room again
}

func newOutbox(limit int, wake func()) *outbox {
	return &outbox{more: make(chan struct{}, 1), less: make(chan struct{}, 1), limit: limit, wake: wake}
}

func (o *outbox) put(f frame) {
	o.mu.Lock()
	if !o.finished {
		n := weight(f.down)
		o.frames = append(o.frames, f)
		o.size += n
		o.sum += n
	}
	o.mu.Unlock()
	o.ring()
}

func (o *outbox) ring() { ring(o.more) }

func ring(bell chan struct{}) {
	select {
	case bell <- struct{}{}:
	default:
	}
}

// finish ends the outbox: what is in it still goes out, nothing comes after.
func (o *outbox) finish() {
	o.mu.Lock()
	o.finished = true
	o.mu.Unlock()
	o.ring()
}

// room reports whether a batch may be put. If not, wake is called later.
func (o *outbox) room() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.starved = o.size >= o.limit
	return !o.starved
}

// crammed reports whether so much waits that nothing more must be asked for.
// Answers go in without asking for room, so that it can come to that.
func (o *outbox) crammed() bool { return o.size >= 2*o.limit }

// await waits until the outbox is not crammed, or reports false when done
// closes first. One who asks and does not read the answers is not read either.
func (o *outbox) await(done <-chan struct{}) bool {
	for {
		o.mu.Lock()
		crammed := o.crammed()
		o.mu.Unlock()
		if !crammed {
			return true
		}
		select {
		case <-o.less:
		case <-done:
			return false
		}
	}
}

// total returns the bytes that were ever put.
func (o *outbox) total() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.sum
}

// take returns the next frame. ok is false when there is none now; end says
// that there will be none.
func (o *outbox) take() (f frame, ok, end bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.frames) == 0 {
		return f, false, o.finished
	}
	f = o.frames[0]
	o.frames[0] = frame{}
	if o.frames = o.frames[1:]; len(o.frames) == 0 {
		o.frames = nil
	}
	crammed := o.crammed()
	o.size -= weight(f.down)
	if crammed && !o.crammed() {
		ring(o.less)
	}
	if o.starved && o.size < o.limit/2 {
		o.starved = false
		o.wake()
	}
	return f, true, false
}

// weight estimates the bytes of a message.
func weight(m wire.Down) int {
	n := 128
	switch m := m.(type) {
	case *wire.Batch:
		if m.Raw != nil {
			return n + len(m.Raw)
		}
		n += weightOf(m.Changes)
		for i := range m.Parts {
			p := &m.Parts[i]
			if n += len(p.Scope) + 16; p.Raw != nil {
				n += len(p.Raw)
			} else {
				n += weightOf(p.Changes)
			}
		}
	case *wire.Welcome:
		n += weightOfNames(m.Scopes)
	case *wire.Scopes:
		n += weightOfNames(m.List)
	case *wire.Schema:
		n += len(m.Body)
	case *wire.Rows:
		for _, row := range m.List {
			for _, v := range row {
				n += v.Size()
			}
		}
	case *wire.Outcomes:
		n *= 1 + len(m.List)
	}
	return n
}

func weightOf(changes []tidemark.Change) (n int) {
	for i := range changes {
		n += 16
		for _, v := range changes[i].New {
			n += v.Size()
		}
	}
	return n
}

func weightOfNames(list []string) (n int) {
	for _, name := range list {
		n += len(name) + 3
	}
	return n
}

func (o *outbox) empty() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return len(o.frames) == 0
}
