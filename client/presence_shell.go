package client

import (
	"time"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/replica"
	"github.com/tidemarkdb/tidemark/internal/wire"
)

var errRoundTrips = &tidemark.Error{
	Code: tidemark.CodeUsage, Op: "presence", Msg: "nobody can be present over plain HTTP",
	Hint: "presence needs a WebSocket: look what stands between this program and the server",
}

// attend gives the loop what came over the link, but for presence's own
// messages, of which it knows nothing.
func (s *shell) attend(ev replica.Event) error {
	got, is := ev.(replica.Received)
	if !is {
		return s.step(ev)
	}
	if s.db.presences.minds(got.Msg) {
		return nil
	}
	err := s.step(ev)
	if w, is := got.Msg.(*wire.Welcome); is {
		s.greet(w)
	}
	return err
}

// greet begins presence in a session, if its link can carry it.
func (s *shell) greet(w *wire.Welcome) {
	switch s.link.(type) {
	case nil:
		return // the loop did not like it
	case *socket:
		s.db.presences.welcome(w.Replica)
	default:
		s.db.presences.gone(errRoundTrips, true)
	}
	s.greeted = true
}

// speak sends what is to be said.
func (s *shell) speak() {
	if l, is := s.link.(*socket); is && s.greeted {
		if msgs := s.db.presences.take(time.Now()); len(msgs) > 0 {
			l.send(msgs)
		}
	}
}

// takeLeave ends the connection so that the others see at once who is gone.
func (s *shell) takeLeave() {
	l, is := s.link.(*socket)
	if !is || !s.greeted {
		return
	}
	l.send(s.db.presences.take(time.Now().Add(updatePause))) // nothing is too early now
	if s.db.presences.said() {
		l.bye()
	}
}
