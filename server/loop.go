package server

import (
	"errors"
	"time"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/hub"
	"github.com/tidemarkdb/tidemark/internal/wire"
)

// subsPerGroup bounds what one group is begun with; its time bounds it further.
const subsPerGroup = 4096

// loop is the life of a space: take what has come, commit it together, tell
// everyone, bring those who are behind one chunk further.
func (sp *space) loop() {
	defer close(sp.ended)
	timer := time.NewTimer(sp.srv.tune.poll)
	defer timer.Stop()
	for sp.srv.ctx.Err() == nil {
		going := sp.going
		if sp.leaving {
			going = nil
		}
		select {
		case ev := <-sp.events:
			sp.handle(ev)
		case r := <-sp.verdicts():
			sp.answered(r)
		case <-sp.wake:
			sp.look()
		case <-timer.C:
			sp.look()
			timer.Reset(sp.interval())
		case <-going:
			sp.leaving = true
		case <-sp.srv.ctx.Done():
			return
		}
		sp.work()
	}
}

// work goes on until nothing is left that can be done at once.
func (sp *space) work() {
	defer func() { sp.meter.subscriptions.Set(float64(sp.hub.Subscriptions())) }()
	for sp.srv.ctx.Err() == nil {
		sp.drain()
		sp.giveWay()
		if sp.due() {
			if err := sp.commit(); err != nil {
				sp.failing(err)
			}
		}
		if sp.leaving {
			sp.sayGoodbye()
		}
		more := sp.feed()
		if !more && !sp.due() && (len(sp.events)+len(sp.verdicts()) == 0 || len(sp.subs) >= subsPerGroup) {
			return
		}
	}
}

func (sp *space) interval() time.Duration {
	if len(sp.peers) > 0 || len(sp.held) > 0 {
		return sp.srv.tune.poll
	}
	return sp.srv.tune.pollIdle
}

// look finds out whether other programs wrote, and does what is due now and then.
func (sp *space) look() {
	dirty, err := sp.store.Dirty(sp.srv.ctx)
	if err != nil {
		sp.failing(err)
		return
	}
	sp.dirty = sp.dirty || dirty
	sp.keepUp()
}

// drain takes the events that wait, up to a group's worth.
func (sp *space) drain() {
	for len(sp.subs) < subsPerGroup {
		select {
		case ev := <-sp.events:
			sp.handle(ev)
		case r := <-sp.verdicts():
			sp.answered(r)
		default:
			return
		}
	}
}

// due reports whether there is something to commit now.
func (sp *space) due() bool {
	if time.Now().Before(sp.stuckTil) {
		return false
	}
	return len(sp.subs) > 0 || sp.dirty || sp.heldDue()
}

func (sp *space) heldDue() bool { return len(sp.held) > 0 && !time.Now().Before(sp.heldTil) }

// giveWay leaves the file's lock free for other programs once it was held for
// long. Some of them, sqlite3 for one, do not wait for a lock.
func (sp *space) giveWay() {
	t := &sp.srv.tune
	if time.Since(sp.freed) >= t.free {
		sp.since = time.Now()
		return
	}
	if time.Since(sp.since) < t.hold {
		return
	}
	time.Sleep(t.free - time.Since(sp.freed))
	sp.since = time.Now()
	sp.drain()
}

// commit judges what waits and tells everyone what came of it.
func (sp *space) commit() error {
	subs := sp.next()
	began := time.Now()
	c, err := sp.hub.Group(sp.srv.ctx, now(), subs, func() bool { return time.Since(began) < sp.srv.tune.hold })
	sp.freed = time.Now()
	if err != nil {
		sp.subs = subs
		return err
	}
	sp.dirty = false
	sp.recovered()
	sp.meter.group(c, time.Since(began))
	sp.giveBack(subs, c)
	sp.publish(c, subs)
	return nil
}

// next takes the submissions of the next group. What a replica sent behind a
// changeset that waits for another try, or for its hook, waits with it.
func (sp *space) next() []hub.Submission {
	subs := sp.subs
	sp.subs = nil
	if sp.heldDue() {
		subs = append(sp.held, subs...)
		sp.held = nil
	}
	subs = sp.hooks.behind(subs)
	if len(sp.held) == 0 {
		return subs
	}
	waits := map[string]bool{}
	for _, s := range sp.held {
		waits[s.Changeset.Replica] = true
	}
	free := subs[:0:0]
	for _, s := range subs {
		if waits[s.Changeset.Replica] {
			sp.held = append(sp.held, s)
		} else {
			free = append(free, s)
		}
	}
	return free
}

