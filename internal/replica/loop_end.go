package replica

import (
	"encoding/binary"
	"errors"
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

// refused sorts refusals by what cures them. None of them touches pending.
func refused(l *Loop, now int64, ev Event) error {
	r := ev.(Received).Msg.(*wire.Refusal)
	why := &tidemark.Error{Code: r.Code, Op: "sync", Msg: r.Message, Hint: r.Hint}
	switch {
	case needsAuth(r.Code):
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

// needsAuth says which refusals a new token cures: none came or it is not good
// any more, or it is of somebody who may not. Until then coming back is no use.
func needsAuth(c tidemark.Code) bool {
	return c == tidemark.CodeUnauthenticated || c == tidemark.CodeForbidden
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
	if needsAuth(why.Code) {
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
	case Dialing, Greeting, CatchingUp, Pushing, Idle, Verifying:
		switch {
		case l.state == Greeting && stops(why.Code) || errors.Is(err, errOtherKind): // the Welcome was one of another server
			l.end(Stopped, why)
			_ = l.e.Stop(why.Code)
		case needsAuth(why.Code): // the Welcome was one of another principal
			l.end(AuthNeeded, why)
		default:
			l.backOff(why, 0)
		}
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
