package client

import (
	"context"
	"crypto/rand"
	"errors"
	"sync"
	"time"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/replica"
	"github.com/tidemarkdb/tidemark/internal/wire"
)

// keepalive is how long an idle loop goes without a new session. A socket is
// watched by pings, so this only heals what nobody thought of.
const keepalive = 30 * time.Minute

// shell runs the sync loop: it gives it the events of network, clock and file
// and does what it asks for. All of its fields but those below mu belong to
// its one goroutine.
type shell struct {
	db   *DB
	addr *address
	loop *replica.Loop
	ctx  context.Context
	quit context.CancelFunc
	wg   sync.WaitGroup // goroutines of links
	done chan struct{}  // closed when the shell has ended
	err  error          // why it ended by itself; read after done

	in    chan any // linkEvent, dialed, tripOver, restOver, renewal
	asks  chan ask
	timer *time.Timer
	lease *lease
	told  tidemark.Seq // conflicts up to here are no news
	pass  *passport

	filling int64 // rows that have come of scopes that fill

	link     link
	greeted  bool            // presence was told that there is a session
	linkCtx  context.Context // ends with the link
	dropLink context.CancelFunc

	mu      sync.Mutex
	state   string
	waiters map[*waiter]bool
}

// ask is an event from the API; done is closed when the loop has taken it.
type ask struct {
	ev   replica.Event
	done chan struct{}
}

type linkEvent struct {
	of context.Context // the link's
	ev replica.Event
}

// dialed is the end of an attempt to connect.
type dialed struct {
	of    context.Context
	link  link
	token string // under which
	err   error
}

// firstLook is the first pause between two looks whether the lease can be had.
const firstLook = 10 * time.Millisecond

// waiting is the state before the lease is had.
const waiting = "waiting"

func newShell(db *DB, addr *address) *shell {
	s := &shell{
		db: db, addr: addr, done: make(chan struct{}), in: make(chan any), asks: make(chan ask),
		timer: time.NewTimer(time.Hour), lease: newLease(db.path), state: waiting, waiters: map[*waiter]bool{},
		pass: newPassport(),
	}
	s.timer.Stop()
	s.ctx, s.quit = context.WithCancel(db.ended)
	s.loop = replica.NewLoop(db.r, replica.LoopOptions{Rand: rand.Reader, Keepalive: keepalive})
	return s
}

// stop ends the shell and waits for it.
func (s *shell) stop() {
	s.quit()
	<-s.done
}

func (s *shell) run() {
	defer close(s.done)
	defer s.quit()
	defer s.lease.release()
	if s.err = s.waitForLease(); s.err != nil {
		return
	}
	if st, err := s.db.Status(); err == nil {
		s.told = st.Seq
	}
	news := make(chan news, 1)
	if s.err = s.db.notice.join(news); s.err != nil {
		return
	}
	defer s.db.notice.leave(news)
	defer func() {
		s.quit() // also when serve panics: links end with the shell's context
		s.wg.Wait()
	}()
	s.err = s.serve(news)
}

// waitForLease returns when this process may sync, or an error when it never will.
func (s *shell) waitForLease() error {
	for pause := firstLook; ; pause = min(2*pause, 250*time.Millisecond) {
		ok, err := s.lease.try()
		if err != nil {
			return &tidemark.Error{Code: tidemark.CodeReadOnly, Op: "sync", Err: err, Msg: "the lock file " + s.db.path + LockSuffix + " cannot be used"}
		}
		if ok {
			s.publish(replica.Note{}, replica.Offline.String())
			return s.db.withEngine(func(r *replica.Replica) error {
				_, err := r.TakeFence()
				return err
			})
		}
		s.publish(replica.Note{}, waiting)
		if pause == firstLook {
			s.db.presences.gone(s.lease.held(), false)
		}
		select {
		case <-s.ctx.Done():
			return s.db.broken()
		case a := <-s.asks:
			close(a.done)
		case <-time.After(pause):
		}
	}
}

// serve is the shell's loop. It returns the error of a file that cannot be
// synced any more, or nil when the shell was told to stop.
func (s *shell) serve(news <-chan news) error {
	err := s.step(replica.Start{})
	for err == nil {
		select {
		case <-s.ctx.Done():
			s.hangUp()
			return s.db.broken()
		case n := <-news:
			if n.local {
				err = s.step(replica.Local{})
			}
		case a := <-s.asks:
			err = s.step(a.ev)
			close(a.done)
		case <-s.db.presences.bell:
			s.speak()
		case <-s.timer.C:
			err = s.step(replica.Tick{})
		case <-s.pass.timer.C:
			s.askToken()
		case m := <-s.in:
			err = s.take(m)
		}
	}
	s.hangUp()
	return err
}

// hangUp closes the link without a word to the file, which may be gone.
func (s *shell) hangUp() {
	s.takeLeave()
	s.unlink()
	s.timer.Stop()
	s.pass.timer.Stop()
	s.publish(replica.Note{}, replica.Offline.String())
}

