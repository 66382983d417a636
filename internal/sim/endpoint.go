package sim

import (
	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/hub"
)

// endpoint is a hook that asks somebody at the other end of a network, as one
// over HTTP does: who is asked rules on the rows that he was shown, and answers
// when they may be others already, or not at all. What waits is dealt with as the
// server's shell does: an answer holds for a proposal that is the same, otherwise
// it asks again.
type endpoint struct {
	h     *hook
	calls map[tidemark.Name]*call
}

// call is one question to an endpoint.
type call struct {
	shown *hub.Proposal
	back  bool // the answer is here
	lost  bool // and says nothing

	verdict *hub.Verdict
	code    tidemark.Code
}

// ask returns an answer that came, or has the changeset wait for one.
func (e *endpoint) ask(p *hub.Proposal) (*hub.Verdict, tidemark.Code, error) {
	w, id := e.h.w, e.h.w.ledger.byHash[p.Name.Hash].id
	switch c := e.calls[p.Name]; {
	case c == nil:
		e.call(p, id)
	case !c.back:
	case c.lost:
		w.trace("the endpoint fails to judge changeset %d", id)
		delete(e.calls, p.Name)
		return nil, "", &tidemark.Error{Code: tidemark.CodeBusy, Op: "hook", Msg: "the endpoint does not answer"}
	case c.shown.Same(p):
		return c.verdict, c.code, nil
	default:
		w.trace("the endpoint ruled on other rows of changeset %d than there are now", id)
		e.call(p, id)
	}
	return nil, "", hub.ErrWait
}

// call shows a proposal. The answer is as old as the question when it comes.
func (e *endpoint) call(p *hub.Proposal, id int) {
	w := e.h.w
	c := &call{shown: p}
	e.calls[p.Name] = c
	c.code, c.verdict = e.h.decide(p)
	takes := w.between(1, 200)
	if !w.calm {
		c.lost = w.chance(0.1)
		if c.lost || w.chance(0.1) {
			takes = w.between(200, 3000)
		}
	}
	w.trace("the endpoint is shown changeset %d and takes %d ms", id, takes)
	w.after(takes, func() { c.back = true })
}
