package client

import (
	"context"
	"sync"
	"time"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/replica"
)

// waiter is somebody who waits for the shell in Sync, Verify or Run. It hears
// every note and is woken after every step.
type waiter struct {
	s       *shell
	began   time.Time
	wake    chan struct{}
	forever bool // passing failures do not end the wait

	mu       sync.Mutex
	state    string
	res      SyncResult
	verified *replica.VerifyReport
	differed int // rows that comparisons repaired, with those before the newest
	saved    int // records that they made of them
	failures int
	last     *tidemark.Error // the last failure
	final    bool            // coming back will not cure it
}

func (s *shell) listen() *waiter {
	s.mu.Lock()
	defer s.mu.Unlock()
	w := &waiter{s: s, began: time.Now(), wake: make(chan struct{}, 1), state: s.state}
	s.waiters[w] = true
	return w
}

func (s *shell) deafen(w *waiter) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.waiters, w)
}

// stepped wakes everybody who waits.
func (s *shell) stepped() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for w := range s.waiters {
		select {
		case w.wake <- struct{}{}:
		default:
		}
	}
}

func (w *waiter) hear(n replica.Note, left map[string]int, state string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.state = state
	if a := n.Applied; a != nil {
		w.res.Rows += a.Rows
		if !a.Staged {
			w.failures = 0
			w.res.add(a, left)
		}
	}
	if v := n.Verify; v != nil {
		w.verified = v
		w.differed += v.Differed
		w.saved += v.Saved
	}
	if n.Err != nil {
		w.last = n.Err
		w.failures++
		// Who waits for ever waits for a new token, too, where one may come.
		w.final = n.State == replica.Stopped || n.State == replica.AuthNeeded && !(w.forever && w.s.db.opts.Token != nil)
	}
}

func (r *SyncResult) add(a *replica.Applied, left map[string]int) {
	r.Seq = max(r.Seq, a.Seq)
	r.Settled = append(r.Settled, a.Settled...)
	r.Scopes = append(r.Scopes, a.Scopes...)
	for table, n := range left {
		if r.Left == nil {
			r.Left = map[string]int{}
		}
		r.Left[table] += n
	}
	for _, o := range a.Settled {
		switch o.Kind {
		case tidemark.Accepted:
			r.Accepted++
		case tidemark.Merged:
			r.Merged++
		case tidemark.Rejected:
			r.Rejected++
		}
	}
}

func (w *waiter) result() *SyncResult {
	w.mu.Lock()
	defer w.mu.Unlock()
	res := w.res
	return &res
}

// compared reports whether a verification has ended. One that breaks off is begun
// anew in the next session, but not for ever: a loop that rests and has not
// reported has given it up.
func (w *waiter) compared() (bool, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.verified != nil || w.state != replica.Idle.String() {
		return w.verified != nil, nil
	}
	e := &tidemark.Error{Code: tidemark.CodeOffline, Op: "verify", Msg: "the comparison broke off again and again",
		Hint: "nothing is lost: verify again when the connection to the server holds"}
	if w.last != nil {
		e.Err = w.last
	}
	return false, e
}

// report is the newest comparison's, with what those before it repaired: a
// session makes one of its own when triggers of capture were gone.
func (w *waiter) report() *replica.VerifyReport {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.verified == nil {
		return nil
	}
	r := *w.verified
	r.Differed, r.Saved = w.differed, w.saved
	return &r
}

func (w *waiter) forget() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.verified = nil
}

func (w *waiter) stateNow() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.state
}

// wait returns when ok says so, when there is no hope, or when ctx ends. The
// ticker is for what other processes do to the file.
func (w *waiter) wait(ctx context.Context, ok func() (bool, error)) error {
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		if done, err := ok(); done || err != nil {
			return err
		}
		if err := w.hopeless(); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-w.s.done:
			return w.s.ending()
		case <-w.wake:
		case <-tick.C:
		}
	}
}

// hopeless returns the error to give up with, if it is time to.
func (w *waiter) hopeless() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case w.last == nil:
		return nil
	case w.final:
		return w.last
	case w.forever:
		return nil
	case w.last.Code == tidemark.CodeNoSpace || w.last.Code == tidemark.CodeUsage || w.last.Code == tidemark.CodeTooLarge:
		return w.last
	case w.failures < maxAttempts:
		return nil
	case w.last.Code == tidemark.CodeOffline:
		return w.last
	}
	// Whatever it is, from here the server cannot be synced with now.
	return &tidemark.Error{Code: tidemark.CodeOffline, Op: "sync", Err: w.last,
		Hint: tidemark.HintOf(w.last)}
}

// settled reports whether everything has its outcome and the replica is at the
// head. While another process syncs, the file tells, and the holder's word
// that it has a session.
func (w *waiter) settled(ctx context.Context) (bool, error) {
	state := w.stateNow()
	if state == waiting {
		return w.settledByHolder()
	}
	if state != replica.Idle.String() {
		return false, nil
	}
	st, err := w.s.db.Status()
	if err != nil {
		return false, err
	}
	if st.Unsealed {
		return false, w.s.ask(ctx, replica.Local{})
	}
	return allSettled(st), nil
}

func (w *waiter) settledByHolder() (bool, error) {
	l := newLease(w.s.db.path)
	if time.Since(w.began) > w.s.db.lessee {
		return false, l.held()
	}
	if !l.holder().Live {
		return false, nil
	}
	st, err := w.s.db.Status()
	return err == nil && !st.Unsealed && allSettled(st), err
}

func allSettled(st replica.Status) bool {
	return st.Pending == 0 && st.Staged == 0 && !st.Unasked && st.Filling == 0 && st.Stopped == "" && st.Seq >= st.Head
}
