package client

import (
	"slices"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/replica"
)

// publish passes a note of the loop on: to the log, to the app as events, to
// those who wait in Sync and Verify.
func (s *shell) publish(n replica.Note, state string) {
	left := s.left(n.Applied)
	s.mu.Lock()
	moved := s.state != state
	s.state = state
	for w := range s.waiters {
		w.hear(n, left, state)
	}
	s.mu.Unlock()
	if n.Applied != nil {
		for _, sc := range n.Applied.Scopes {
			if sc.State == ScopeGained {
				s.db.presences.gained(sc.Scope)
			}
		}
	}
	if n.Applied != nil || n.Verify != nil {
		s.db.notice.poke() // live queries need not wait for the next look
	}
	s.logNote(n, state, moved)
	if s.db.opts.OnEvent == nil {
		return
	}
	for _, ev := range eventsOf(n, state, moved, s.count(n.Applied)) {
		s.db.opts.OnEvent(ev)
	}
	if left != nil {
		s.db.opts.OnEvent(Event{State: state, Seq: n.Applied.Seq, Left: left})
	}
	for _, c := range s.opened(n.Applied) {
		s.db.opts.OnEvent(Event{State: state, Seq: n.Applied.Seq, Conflict: &c})
	}
}

// count adds up the rows that have come of scopes that fill, while nothing of
// them is visible yet.
func (s *shell) count(a *replica.Applied) int64 {
	switch {
	case a == nil:
	case a.Staged:
		s.filling += int64(a.Rows)
	default:
		s.filling = 0
	}
	return s.filling
}

// left names the tables of rows that left the copy.
func (s *shell) left(a *replica.Applied) map[string]int {
	if a == nil || len(a.Left) == 0 {
		return nil
	}
	schema := s.db.Schema()
	if schema == nil {
		return nil
	}
	left := map[string]int{}
	for id, n := range a.Left {
		if t := schema.Table(id); t != nil {
			left[t.Name] += n
		}
	}
	return left
}

// opened lists the conflicts that a batch brought and that wait for a decision.
func (s *shell) opened(a *replica.Applied) []Conflict {
	if a == nil || a.Staged || a.Seq <= s.told {
		return nil
	}
	f := ConflictFilter{States: []string{tidemark.StateOpen}, After: s.told}
	s.told = a.Seq
	if !s.touched(a, tidemark.ConflictsTable) {
		return nil
	}
	list, err := s.db.Conflicts(s.ctx, f)
	if err != nil {
		s.db.log.Debug("looking for conflicts failed", "error", err)
	}
	return list
}

// touched reports whether rows of a table changed.
func (s *shell) touched(a *replica.Applied, name string) bool {
	schema := s.db.Schema()
	if schema == nil {
		return false
	}
	t := schema.Named(name)
	return t != nil && slices.Contains(a.Tables, t.ID)
}

func eventsOf(n replica.Note, state string, moved bool, filling int64) []Event {
	var events []Event
	if a := n.Applied; a != nil {
		for i := range a.Settled {
			events = append(events, Event{State: state, Seq: a.Seq, Outcome: &a.Settled[i]})
		}
		for i := range a.Suspended {
			events = append(events, Event{State: state, Seq: a.Seq, Suspended: &a.Suspended[i]})
		}
		for i := range a.Scopes {
			events = append(events, Event{State: state, Seq: a.Seq, Scope: &a.Scopes[i]})
		}
		if a.Staged && filling > 0 {
			events = append(events, Event{State: state, Filling: filling})
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
		switch o.Kind {
		case tidemark.Rejected:
			log.Warn("changeset rejected", "n", o.N, "code", o.Code, "reason", o.Message)
		case tidemark.Merged:
			log.Info("changeset merged", "n", o.N, "seq", o.Seq, "lost", len(o.Lost), "overwrote", len(o.Over))
		}
		for _, r := range o.Renumbered {
			log.Info("row renumbered", "n", o.N, "table", r.Table, "from", r.From, "to", r.To)
		}
	}
	for _, sc := range a.Scopes {
		log.Info("scope "+sc.State, "scope", sc.Scope, "rows", sc.Rows)
	}
	for _, p := range a.Suspended {
		log.Warn("changeset suspended", "n", p.N, "cause", p.Cause)
	}
	if a.Repair != "" {
		log.Warn("the copy differs from the server and is compared", "seq", a.Seq, "reason", a.Repair)
	}
}
