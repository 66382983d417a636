package client

import (
	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/replica"
)

// publish passes a note of the loop on: to the log, to the app as events, to
// those who wait in Sync and Verify.
func (s *shell) publish(n replica.Note, state string) {
	s.mu.Lock()
	moved := s.state != state
	s.state = state
	for w := range s.waiters {
		w.hear(n, state)
	}
	s.mu.Unlock()
	if n.Applied != nil || n.Verify != nil {
		s.db.notice.poke() // live queries need not wait for the next look
	}
	s.logNote(n, state, moved)
	if s.db.opts.OnEvent == nil {
		return
	}
	for _, ev := range eventsOf(n, state, moved) {
		s.db.opts.OnEvent(ev)
	}
}

func eventsOf(n replica.Note, state string, moved bool) []Event {
	var events []Event
	if a := n.Applied; a != nil {
		for i := range a.Settled {
			events = append(events, Event{State: state, Seq: a.Seq, Outcome: &a.Settled[i]})
		}
		for i := range a.Suspended {
			events = append(events, Event{State: state, Seq: a.Seq, Suspended: &a.Suspended[i]})
		}
		if len(events) == 0 && !a.Staged {
			events = append(events, Event{State: state, Seq: a.Seq})
		}
	}
	if n.Err != nil {
		events = append(events, Event{State: state, Err: n.Err})
	}
	if len(events) == 0 && moved {
		events = append(events, Event{State: state})
	}
	return events
}

func (s *shell) logNote(n replica.Note, state string, moved bool) {
	log := s.db.log
	if moved {
		log.Debug("sync", "state", state)
	}
	if n.Err != nil {
		log.Info("sync is held up", "state", state, "code", n.Err.Code, "error", n.Err)
	}
	if v := n.Verify; v != nil {
		log.Info("verified", "seq", v.Seq, "rows", v.Rows, "differed", v.Differed, "saved", v.Saved)
	}
	a := n.Applied
	if a == nil {
		return
	}
	for _, o := range a.Settled {
		if o.Kind == tidemark.Rejected {
			log.Warn("changeset rejected", "n", o.N, "code", o.Code, "reason", o.Message)
		}
	}
	for _, p := range a.Suspended {
		log.Warn("changeset suspended", "n", p.N, "cause", p.Cause)
	}
	if a.Repair != "" {
		log.Warn("the copy differs from the server and is compared", "seq", a.Seq, "reason", a.Repair)
	}
}
