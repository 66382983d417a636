package server

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/wire"
)

const (
	maxWait     = 60 * time.Second // how long a round trip may be held
	maxMessages = 10000            // in one round trip
)

// serveSync is a session in one round trip: messages up in the body, one per
// line, the first a hello; messages down in the answer. With wait it is held
// until there is news.
func (s *Server) serveSync(w http.ResponseWriter, r *http.Request, sp *space) {
	wait, err := parseWait(r.URL.Query().Get("wait"))
	if err != nil {
		writeError(w, http.StatusBadRequest, tidemark.CodeUsage, err.Error(), "write it like ?wait=25s")
		return
	}
	body, err := readBody(w, r, s.opts.Limits.Message+maxMessages)
	if err != nil {
		s.refuseBody(w, err)
		return
	}
	sp.meter.received.Add(float64(len(body)))
	msgs, err := decodeLines(body, s.opts.Limits.Message)
	if err != nil {
		s.refuseBody(w, err)
		return
	}
	who := callerOf(r)
	if refusal := s.admit(r, who, msgs, len(body)); refusal != nil {
		s.writeRefusal(w, refusal)
		return
	}
	if !s.quotas.connect(who.ID, time.Now()) {
		s.writeRefusal(w, s.tooMany())
		return
	}
	defer s.quotas.disconnect(who.ID)
	if !who.Expires.IsZero() {
		wait = min(wait, max(0, time.Until(who.Expires))+s.grace)
	}
	p := sp.newPeer(who)
	p.trip = &trip{wait: wait > 0}
	sp.meter.trips.Inc()
	defer sp.meter.trips.Dec()
	if !sp.handIn(p, declineTrip(p, msgs)) {
		comeBack(w)
		return
	}
	defer sp.send(event{peer: p, kind: evGone})
	a := newAnswer(w, r, sp)
	a.stream(r, p, wait)
}

// admit judges what a round trip says of who sends it, and how much it is.
func (s *Server) admit(r *http.Request, who tidemark.Principal, msgs []wire.Up, size int) *wire.Refusal {
	hello := msgs[0].(*wire.Hello) // as decodeLines has seen to
	if s.opts.Auth != nil && hello.Token != "" && hello.Token != bearer(r) {
		p, err := s.judge(r.Context(), hello.Token)
		if err != nil {
			return s.notGood(err)
		}
		if p.ID != who.ID {
			return another(who.ID, p.ID)
		}
	}
	pushes := 0
	for _, m := range msgs {
		if _, is := m.(*wire.Push); is {
			pushes++
		}
	}
	return s.pay(who.ID, pushes, size, r.Context().Done())
}

func parseWait(s string) (time.Duration, error) {
	if s == "" {
		return 0, nil
	}
	d, err := time.ParseDuration(s)
	if err != nil || d < 0 {
		return 0, fmt.Errorf("%q is not a time to wait", s)
	}
	return min(d, maxWait), nil
}

// decodeLines reads the messages of a round trip.
func decodeLines(body []byte, limit int) ([]wire.Up, error) {
	var msgs []wire.Up
	var short wire.Shorthand
	subscribes := 0
	for line := range bytes.Lines(body) {
		if line = bytes.TrimSpace(line); len(line) == 0 {
			continue
		}
		if len(line) > limit {
			return nil, errTooLarge
		}
		if len(msgs) == maxMessages {
			return nil, &badMessage{fmt.Errorf("more than %d messages at once", maxMessages)}
		}
		m, err := wire.DecodeUp(line)
		if err != nil {
			return nil, &badMessage{err}
		}
		if _, hello := m.(*wire.Hello); hello != (len(msgs) == 0) {
			return nil, &badMessage{fmt.Errorf("a hello must come first, and once")}
		}
		if _, is := m.(*wire.Token); is {
			return nil, &badMessage{fmt.Errorf("a request brings its token in the Authorization header")}
		}
		if _, is := m.(*wire.Subscribe); is {
			if subscribes++; subscribes > subscribesAtOnce {
				return nil, &badMessage{fmt.Errorf("more than %d changes of what the replica wants at once", subscribesAtOnce)}
			}
		}
		short.ReadUp(m)
		msgs = append(msgs, m)
	}
	if len(msgs) == 0 {
		return nil, &badMessage{io.ErrUnexpectedEOF}
	}
	return msgs, nil
}

// handIn gives a round trip's messages to the loop.
func (sp *space) handIn(p *peer, msgs []wire.Up) bool {
	if !sp.send(event{peer: p, kind: evJoin}) {
		return false
	}
	for _, m := range msgs {
		if !sp.send(event{peer: p, kind: evMessage, msg: m}) {
			return false
		}
	}
	return sp.send(event{peer: p, kind: evAll})
}

// answer writes messages as lines, compressed if the other side takes that.
type answer struct {
	sp    *space
	w     http.ResponseWriter
	ctl   *http.ResponseController
	out   encoder
	short wire.Shorthand
	buf   []byte
}

func newAnswer(w http.ResponseWriter, r *http.Request, sp *space) *answer {
	h := w.Header()
	h.Set("Content-Type", "application/x-ndjson")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Accel-Buffering", "no") // some proxies hold answers back
	return &answer{sp: sp, w: w, ctl: http.NewResponseController(w), out: encoderFor(w, r)}
}

// stream writes what the outbox holds until it ends. What is there is flushed
// before the answer waits.
func (a *answer) stream(r *http.Request, p *peer, wait time.Duration) {
	defer a.out.release()
	enough := time.NewTimer(wait)
	defer enough.Stop()
	for {
		f, ok, end := p.outbox.take()
		switch {
		case end:
			_ = a.out.Close()
			return
		case ok:
			if a.write(f) != nil {
				return
			}
			continue
		}
		if a.flush() != nil {
			return
		}
		select {
		case <-p.outbox.more:
		case <-enough.C:
			a.sp.send(event{peer: p, kind: evEnough})
		case <-r.Context().Done():
			return
		case <-a.sp.ended:
			return
		}
	}
}

func (a *answer) write(f frame) error {
	if f.shared != nil && a.short.Brief(f.shared.batch) {
		b, _ := f.shared.encode()
		a.buf = append(a.buf[:0], b...)
	} else {
		a.buf = wire.AppendDown(a.buf[:0], a.short.Down(f.down))
	}
	a.buf = append(a.buf, '\n')
	a.sp.meter.sent.Add(float64(len(a.buf)))
	_ = a.ctl.SetWriteDeadline(time.Now().Add(a.sp.srv.tune.write))
	_, err := a.out.Write(a.buf)
	return err
}

func (a *answer) flush() error {
	if err := a.out.Flush(); err != nil {
		return err
	}
	return a.ctl.Flush()
}