// take handles what links and attempts to connect report. What comes from a
// link that was given up is dropped.
func (s *shell) take(m any) error {
	switch m := m.(type) {
	case linkEvent:
		if m.of != s.linkCtx {
			return nil
		}
		if got, is := m.ev.(replica.Received); is && s.hear(got.Msg) {
			return nil
		}
		return s.attend(m.ev)
	case dialed:
		switch {
		case m.of != s.linkCtx:
			if m.link != nil {
				m.link.close()
			}
		case m.err != nil:
			s.pass.text = m.token
			return s.step(replica.Disconnected{Err: m.err})
		default:
			s.link, s.pass.text = m.link, m.token
			return s.step(replica.Connected{})
		}
	case tripOver:
		m.l.ended(m)
	case restOver:
		m.l.next()
	case renewal:
		return s.renewed(m)
	}
	return nil
}

// step gives the loop an event and does what it asks for.
func (s *shell) step(ev replica.Event) error {
	var effects []replica.Effect
	before := s.loop.State()
	err := s.db.withEngine(func(*replica.Replica) (err error) {
		effects, err = s.loop.Step(now(), ev)
		return err
	})
	for _, e := range effects {
		s.do(e)
	}
	s.watchAuth(before)
	s.stepped()
	if err == nil {
		return nil
	}
	if hopeless(err) {
		return err
	}
	s.db.log.Warn("the file cannot be synced now", "error", err)
	return nil
}

func live(st replica.State) bool {
	return st == replica.CatchingUp || st == replica.Pushing || st == replica.Idle || st == replica.Verifying
}

// hopeless tells errors of the file that waiting does not cure.
func hopeless(err error) bool {
	switch tidemark.CodeOf(err) {
	case tidemark.CodeCorrupt, tidemark.CodeNotSQLite, tidemark.CodeReadOnly, tidemark.CodeFileReplaced,
		tidemark.CodeNewerFormat, tidemark.CodeWrongRole, tidemark.CodeNotAdopted:
		return true
	}
	return errors.Is(err, errClosed)
}

func (s *shell) do(e replica.Effect) {
	switch e := e.(type) {
	case replica.Dial:
		s.dial()
	case replica.Send:
		if s.link != nil {
			s.link.send(e.Msgs)
		}
	case replica.Close:
		s.unlink()
	case replica.SetTimer:
		s.timer.Stop()
		if e.After > 0 {
			s.timer.Reset(e.After)
		}
	case replica.Notify:
		if err := e.Note.Err; err != nil {
			s.db.presences.gone(err, e.Note.State == replica.Stopped || e.Note.State == replica.AuthNeeded)
		}
		s.publish(e.Note, e.Note.State.String())
		s.lease.tell(live(e.Note.State))
	}
}

func (s *shell) dial() {
	s.unlink()
	ctx, cancel := context.WithCancel(s.ctx)
	s.linkCtx, s.dropLink = ctx, cancel
	out := func(ev replica.Event) bool { return s.tell(ctx, linkEvent{ctx, ev}) }
	s.wg.Go(func() {
		text, err := s.db.token(ctx)
		var l link
		if err == nil {
			l, err = s.connect(ctx, out, text)
		}
		if !s.tell(ctx, dialed{ctx, l, text, err}) && l != nil {
			l.close()
		}
	})
}

func (s *shell) unlink() {
	if s.dropLink != nil {
		s.dropLink()
	}
	if s.link != nil {
		s.link.close()
	}
	s.pass.timer.Stop()
	s.pass.ends = time.Time{}
	s.link, s.linkCtx, s.dropLink = nil, nil, nil
	if s.greeted {
		s.greeted = false
		s.db.presences.gone(errNoSession, false)
	}
}

// tell passes something to the shell's goroutine, unless the link that it is
// about is given up first.
func (s *shell) tell(ctx context.Context, m any) bool {
	select {
	case s.in <- m:
		return true
	case <-ctx.Done():
		return false
	}
}

// later runs fn, which may call tell, beside the shell's goroutine.
func (s *shell) later(fn func()) { s.wg.Go(fn) }

// after tells m to the shell after a pause.
func (s *shell) after(d time.Duration, ctx context.Context, m any) {
	s.wg.Go(func() {
		select {
		case <-time.After(d):
			s.tell(ctx, m)
		case <-ctx.Done():
		}
	})
}

func (s *shell) hello() (h *wire.Hello, err error) {
	err = s.db.withEngine(func(r *replica.Replica) error { h, err = r.Hello(); return err })
	return h, err
}

// ask gives the loop an event from outside and returns when it was taken.
func (s *shell) ask(ctx context.Context, ev replica.Event) error {
	a := ask{ev, make(chan struct{})}
	select {
	case s.asks <- a:
	case <-ctx.Done():
		return ctx.Err()
	case <-s.done:
		return s.ending()
	}
	select {
	case <-a.done:
		return nil
	case <-s.done:
		return s.ending()
	}
}

// ending is why the shell ended, for those who still need it.
func (s *shell) ending() error { return firstError(s.err, s.db.broken(), errClosed) }
