package hub

import (
	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/wire"
)

// Concerns lists the sessions to which a commit has to be delivered, or says
// that it is all of them.
func (c *Commit) Concerns() (list []*Session, all bool) {
	if !c.Scoped || c.Schema != nil {
		return nil, true
	}
	for s := range c.scoped.heard {
		list = append(list, s)
	}
	for s := range c.answers {
		if _, known := c.scoped.heard[s]; !known {
			list = append(list, s)
		}
	}
	for s := range c.regranted {
		_, heard := c.scoped.heard[s]
		if _, answered := c.answers[s]; !heard && !answered {
			list = append(list, s)
		}
	}
	return list, false
}

// deliver is Deliver in a space with scopes: first which scopes the session has
// from here on, then what it is due of the commit.
func (s *Session) deliver(c *Commit, room bool) []wire.Down {
	if s.over || s.replica == "" {
		return nil
	}
	if s.reach == nil || !c.Scoped {
		outcomes, refusals := s.split(c)
		return append(append(outcomes, refusals...), s.refuse(declaredAnew())...)
	}
	r := s.reach
	var down []wire.Down
	anew := r.stale
	if m := s.rescope(); m != nil {
		if down = append(down, m); s.over {
			return down
		}
	}
	set := c.scoped.hears(s, anew)
	outcomes, refusals := s.split(c)
	due := s.at < c.To && (set != 0 || len(outcomes) > 0 || s.schema != c.scoped.schema)
	live := due && s.live()
	var b *wire.Batch
	if live && room {
		b = c.scoped.batch(s.at, c.To, set)
	}
	if due && b == nil || s.schema != c.scoped.schema && c.Schema == nil {
		r.lagging, b = true, nil
	}
	if b == nil {
		return append(append(down, outcomes...), refusals...)
	}
	if s.schema != c.scoped.schema {
		down, s.schema = append(down, c.Schema), c.Schema.Hash
	}
	s.at = c.To
	down = append(append(down, outcomes...), s.leases()...)
	return append(append(down, b), refusals...)
}

// live reports whether the session's ready scopes are at Session.at what they
// were when the last commit began.
func (s *Session) live() bool {
	r := s.reach
	return !r.lagging && !r.unsure && r.place == nil
}

// declaredAnew ends a session when scopes are declared for the first time, or
// are no more: the replica's tables are made for the other case.
func declaredAnew() *wire.Refusal {
	return fatal(tidemark.CodeSchema, "the space declares scopes now, or does not any more", "clone it anew; what is pending in this copy stays there")
}
