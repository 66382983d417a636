package server

import (
	"math/rand/v2"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/hub"
	"github.com/tidemarkdb/tidemark/internal/policy"
	"github.com/tidemarkdb/tidemark/internal/wire"
)

// announce tells people what they should know.
func (sp *space) announce(c *hub.Commit) {
	for i := range c.Rejected {
		o := &c.Rejected[i]
		sp.log.Error("what another program wrote into the file broke a constraint and was undone",
			"code", o.Code, "message", o.Message, "table", o.Table, "seq", o.Seq)
		sp.tell(Event{Kind: EventForeignRejected, Outcome: o})
	}
	if c.Schema != nil {
		sp.announceSchema(c)
	}
	if c.Missed > 0 {
		sp.log.Warn("rows had changed without being captured, and are sequenced now", "changes", c.Missed, "seq", c.To)
		sp.tell(Event{Kind: EventMissed, Changes: c.Missed})
	}
}

// announceSchema tells of another schema, or of other policies for the same.
func (sp *space) announceSchema(c *hub.Commit) {
	before, now := sp.known, sp.hub.Schema()
	sp.known = now
	if policy.Overlay(nil, before).Hash == policy.Overlay(nil, now).Hash {
		sp.log.Info("other policies hold from now on", "schema", c.Schema.Hash, "seq", c.To)
		sp.tell(Event{Kind: EventPolicies, Schema: c.Schema.Hash})
		return
	}
	sp.log.Warn("another program changed the schema", "schema", c.Schema.Hash, "seq", c.To)
	sp.tell(Event{Kind: EventSchema, Schema: c.Schema.Hash})
	for _, t := range now.Tables {
		if t.Out != "" {
			sp.log.Error("a table no longer syncs", "table", t.Name, "reason", t.Out)
		}
	}
}

func (sp *space) tell(e Event) {
	if sp.srv.opts.OnEvent != nil {
		e.Space = sp.name
		sp.srv.opts.OnEvent(e)
	}
}

// sayGoodbye tells the replicas when to come back, each at another time.
func (sp *space) sayGoodbye() {
	for p := range sp.peers {
		sp.end(p, goodbye())
	}
}

// Replicas come back between these many milliseconds after a shutdown.
const (
	returnFirst = 1000
	returnLast  = 6000
)

func goodbye() *wire.Refusal {
	return &wire.Refusal{
		Code: tidemark.CodeShutdown, Message: "the server is going down",
		Retry: returnFirst + rand.Int64N(returnLast-returnFirst),
	}
}
