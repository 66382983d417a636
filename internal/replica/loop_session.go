package replica

import (
	"fmt"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/planted"
	"github.com/tidemarkdb/tidemark/internal/wire"
)

func skip(*Loop, int64, Event) error { return nil }

// drop closes a connection that came when it was no longer wanted.
func drop(l *Loop, _ int64, _ Event) error {
	l.do(Close{})
	return nil
}

func dial(l *Loop, _ int64, _ Event) error {
	l.enter(Dialing, l.opts.Patience)
	l.do(Dial{})
	return nil
}

// greet seals first: what is pushed later must be durable, and a changeset
// that was made under the old identity must get its number under it.
func greet(l *Loop, now int64, _ Event) error {
	n, err := l.e.Seal(now)
	if err != nil {
		return err
	}
	h, err := l.e.Hello()
	if err != nil {
		return err
	}
	l.told, h.Clock = h.Ask, now
	l.resetSession(h.Seq)
	if l.fresh {
		h.Seq, h.Term, h.Sum, h.Staged = 0, "", 0, ""
	}
	l.enter(Greeting, l.opts.Patience)
	l.noteSealed(n)
	l.send(h)
	return nil
}

func (l *Loop) resetSession(seq tidemark.Seq) {
	l.seq, l.head = seq, seq
	l.staging = false
	l.flight, l.unsent = 0, true
	if !planted.Is(planted.PushOnceOnly) {
		l.sent = 0
	}
	clear(l.flying)
	l.held = nil
	l.dropCheck()
}

func (l *Loop) noteSealed(n int) {
	if n > 0 {
		l.notify(Note{Sealed: n})
	}
}

// welcome begins the live part of a session. The Ack proves to the server that
// the new ticket is stored.
func welcome(l *Loop, now int64, ev Event) error {
	w := ev.(Received).Msg.(*wire.Welcome)
	h, err := l.e.Hello()
	if err != nil {
		return err
	}
	if h.Replica != "" && h.Replica != w.Replica {
		// The answer to an earlier Hello, or to another's: what is pending may
		// have been sent under the name that this replica has.
		return l.anew(tidemark.CodeProtocol, "the server greets another replica")
	}
	news, err := l.e.Welcome(w, now)
	if err != nil {
		return err
	}
	if err := l.rescoped(news, w.Ask); err != nil {
		return err
	}
	if h, err = l.e.Hello(); err != nil {
		return err
	}
	st, err := l.e.Status()
	if err != nil {
		return err
	}
	l.seq, l.head, l.limits = h.Seq, max(w.Head, h.Seq), w.Limits
	switch {
	case w.Resync || l.fresh || st.Repair == resyncReason: // the last: begun in an earlier session
		l.want(tidemark.CodeRecovered)
	case st.Repair != "" && l.checkFailures < checkTries:
		l.want(tidemark.CodeUncaptured)
	}
	l.fresh, l.welcomed = false, now
	l.send(&wire.Ack{Seq: l.seq})
	if err := l.rewant(); err != nil {
		return err
	}
	return l.decide(now, true)
}

// renew is a welcome in the middle of a session: over plain HTTP every round
// trip greets anew. Only ticket and head are news.
func renew(l *Loop, now int64, ev Event) error {
	w := ev.(Received).Msg.(*wire.Welcome)
	news, err := l.e.Welcome(w, now)
	if err != nil {
		return err
	}
	if err := l.rescoped(news, w.Ask); err != nil {
		return err
	}
	l.head, l.limits = max(l.head, w.Head), w.Limits
	// A round trip that brings nothing else must not wind the timer up for ever.
	return l.decide(now, l.state == Idle)
}

func schema(l *Loop, now int64, ev Event) error {
	news, err := l.e.SaveSchema(ev.(Received).Msg.(*wire.Schema), now)
	if err != nil {
		return err
	}
	if err := l.reached(news); err != nil {
		return err
	}
	return l.decide(now, true)
}

// early takes over the blocks of ids that come in front of Welcome.
func early(l *Loop, now int64, ev Event) error {
	return l.e.Lease(ev.(Received).Msg.(*wire.Leases), now)
}

// blocks takes over blocks of ids. They prove nothing about what else is to come.
func blocks(l *Loop, now int64, ev Event) error {
	if err := early(l, now, ev); err != nil {
		return err
	}
	return l.decide(now, l.state == Idle)
}

// outcomes frees the window at once, but an outcome settles only together with
// the confirmed rows of its seq.
func outcomes(l *Loop, now int64, ev Event) error {
	for _, o := range ev.(Received).Msg.(*wire.Outcomes).List {
		l.flight -= l.flying[o.N]
		delete(l.flying, o.N)
		l.unsent = true
		l.hold(o)
	}
	if ready := l.due(l.seq); len(ready) > 0 {
		a, err := l.e.Settle(ready, now)
		if err != nil {
			return err
		}
		l.applied(a)
	}
	return l.decide(now, true)
}

