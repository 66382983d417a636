package replica

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/planted"
	"github.com/tidemarkdb/tidemark/internal/wire"
)

// maxAgain is how often a session may begin anew at once, without a pause and
// without progress, before it counts as a failure.
const maxAgain = 3

// maxTold bounds how long a server, or what stands before it, can keep us away.
const maxTold = 10 * time.Minute

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
	if err := l.e.Welcome(w, now); err != nil {
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
	return l.decide(now, true)
}

// renew is a welcome in the middle of a session: over plain HTTP every round
// trip greets anew. Only ticket and head are news.
func renew(l *Loop, now int64, ev Event) error {
	w := ev.(Received).Msg.(*wire.Welcome)
	if err := l.e.Welcome(w, now); err != nil {
		return err
	}
	l.head, l.limits = max(l.head, w.Head), w.Limits
	// A round trip that brings nothing else must not wind the timer up for ever.
	return l.decide(now, l.state == Idle)
}

func schema(l *Loop, now int64, ev Event) error {
	if err := l.e.SaveSchema(ev.(Received).Msg.(*wire.Schema)); err != nil {
		return err
	}
	return l.decide(now, true)
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
	if b.From != l.seq {
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
		l.send(&wire.Ack{Seq: l.seq, Cursor: b.Cursor})
		return l.decide(now, true)
	}
	l.applied(a)
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
	l.notify(Note{Applied: a})
}

func local(l *Loop, now int64, _ Event) error {
	n, err := l.e.Seal(now)
	if err != nil {
		return err
	}
	l.noteSealed(n)
	l.unsent = true // another process may have sealed, or a rejected one be tried again
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
	if l.check == nil && l.wanted && l.seq >= l.head && !l.staging {
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
	case l.seq < l.head || l.staging:
		return CatchingUp
	case len(l.flying) > 0 || len(l.held) > 0:
		return Pushing
	}
	return Idle
}

