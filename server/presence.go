package server

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/presence"
	"github.com/tidemarkdb/tidemark/internal/wire"
)

// PresenceLimits bound what is kept of who is present.
type PresenceLimits = presence.Limits

// pingPresent is how often one who is present is pinged, so that it is noticed
// in time when it is there no more.
const pingPresent = 10 * time.Second

// presences is who is present in a space. It is beside the loop and never
// waits for it: readers hand it what they read, writers take from it when the
// loop has nothing for them.
type presences struct {
	began    time.Time
	speed    int64 // of its clock
	peers    prometheus.Gauge
	declined prometheus.Counter

	mu    sync.Mutex
	hall  *presence.Hall
	timer *time.Timer
	due   int64 // when the timer rings, 0 for never
	over  bool
}

// listening is a connection's part in it. presences' lock guards the listener.
type listening struct {
	presence.Listener
	present atomic.Bool
}

func newPresences(l PresenceLimits, speed int64, m *spaceMeter) *presences {
	s := &presences{began: time.Now(), speed: speed, hall: presence.New(l), peers: m.present, declined: m.declined}
	s.timer = time.AfterFunc(time.Hour, s.tick)
	s.timer.Stop()
	return s
}

// now is a clock that nobody sets.
func (s *presences) now() int64 { return s.speed*time.Since(s.began).Milliseconds() + 1 }

// do runs fn alone, and sees to it that the next tick comes in time.
func (s *presences) do(p *peer, fn func(now int64, l *presence.Listener)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.over {
		return
	}
	now := s.now()
	fn(now, &p.listening.Listener)
	p.listening.present.Store(p.listening.Joined())
	s.plan(now)
}

// plan sets the timer for what is due next.
func (s *presences) plan(now int64) {
	due := s.hall.Due()
	if due != s.due {
		if s.due = due; due == 0 {
			s.timer.Stop()
		} else {
			s.timer.Reset(time.Duration(max(0, due-now)) * time.Millisecond / time.Duration(s.speed))
		}
	}
	s.peers.Set(float64(s.hall.Peers()))
}

// tick does what is due, and wakes the writers of those who are to be told.
func (s *presences) tick() {
	s.mu.Lock()
	if s.over {
		s.mu.Unlock()
		return
	}
	now := s.now()
	who := s.hall.Tick(now)
	s.due = 0
	s.plan(now)
	s.mu.Unlock()
	for _, l := range who {
		l.Tag.(*peer).outbox.ring()
	}
}

// admit lets a connection be present as the replica that was welcomed on it.
func (s *presences) admit(p *peer, w *wire.Welcome) {
	scopes, scoped := p.session.Granted()
	s.do(p, func(now int64, l *presence.Listener) {
		l.Tag = p
		s.hall.Admit(now, l, w.Replica, w.Principal)
		s.hall.Grant(l, scopes, scoped)
	})
}

// grant has a connection be present only where its principal may read by now.
func (s *presences) grant(p *peer) {
	scopes, scoped := p.session.Granted()
	var out []*wire.Declined
	s.do(p, func(_ int64, l *presence.Listener) { out = s.hall.Grant(l, scopes, scoped) })
	for _, d := range out {
		p.outbox.put(frame{down: d})
	}
}

// receive takes a message if it is one of presence. wait is for how long the
// connection should not be read.
func (s *presences) receive(p *peer, m wire.Up) (is bool, wait time.Duration) {
	switch m.(type) {
	case *wire.Presence, *wire.Cast:
	default:
		return false, 0
	}
	s.do(p, func(now int64, l *presence.Listener) {
		declined, ms := s.hall.Receive(now, l, m)
		if declined != nil {
			s.declined.Inc()
			p.outbox.put(frame{down: declined})
		}
		wait = time.Duration(ms) * time.Millisecond
	})
	return true, wait
}

// alive notes that something was heard of a connection.
func (s *presences) alive(p *peer) {
	if p.listening.present.Load() {
		s.do(p, s.hall.Alive)
	}
}

// end takes a connection out. After an end that is not a clean one its peers stay for a moment.
func (s *presences) end(p *peer, clean bool) {
	s.do(p, func(now int64, l *presence.Listener) { s.hall.End(now, l, clean) })
}

// next gives the next message for a connection, encoded, or nil.
func (s *presences) next(p *peer) (message []byte) {
	if !p.listening.present.Load() {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.hall.Next(&p.listening.Listener)
}

func (s *presences) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.over = true
	s.timer.Stop()
}

// declineTrip answers the messages of presence in a round trip, in which nobody
// can be present, and returns the others.
func declineTrip(p *peer, msgs []wire.Up) []wire.Up {
	rest := msgs[:0:0]
	for _, m := range msgs {
		no := &wire.Declined{
			Code: tidemark.CodeUsage, Message: "a round trip over HTTP cannot be present",
			Hint: "presence needs a WebSocket: look what stands between replica and server",
		}
		switch m := m.(type) {
		case *wire.Presence:
			no.Scope, no.Part = m.Scope, m.Part
		case *wire.Cast:
			no.Scope, no.Part = m.Scope, m.Part
		default:
			rest = append(rest, m)
			continue
		}
		if len(no.Scope)+len(no.Part) > wire.MaxPart {
			no.Scope, no.Part = "", ""
		}
		p.outbox.put(frame{down: no})
	}
	return rest
}
