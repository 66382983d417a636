package client

import (
	"context"
	"time"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/replica"
)

const (
	maxAttempts   = 3                // failures in a row after which Sync says that it is offline
	leasePatience = 10 * time.Second // how long Sync waits for another process that syncs the file
	scrubEvery    = 24 * time.Hour   // how often Run compares all rows with the server
)

// SyncResult says how a Sync ended.
type SyncResult struct {
	Seq      tidemark.Seq       `json:"seq"`
	Settled  []tidemark.Outcome `json:"-"`
	Accepted int                `json:"accepted"`
	Merged   int                `json:"merged"` // accepted, but some value lost or overwrote a concurrent one
	Rejected int                `json:"rejected"`
	Rows     int                `json:"rows"` // that the server told of: new, changed or gone; those of own changesets come back
	Scopes   []ScopeNews        `json:"-"`    // what happened to the copy's scopes, in order
	Left     map[string]int     `json:"-"`    // rows that left the copy and were not deleted, by table; with lost scopes or for others
}

// Sync pushes what is pending, pulls what is new and returns when everything
// is settled. When the server cannot be reached it fails with
// tidemark.CodeOffline, and everything written stays pending. While another
// process syncs the file, Sync waits for that one to settle everything and
// fails with tidemark.CodeBusy when it does not. The result tells what was
// done even when there is an error.
func (db *DB) Sync(ctx context.Context) (*SyncResult, error) {
	s, done, err := db.borrow()
	if err != nil {
		return nil, err
	}
	defer done()
	w := s.listen()
	defer s.deafen(w)
	err = s.settle(ctx, w)
	res := w.result()
	if st, serr := db.Status(); serr == nil {
		res.Seq = st.Seq
	}
	return res, err
}

// Run keeps the replica in sync until ctx ends, and returns nil then. It fails
// only when coming back will not help: another server, a damaged or replaced
// file; no permission, too, unless Options.Token may bring a better token:
// then Run waits for it. Pending changesets stay.
func (db *DB) Run(ctx context.Context) error {
	s, done, err := db.borrow()
	if err != nil {
		return err
	}
	defer done()
	w := s.listen()
	defer s.deafen(w)
	w.forever = true
	stop := make(chan struct{})
	defer close(stop)
	go s.scrub(stop)
	err = w.wait(ctx, func() (bool, error) { return false, nil })
	if ctx.Err() != nil {
		return nil
	}
	return err
}

// scrub asks for a comparison of all rows now and then.
func (s *shell) scrub(stop <-chan struct{}) {
	t := time.NewTicker(scrubEvery)
	defer t.Stop()
	for {
		select {
		case <-t.C:
			_ = s.ask(s.ctx, replica.Verify{})
		case <-stop:
			return
		case <-s.done:
			return
		}
	}
}

// Verify reads every row on both sides, repairs and reports. It takes as long as
// the server answers; where it does not, or where the comparison breaks off three
// times, Verify fails with tidemark.CodeOffline.
func (db *DB) Verify(ctx context.Context) (*VerifyReport, error) {
	s, done, err := db.borrow()
	if err != nil {
		return nil, err
	}
	defer done()
	w := s.listen()
	defer s.deafen(w)
	// First settle: rows of a half finished exchange need no explaining.
	if err := s.settle(ctx, w); err != nil {
		return nil, err
	}
	if w.stateNow() == waiting {
		return nil, newLease(db.path).held()
	}
	w.forget()
	if err := s.ask(ctx, replica.Verify{}); err != nil {
		return nil, err
	}
	err = w.wait(ctx, w.compared)
	return w.report(), err
}

// borrow returns the running shell, or starts one. done gives it back; the
// last one to do so ends it.
func (db *DB) borrow() (s *shell, done func(), err error) {
	addr, err := db.address()
	if err != nil {
		return nil, nil, err
	}
	db.mu.Lock()
	defer db.mu.Unlock()
	if db.closed {
		return nil, nil, errClosed
	}
	if err := db.broken(); err != nil {
		return nil, nil, err
	}
	if db.shell == nil || db.shell.over() {
		db.shell, db.users = newShell(db, addr), 0
		go db.shell.run()
	}
	s = db.shell
	db.users++
	return s, func() { db.giveBack(s) }, nil
}

func (db *DB) giveBack(s *shell) {
	db.mu.Lock()
	last := false
	if db.shell == s {
		if db.users--; db.users == 0 {
			last, db.shell = true, nil
		}
	}
	db.mu.Unlock()
	if last {
		s.stop()
	}
}

func (s *shell) over() bool {
	select {
	case <-s.done:
		return true
	default:
		return s.ctx.Err() != nil
	}
}

func (db *DB) address() (*address, error) {
	server := db.opts.Server
	if server == "" {
		st, err := db.Status()
		if err != nil {
			return nil, err
		}
		server = st.Server
	}
	if server == "" {
		return nil, &tidemark.Error{Code: tidemark.CodeUsage, Op: "sync",
			Msg: "the file does not say where its server is", Hint: "give the address of the space"}
	}
	return parseAddress(server)
}

// nudge makes the loop go on now: dial if it pauses, look for local writes.
func (s *shell) nudge(ctx context.Context) error {
	if err := s.ask(ctx, replica.Start{}); err != nil {
		return err
	}
	return s.ask(ctx, replica.Local{})
}

// settle exchanges everything that there is.
func (s *shell) settle(ctx context.Context, w *waiter) error {
	if err := s.nudge(ctx); err != nil {
		return err
	}
	return w.wait(ctx, func() (bool, error) { return w.settled(ctx) })
}
