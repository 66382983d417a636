package server

import (
	"sync"
	"time"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/hub"
	"github.com/tidemarkdb/tidemark/internal/wire"
)

// peer is one connection, as its space sees it. The loop owns it, except
// outbox and credit, which both sides use.
type peer struct {
	space   *space
	session *hub.Session
	outbox  *outbox
	credit  *credit
	trip    *trip // nil for a WebSocket
	who     tidemark.Principal
	expires time.Time      // when the connection ends, with its token
	expiry  *time.Timer    // tells of it; nil when it does not
	up      wire.Shorthand // the reader's
	open    int            // submissions without an answer
	told    bool           // something that is news was said

	listening listening
}

func (sp *space) newPeer(who tidemark.Principal) *peer {
	p := &peer{space: sp, who: who, credit: newCredit(creditBytes)}
	p.outbox = newOutbox(sp.srv.tune.outbox, sp.kick)
	return p
}

// trip is what an HTTP round trip adds: it ends when everything was answered.
type trip struct {
	all  bool // every message was handed in
	wait bool // stay until there is news
}

// tripBytes bounds what one round trip brings back; the rest comes with the next.
const tripBytes = 8 << 20

func (t *trip) complete(p *peer) bool {
	return t.all && p.open == 0 && (!t.wait || p.told)
}

func (t *trip) full(p *peer) bool {
	return t.all && p.open == 0 && p.outbox.total() > tripBytes
}

// put queues messages for the connection.
func (p *peer) put(down []wire.Down, shared sharing) {
	for _, m := range down {
		f := frame{down: m}
		if b, ok := m.(*wire.Batch); ok {
			f.shared = shared.of(b)
		}
		if w, ok := m.(*wire.Welcome); ok && p.trip == nil {
			p.space.present.admit(p, w)
		}
		switch m.(type) {
		case *wire.Welcome, *wire.Leases: // each round trip over plain HTTP begins with these
		default:
			p.told = true
		}
		p.outbox.put(f)
		if r, ok := m.(*wire.Refusal); ok && (r.Fatal || p.trip != nil && r.Code != tidemark.CodeGap) {
			p.outbox.finish()
		}
	}
}

// handle takes one event of a connection.
func (sp *space) handle(ev event) {
	p := ev.peer
	switch ev.kind {
	case evJoin:
		sp.refresh()
		sp.join(p)
	case evGone:
		sp.part(p)
	case evMessage:
		sp.receive(p, ev)
	case evRenew:
		sp.renewed(p, *ev.who)
	case evExpired:
		sp.expired(p)
	case evAll:
		p.trip.all = true
		if sp.peers[p] {
			sp.settle(p)
		}
	case evEnough:
		p.trip.wait = false
		if sp.peers[p] {
			sp.settle(p)
		}
	}
}

// refresh sequences what other programs wrote until now, so that a replica that
// comes gets it at once and not with the next look at the file.
func (sp *space) refresh() {
	dirty, err := sp.store.Dirty(sp.srv.ctx)
	sp.dirty = sp.dirty || dirty
	if err == nil && sp.due() {
		err = sp.commit()
	}
	if err != nil {
		sp.failing(err)
	}
}

func (sp *space) join(p *peer) {
	p.session = sp.hub.NewSession(p.who)
	p.session.RoundTrip = p.trip != nil
	if sp.leaving {
		p.put([]wire.Down{goodbye()}, nil)
		p.outbox.finish()
		return
	}
	sp.peers[p] = true
	sp.owners[p.session] = p
	sp.expireAt(p)
}

func (sp *space) part(p *peer) {
	if id := p.session.Replica(); sp.named[id] == p {
		delete(sp.named, id)
	}
	delete(sp.peers, p)
	delete(sp.behind, p)
	delete(sp.owners, p.session)
	p.session.End()
	if p.expiry != nil {
		p.expiry.Stop()
	}
	sp.forget(p.session)
	sp.present.end(p, false)
	p.outbox.finish()
}

// end says a last word and closes the connection.
func (sp *space) end(p *peer, r *wire.Refusal) {
	sp.present.end(p, true)
	p.put([]wire.Down{r}, nil)
	sp.part(p)
}

func (sp *space) receive(p *peer, ev event) {
	if !sp.peers[p] {
		p.credit.give(ev.size)
		return
	}
	if ev.who != nil && p.session.Renew(*ev.who) {
		sp.expireAt(p)
	}
	down, sub, err := p.session.Receive(sp.srv.ctx, now(), ev.msg)
	if err != nil {
		p.credit.give(ev.size)
		sp.failing(err)
		sp.end(p, &wire.Refusal{Code: tidemark.CodeBusy, Message: "the server cannot write now", Retry: 1000})
		return
	}
	if sub != nil {
		// The body's part of the credit comes back with the outcome.
		p.credit.give(ev.size - len(sub.Changeset.Body))
		p.open++
		sp.subs = append(sp.subs, *sub)
		return
	}
	p.credit.give(ev.size)
	if _, ok := ev.msg.(*wire.Hello); ok {
		sp.freed = time.Now() // it wrote
		sp.introduce(p)
	}
	p.put(down, nil)
	sp.settle(p)
}

// introduce notes whom a connection speaks for, and ends an older one of the same replica.
func (sp *space) introduce(p *peer) {
	id := p.session.Replica()
	if id == "" {
		return
	}
	if old := sp.named[id]; old != nil && old != p {
		down, _, _ := old.session.Receive(sp.srv.ctx, now(), &wire.Ack{})
		old.put(down, nil)
		sp.part(old)
	}
	sp.named[id] = p
}

// credit bounds what a connection has handed in and not been answered for. A
// connection without credit stops reading.
type credit struct {
	mu   sync.Mutex
	left int
	more chan struct{}
}

// creditBytes is what one connection may have under way. One message may
// exceed it, but then it goes alone.
const creditBytes = 1 << 20

func newCredit(n int) *credit { return &credit{left: n, more: make(chan struct{}, 1)} }

// take spends credit and waits until some is left. It reports false when done closes first.
func (c *credit) take(n int, done <-chan struct{}) bool {
	for {
		c.mu.Lock()
		if c.left > 0 {
			c.left -= n
			c.mu.Unlock()
			return true
		}
		c.mu.Unlock()
		select {
		case <-c.more:
		case <-done:
			return false
		}
	}
}

func (c *credit) give(n int) {
	c.mu.Lock()
	c.left += n
	c.mu.Unlock()
	select {
	case c.more <- struct{}{}:
	default:
	}
}
