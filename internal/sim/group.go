package sim

import (
	"context"

	"github.com/tidemarkdb/tidemark/internal/hub"
	"github.com/tidemarkdb/tidemark/internal/sim/oracle"
)

// plan makes sure that a group runs soon.
func (s *server) plan(ms int64) {
	if s.planned {
		return
	}
	s.planned = true
	s.w.after(ms, func() {
		s.planned = false
		if s.up {
			s.group()
		}
	})
}

// group judges what waits, folds it into the oracle and tells everyone.
func (s *server) group() {
	w := s.w
	took := s.waiting
	s.waiting = nil
	subs := make([]hub.Submission, len(took))
	for i, q := range took {
		subs[i] = q.sub
		w.ledger.submitted(&q.sub.Changeset)
		if s.hook != nil {
			delete(s.hook.answers, q.sub.Changeset.Hash)
		}
		w.trace("submitted by %s: %d as %.6s/%d was %v", q.link.device.name, w.ledger.bySalt[q.sub.Changeset.Salt].id, q.sub.Changeset.Replica, q.sub.Changeset.N, q.sub.Changeset.Was)
	}
	w.stats.Groups++
	hasty := !w.calm && w.chance(0.2)
	c, err := s.hub.Group(context.Background(), w.now, subs, func() bool { return !hasty || w.chance(0.7) })
	if s.host.Dead() {
		s.crash(w.chance(0.7))
		return
	}
	if err != nil && s.host.Failed() {
		w.trace("the server's disk fails at a group of %d", len(subs))
		s.waiting = append(took, s.waiting...)
		if s.foreignBefore == nil && !s.moving {
			w.ledger.catchUp(s)
		}
		s.plan(w.between(1, 200))
		return
	}
	w.must(err, "server judging a group")
	w.trace("group of %d: %d to %d, %d again", len(subs), c.From, c.To, len(c.Retry))
	w.ledger.catchUp(s)
	s.again(c, took)
	s.tell(c)
}

// again puts submissions back that got no outcome for a passing reason.
func (s *server) again(c *hub.Commit, took []waiting) {
	var back []waiting
	for _, q := range took {
		if q.link.trip != nil {
			q.link.trip.open--
		}
	}
	for _, r := range c.Retry {
		for _, q := range took {
			if q.sub.Session == r.Session && q.sub.Changeset.Name == r.Changeset.Name {
				back = append(back, q)
				if q.link.trip != nil {
					q.link.trip.open++
				}
				break
			}
		}
	}
	s.waiting = append(back, s.waiting...)
	if len(s.waiting) > 0 {
		s.plan(s.w.between(1, 50))
	}
}

// tell delivers a commit to every session.
func (s *server) tell(c *hub.Commit) {
	w := s.w
	for _, l := range append([]*link(nil), s.links...) {
		if !w.calm && w.chance(w.faults.deaf) {
			w.trace("%s is cut off before it hears the answer", l.device.name)
			l.breakOff()
			continue
		}
		if !w.calm && l.backlog > 2 && w.chance(0.1) {
			l.session.Fallback()
		}
		s.deliver(l, l.session.Deliver(c))
		s.pump(l)
	}
	s.upToDate()
}

// foreignChanges says what others wrote into the file since the last group.
func (s *server) foreignChanges() []oracle.Change {
	if s.foreignBefore == nil {
		return nil
	}
	return difference(s.w.model, s.foreignBefore, s.foreignNext)
}

// forgetForeign ends a round of foreign writes: they were sequenced, or undone
// because they break a constraint.
func (s *server) forgetForeign() {
	s.foreignBefore, s.foreignNext, s.foreignDone, s.foreignLoose = nil, nil, false, false
}

// writeForeign lets somebody else's shell change the served file.
func (s *server) writeForeign() {
	w := s.w
	if s.tool.Dead() || s.moving {
		return
	}
	before, err := dump(s.shell, w.model)
	w.must(err, "dumping the served file")
	loose := w.chance(w.work.poison())
	if loose {
		w.must(enforce(s.shell, false), "switching constraints off")
	}
	err = s.shell.Transaction(func() error {
		if loose {
			return w.work.spoil(w, s.shell, 0)
		}
		return w.work.write(w, s.shell, 0)
	})
	if loose {
		w.must(enforce(s.shell, true), "switching constraints on")
	}
	if err != nil {
		w.trace("shell on the server: refused")
		return
	}
	after, err := dump(s.shell, w.model)
	w.must(err, "dumping the served file")
	if s.foreignBefore == nil {
		s.foreignBefore = before
	}
	s.foreignNext = after
	s.foreignLoose = s.foreignLoose || loose
	w.trace("shell on the server: constraints %v, %d changes", !loose, len(difference(w.model, before, after)))
	s.plan(w.between(0, 300))
}

// quiet reports whether nothing waits on the server.
func (s *server) quiet() bool {
	return s.up && len(s.waiting) == 0 && s.foreignBefore == nil && !s.moving
}