// hold keeps an outcome; one that was told twice is kept once.
func (l *Loop) hold(o tidemark.Outcome) {
	for i := range l.held {
		if l.held[i].Name == o.Name {
			l.held[i] = o
			return
		}
	}
	l.held = append(l.held, o)
}

// batch follows the server. What is behind us came twice; what begins ahead of
// us means that something is missing, and only a new session gets it back.
func batch(l *Loop, now int64, ev Event) error {
	b := ev.(Received).Msg.(*wire.Batch)
	if b.From != l.seq && !planted.Is(planted.StaleBatch) {
		if b.To <= l.seq {
			return nil
		}
		return l.anew(tidemark.CodeGap, fmt.Sprintf("changes from %d came at checkpoint %d", b.From, l.seq))
	}
	var ready []tidemark.Outcome
	if !b.More {
		ready = l.due(b.To)
	}
	a, err := l.e.Apply(b, ready, now)
	if err != nil {
		return err
	}
	l.head = max(l.head, b.To)
	l.staging = a.Staged
	if a.Staged {
		l.progressed()
		if a.Rows > 0 {
			l.notify(Note{Applied: a})
		}
		l.send(&wire.Ack{Seq: l.seq, Cursor: b.Cursor})
		return l.decide(now, true)
	}
	l.applied(a)
	if l.filling {
		if l.filling, err = l.e.filling(); err != nil {
			return err
		}
	}
	l.unsent = true // applying seals
	l.send(&wire.Ack{Seq: l.seq})
	return l.decide(now, true)
}

func (l *Loop) applied(a *Applied) {
	l.progressed()
	l.seq = max(l.seq, a.Seq)
	if a.Repair != "" && l.fruitless < checkTries {
		l.want(tidemark.CodeUncaptured)
	}
	if a.Repair != "" && l.check != nil {
		l.check.disturbed = true
	}
	l.notify(Note{Applied: a})
}

func local(l *Loop, now int64, _ Event) error {
	n, err := l.e.Seal(now)
	if err != nil {
		return err
	}
	l.noteSealed(n)
	l.unsent = true                    // another process may have sealed, or a rejected one be tried again
	if err := l.rewant(); err != nil { // or have subscribed
		return err
	}
	return l.decide(now, false)
}

// seal keeps the changesets of different moments apart although nobody listens.
func seal(l *Loop, now int64, _ Event) error {
	n, err := l.e.Seal(now)
	l.noteSealed(n)
	return err
}

// decide is called after everything that happens in a live session: it sends
// what can be sent and names what is waited for. A word from the server winds
// the timer up again; a local write does not, or a busy writer would hide a
// silent server.
func (l *Loop) decide(now int64, heard bool) error {
	if l.check == nil && l.wanted && l.seq >= l.head && !l.moving() {
		if err := l.startCheck(now); err != nil {
			return err
		}
	}
	if err := l.push(); err != nil {
		return err
	}
	next := l.waitingFor()
	if next == l.state && !heard {
		return nil
	}
	if next == Idle {
		l.enter(Idle, l.opts.Keepalive)
		return nil
	}
	l.enter(next, l.opts.Patience)
	return nil
}

func (l *Loop) waitingFor() State {
	switch {
	case l.check != nil:
		return Verifying
	case l.seq < l.head || l.moving():
		return CatchingUp
	case len(l.flying) > 0 || len(l.held) > 0:
		return Pushing
	}
	return Idle
}

// push fills the window. A replica that does not know yet what the server
// holds (after a restore) waits with it.
func (l *Loop) push() error {
	if !l.unsent || l.flight >= l.opts.PushBytes || l.check != nil && l.check.code == tidemark.CodeRecovered ||
		l.filling && l.wanted && l.wantCode == tidemark.CodeRecovered {
		return nil
	}
	list, err := l.e.Unsent(l.sent, l.opts.PushBytes-l.flight)
	if err != nil {
		return err
	}
	l.unsent = len(list) > 0
	msgs := make([]wire.Up, 0, len(list))
	for _, p := range list {
		l.sent = max(l.sent, p.N)
		l.withhold(p)
		l.flying[p.N] = len(p.Body) + 1
		l.flight += len(p.Body) + 1
		msgs = append(msgs, p)
	}
	if len(msgs) > 0 {
		l.send(msgs...)
	}
	return nil
}

// frame is room for what a push has beside its body.
const frame = 1 << 10

// withhold takes the body out of a push that the server would only reject for
// its size, or could not even read: by its hash alone it gets its outcome, and
// delays nothing behind it.
func (l *Loop) withhold(p *wire.Push) {
	size := len(p.Body)
	if l.limits.Changeset > 0 && size > l.limits.Changeset || l.limits.Message > 0 && size > l.limits.Message-frame {
		p.Body, p.Hash = nil, p.ContentHash()
	}
}