// push fills the window. A replica that does not know yet what the server
// holds (after a restore) waits with it.
func (l *Loop) push() error {
	if !l.unsent || l.flight >= l.opts.PushBytes || l.check != nil && l.check.code == tidemark.CodeRecovered {
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

// refused sorts refusals by what cures them. None of them touches pending.
func refused(l *Loop, now int64, ev Event) error {
	r := ev.(Received).Msg.(*wire.Refusal)
	why := &tidemark.Error{Code: r.Code, Op: "sync", Msg: r.Message, Hint: r.Hint}
	switch {
	case r.Code == tidemark.CodeForbidden:
		l.end(AuthNeeded, why)
		return nil
	case stops(r.Code):
		l.end(Stopped, why)
		return l.e.Stop(r.Code)
	case r.Code == tidemark.CodeFork:
		if err := l.e.Reidentify(); err != nil {
			return err
		}
		return l.anew(r.Code, r.Message)
	case r.Code == tidemark.CodeRestored:
		l.fresh = true
		return l.anew(r.Code, r.Message)
	case r.Code == tidemark.CodeGap:
		return l.anew(r.Code, r.Message)
	case r.Fatal:
		l.end(Stopped, why)
		return l.e.Stop(r.Code)
	}
	l.backOff(why, min(time.Duration(r.Retry)*time.Millisecond, maxTold))
	return nil
}

// stops says which refusals coming back does not cure, fatal or not: it is
// another server, another space. A message that the server could not read is
// no such case: something in between may have changed it.
func stops(c tidemark.Code) bool {
	return c == tidemark.CodeIncarnation || c == tidemark.CodeWrongSpace
}

// end leaves the network for a state without a timer.
func (l *Loop) end(s State, why *tidemark.Error) {
	l.do(Close{})
	l.enter(s, 0)
	l.notify(Note{Err: why})
}

// anew begins a new session at once, on a new connection, so that nothing of
// the old one can be taken for an answer in the new one.
func (l *Loop) anew(code tidemark.Code, msg string) error {
	l.lasted()
	l.again++
	if l.again > maxAgain {
		l.again = 0
		l.backOff(&tidemark.Error{Code: code, Op: "sync", Msg: msg}, 0)
		return nil
	}
	l.retries++
	l.dropCheck()
	l.do(Close{})
	return dial(l, l.now, nil)
}

// probe asks an idle server for its head by a new session; it heals what a
// broken middlebox swallowed.
func probe(l *Loop, now int64, _ Event) error {
	l.checkFailures, l.fruitless = 0, 0 // a repair that was given up is tried again, at this pace
	l.do(Close{})
	return dial(l, now, nil)
}

func silence(l *Loop, _ int64, _ Event) error {
	l.backOff(&tidemark.Error{
		Code: tidemark.CodeOffline, Op: "sync",
		Msg: "the server did not answer in time (" + l.state.String() + ")",
	}, 0)
	return nil
}

func garbage(l *Loop, _ int64, _ Event) error {
	l.backOff(&tidemark.Error{
		Code: tidemark.CodeProtocol, Op: "sync",
		Msg:  "a message came that is not of the protocol",
		Hint: "something between here and the server may be changing what passes through",
	}, 0)
	return nil
}

// lost is the end of a connection. A transport that was told to authenticate
// says so by the code of its error, and one that was told when to come back by
// a method RetryAfter.
func lost(l *Loop, _ int64, ev Event) error {
	err := ev.(Disconnected).Err
	why := &tidemark.Error{Code: tidemark.CodeOffline, Op: "sync", Err: err, Msg: "the connection to the server is gone"}
	var known *tidemark.Error
	if errors.As(err, &known) {
		why = known
	}
	if why.Code == tidemark.CodeForbidden {
		l.end(AuthNeeded, why)
		return nil
	}
	var told interface{ RetryAfter() time.Duration }
	if errors.As(err, &told) {
		l.backOff(why, min(told.RetryAfter(), maxTold))
		return nil
	}
	l.backOff(why, 0)
	return nil
}

func hangup(l *Loop, _ int64, _ Event) error {
	l.do(Close{})
	l.enter(Offline, 0)
	return nil
}

// backOff closes the connection and waits: what the server asked for, if it
// did, and a random part of a span that doubles with each failure, so that
// many replicas do not come back in step.
func (l *Loop) backOff(why *tidemark.Error, atLeast time.Duration) {
	l.lasted()
	l.do(Close{})
	l.retries++
	l.dropCheck()
	l.enter(Backoff, atLeast+l.jitter())
	if planted.Is(planted.DropRetryTimer) {
		l.out = l.out[:len(l.out)-1]
	}
	l.attempts++
	l.notify(Note{Err: why})
}

func (l *Loop) jitter() time.Duration {
	span := l.opts.MaxDelay
	if l.attempts < 32 {
		span = min(span, l.opts.MinDelay<<l.attempts)
	}
	if span <= 0 {
		span = l.opts.MaxDelay // the shift went over
	}
	var b [8]byte
	if _, err := io.ReadFull(l.opts.Rand, b[:]); err != nil {
		return span
	}
	return max(time.Millisecond, time.Duration(binary.LittleEndian.Uint64(b[:])%uint64(span)))
}

// fileError leaves a session that the local file cannot follow. The states
// without one stay: there is nothing to leave.
func (l *Loop) fileError(err error) {
	if errors.Is(err, ErrMoved) {
		err = &tidemark.Error{Code: tidemark.CodeBusy, Op: "sync", Err: err, Msg: "another process syncs this file"}
	}
	why := &tidemark.Error{Code: tidemark.CodeOf(err), Op: "sync", Err: err}
	var known *tidemark.Error
	if errors.As(err, &known) {
		why = known
	}
	switch l.state {
	case Offline, AuthNeeded, Stopped, Backoff:
		l.notify(Note{Err: why})
	case Greeting:
		if stops(why.Code) { // the Welcome was one of another server
			l.end(Stopped, why)
			_ = l.e.Stop(why.Code)
			return
		}
		l.backOff(why, 0)
	case Dialing, CatchingUp, Pushing, Idle, Verifying:
		l.backOff(why, 0)
	}
}

// dropCheck gives a verification up with its session. It is made again in the
// next one, but not for ever: a server that cannot answer must not keep the
// replica from syncing. After a restore there is no way round it.
func (l *Loop) dropCheck() {
	if l.check == nil {
		return
	}
	l.check = nil
	if l.checkFailures++; l.checkFailures >= checkTries && l.wantCode != tidemark.CodeRecovered {
		l.wanted = false
	}
}