// giveBack returns the credit of what was judged and keeps the rest: what
// failed waits, what only lacked time goes first in the next group.
func (sp *space) giveBack(subs []hub.Submission, c *hub.Commit) {
	again := map[tidemark.Name]bool{}
	failed := false
	var trips []*peer
	for _, s := range c.Retry {
		again[s.Changeset.Name] = true
		err := c.Failed(s)
		if err == nil {
			sp.subs = append(sp.subs, s)
			continue
		}
		if errors.Is(err, hub.ErrWait) {
			sp.hooks.await(s)
			continue
		}
		failed = true
		if p := sp.owners[s.Session]; p != nil && p.trip != nil && errors.Is(err, errHook) {
			trips = append(trips, p)
		}
		sp.held = append(sp.held, s)
		sp.log.Warn("changeset cannot be applied now", "replica", s.Changeset.Replica, "n", s.Changeset.N, "error", err)
	}
	if failed {
		sp.meter.retries.Inc()
		sp.heldPause = longer(sp.heldPause, sp.srv.tune.retry)
		sp.heldTil = time.Now().Add(sp.heldPause)
	} else if len(sp.held) == 0 && sp.hooks.idle() {
		sp.heldPause = 0
	}
	for _, s := range subs {
		if again[s.Changeset.Name] {
			continue
		}
		sp.hooks.judged(s.Changeset.Name)
		if p := sp.owners[s.Session]; p != nil {
			p.credit.give(len(s.Changeset.Body))
			p.open--
		}
	}
	for _, p := range trips {
		if sp.peers[p] { // it may have had several
			sp.end(p, &wire.Refusal{
				Code: tidemark.CodeBusy, Retry: sp.heldPause.Milliseconds(),
				Message: "the server's hook cannot judge now: what was sent keeps waiting in the replica",
			})
		}
	}
}

// longer doubles a pause, up to half a minute.
func longer(pause, first time.Duration) time.Duration {
	return min(max(2*pause, first), 30*time.Second)
}

// failing notes that the store does not work. Everything waits and is tried again.
func (sp *space) failing(err error) {
	if sp.srv.ctx.Err() != nil {
		return
	}
	sp.stuckPause = longer(sp.stuckPause, sp.srv.tune.retry)
	sp.stuckTil = time.Now().Add(sp.stuckPause)
	sp.meter.failures.Inc()
	if was := sp.broken.Swap(&err); was == nil || (*was).Error() != err.Error() {
		sp.log.Error("the store fails, trying again", "error", err, "hint", tidemark.HintOf(err))
		sp.tell(Event{Kind: EventFailing, Err: err})
	}
}

func (sp *space) recovered() {
	sp.stuckPause = 0
	if sp.broken.Swap(nil) != nil {
		sp.log.Info("the store works again")
	}
}

// publish delivers a commit to the sessions that it concerns: all of them,
// where no scopes are declared. subs is what was handed to it.
func (sp *space) publish(c *hub.Commit, subs []hub.Submission) {
	st := sp.hub.State()
	sp.scoped.Store(c.Scoped)
	sp.state.Store(&st)
	sp.announce(c)
	shared := sharing{}
	list, all := c.Concerns()
	if all {
		for p := range sp.peers {
			sp.deliver(p, c, shared)
		}
		return
	}
	for _, s := range list {
		if p := sp.owners[s]; p != nil {
			sp.deliver(p, c, shared)
		}
	}
	for _, s := range subs {
		if p := sp.owners[s.Session]; p != nil {
			sp.settle(p) // a round trip may have waited for just this
		}
	}
}

func (sp *space) deliver(p *peer, c *hub.Commit, shared sharing) {
	if p.outbox.room() {
		p.put(p.session.Deliver(c), shared)
	} else {
		p.put(p.session.Answers(c), nil)
	}
	sp.settle(p)
}

// settle looks what is next for a peer: more to send, or the end of a round trip.
func (sp *space) settle(p *peer) {
	if p.session.GrantsMoved() {
		sp.present.grant(p)
	}
	if p.session.Behind() {
		sp.behind[p] = true
		return
	}
	delete(sp.behind, p)
	if p.trip != nil && p.trip.complete(p) {
		p.outbox.finish()
	}
}

// feed brings each session that is behind and has room one step further, and
// reports whether there is more to do at once.
func (sp *space) feed() (more bool) {
	for p := range sp.behind {
		if !p.outbox.room() {
			continue // its writer wakes the loop
		}
		if p.trip != nil && p.trip.full(p) {
			delete(sp.behind, p)
			p.outbox.finish() // it comes again from where this ended
			continue
		}
		down, err := p.session.Next(sp.srv.ctx)
		if tidemark.CodeOf(err) == tidemark.CodeBusy {
			sp.dirty = true // commit first; without it there is nothing to read
			return false
		}
		if err != nil {
			sp.log.Error("catching up fails", "replica", p.session.Replica(), "error", err)
			sp.end(p, &wire.Refusal{Code: tidemark.CodeInternal, Message: "the server cannot read the space now"})
			continue
		}
		sp.meter.chunks.Inc()
		p.put(down, nil)
		sp.settle(p)
		more = more || sp.behind[p]
	}
	return more
}
