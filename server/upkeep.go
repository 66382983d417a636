package server

import (
	"time"

	"github.com/tidemarkdb/tidemark/internal/hub"
)

// keepUp does a slice of what a space needs now and then.
func (sp *space) keepUp() {
	if time.Now().After(sp.auditAt) {
		sp.audit()
	}
	if time.Now().After(sp.scrubAt) {
		sp.scrubSome()
	}
	if time.Now().After(sp.sweepAt) {
		sp.sweepSome()
	}
}

// scrubSome checks the next slice of the rows as they are stored.
func (sp *space) scrubSome() {
	t := &sp.srv.tune
	sp.giveWay()
	next, c, err := sp.hub.Scrub(sp.srv.ctx, now(), sp.scrub, t.scrubRows)
	sp.freed = time.Now()
	sp.scrubAt = time.Now().Add(t.scrub)
	if err != nil {
		sp.failing(err)
		return
	}
	sp.dirty = false
	if sp.scrub = next; next == "" {
		sp.scrubAt = time.Now().Add(t.rest)
	}
	sp.spread(c)
}

// sweepSome deletes conflicts that were kept for long enough.
func (sp *space) sweepSome() {
	t := &sp.srv.tune
	sp.giveWay()
	c, err := sp.hub.Sweep(sp.srv.ctx, now())
	sp.freed = time.Now()
	sp.sweepAt = time.Now().Add(t.scrub)
	if err != nil {
		sp.failing(err)
		return
	}
	sp.dirty = false
	if !c.More {
		sp.sweepAt = time.Now().Add(t.sweep)
	}
	sp.spread(c)
}

// spread publishes a commit without submissions, if it did anything.
func (sp *space) spread(c *hub.Commit) {
	if c.To > c.From {
		sp.meter.group(c, 0)
		sp.publish(c, nil)
	}
}
