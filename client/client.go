// Package client opens a replica: an ordinary SQLite file that an app reads
// and writes at once, and that follows a Tidemark server when it can be reached.
//
//	err := client.Clone(ctx, "http://127.0.0.1:7420/shop", "shop.db", client.CloneOptions{})
//	db, err := client.Open("shop.db", client.Options{})
//	defer db.Close()
//	go db.Run(ctx)
//	_, err = db.Exec(ctx, "UPDATE task SET done = 1 WHERE id = ?", 7)
//
// Reads and writes never wait for the network. Exec and Transaction each make
// one changeset; what other programs write into the file (database/sql, the
// sqlite3 shell, another process with this package) is found and sent as well.
// Sync exchanges everything once, Run keeps doing so. One process at a time
// syncs a file; the others read and write it all the same.
//
// Caveats. The file must not be moved, replaced or copied over while it is
// open: the replica notices and stops with tidemark.CodeFileReplaced, but what
// is written in the moment before goes to the old file. A Transaction holds the
// file's write lock until its function returns, so do nothing slow in it, and
// never call Exec, Transaction or Retry of the same DB from inside.
package client

import (
	"context"
	"crypto/rand"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/lite"
	"github.com/tidemarkdb/tidemark/internal/merge"
	"github.com/tidemarkdb/tidemark/internal/replica"
)

// Agent names this program in the server's logs.
const Agent = "tidemark-go/0.1"

// Options of Open. The zero value works.
type Options struct {
	Server    string        // address instead of the one kept in the file
	Transport string        // "auto" (default), "websocket" or "http"
	Poll      time.Duration // how often foreign writes are looked for; default 50 ms
	Logger    *slog.Logger  // default: none
	HTTP      *http.Client  // default: http.DefaultClient
	OnEvent   func(Event)   // news, in order; must not block
	Token     TokenSource   // who the principal is; default nobody

	// Merge holds functions of custom policies by the names under which the
	// server has them, so that a pending edit looks as the server will decide.
	// Without one the copy shows its own value until the server's word comes.
	Merge map[string]MergeFunc
}

// Event is news from the sync loop: its state, and an outcome, a suspended
// changeset, a conflict, a scope, an error or just the seq that the replica has reached.
// It comes after what it tells of is in the file.
type Event struct {
	State string
	// Outcome is the server's word on a changeset of this replica. When it is merged,
	// Lost names the cells whose value did not survive and Over those where it
	// overwrote a concurrent edit; tm_conflicts has both values. Renumbered
	// names rows that have other keys from now on, old and new.
	Outcome   *tidemark.Outcome
	Suspended *Pending
	Conflict  *Conflict // an edit, of whatever replica, that waits for a decision
	Scope     *ScopeNews
	Left      map[string]int // rows that left the copy and were not deleted, by table; comes behind the Scope that they left with
	Filling   int64          // rows that have come so far of scopes whose rows are not visible yet
	Expiring  time.Time      // the token ends then, and the source has no newer one; Err may say why
	Err       error
	Seq       tidemark.Seq
}

// DB is an open replica. Its methods may be called from several goroutines.
type DB struct {
	path   string
	opts   Options
	log    *slog.Logger
	scoped bool // the space declares scopes; a copy never goes over from one to the other

	engine sync.Mutex // guards r
	r      *replica.Replica

	writer    chan *lite.DB // holds the connection for own writes while it is free
	id        *identity     // belongs to who has the writer
	readers   *readers
	notice    *notice
	watches   *watches
	presences *presences
	ways      ways
	lessee    time.Duration // how long Sync waits for another process that syncs the file

	mu     sync.Mutex
	closed bool
	shell  *shell // the running sync, nil when none
	users  int    // of the running sync
	ended  context.Context
	end    context.CancelCauseFunc // with the reason why nothing may touch the file any more
}

// Open opens a replica file. It does not touch the network.
func Open(path string, o Options) (*DB, error) {
	o = o.withDefaults()
	switch o.Transport {
	case "auto", "websocket", "http":
	default:
		return nil, &tidemark.Error{Code: tidemark.CodeUsage, Op: "open",
			Msg: "there is no transport " + o.Transport, Hint: `use "auto", "websocket" or "http"`}
	}
	path = lite.Resolve(path)
	r, err := replica.Open(path, replica.Options{Rand: rand.Reader, Agent: Agent, Merge: mergeFuncs(o.Merge)})
	if err != nil {
		return nil, err
	}
	scoped := r.Schema().Scoped()
	w, err := openWriter(path, scoped)
	if err != nil {
		_ = r.Close()
		return nil, failure(context.Background(), "open", err)
	}
	id, err := identify(path)
	if err != nil {
		_, _ = w.Close(), r.Close()
		return nil, failure(context.Background(), "open", err)
	}
	db := &DB{
		path: path, opts: o, log: o.Logger, scoped: scoped, r: r, writer: make(chan *lite.DB, 1), id: id,
		readers: newReaders(path), lessee: leasePatience,
	}
	db.writer <- w
	db.ended, db.end = context.WithCancelCause(context.Background())
	db.notice = newNotice(db)
	db.watches = newWatches(db)
	db.presences = newPresences(db)
	return db, nil
}

func (o Options) withDefaults() Options {
	if o.Transport == "" {
		o.Transport = "auto"
	}
	if o.Poll <= 0 {
		o.Poll = 50 * time.Millisecond
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.HTTP == nil {
		o.HTTP = http.DefaultClient
	}
	return o
}

var errClosed = &tidemark.Error{Code: tidemark.CodeUsage, Op: "replica", Msg: "the replica is closed"}

// Close ends a running sync and closes the file. It never deletes anything.
func (db *DB) Close() error {
	db.mu.Lock()
	if db.closed {
		db.mu.Unlock()
		return nil
	}
	db.closed = true
	s := db.shell
	db.mu.Unlock()

	replaced := db.broken()
	db.end(errClosed)
	if s != nil {
		s.stop()
	}
	db.presences.close()
	db.watches.close()
	db.notice.close()
	w := <-db.writer // waits for a running transaction
	err := firstError(leave(w, replaced), db.readers.close(replaced))
	db.engine.Lock()
	defer db.engine.Unlock()
	if replaced != nil {
		db.r.DB().TouchNothing()
	}
	return firstError(err, db.r.Close())
}

func firstError(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// broken returns why the file may not be touched any more, or nil.
func (db *DB) broken() error { return context.Cause(db.ended) }

// Path returns the path given to Open.
func (db *DB) Path() string { return db.path }

// withEngine runs fn alone with the engine.
func (db *DB) withEngine(fn func(r *replica.Replica) error) error {
	db.engine.Lock()
	defer db.engine.Unlock()
	if err := db.broken(); err != nil {
		return err
	}
	return fn(db.r)
}

// Status reads the durable state.
func (db *DB) Status() (st Status, err error) {
	err = db.withEngine(func(r *replica.Replica) error { st, err = r.Status(); return err })
	return st, err
}

// Pending lists changesets without an outcome, with their changes.
func (db *DB) Pending() (list []Pending, err error) {
	err = db.withEngine(func(r *replica.Replica) error { list, err = r.Pending(true); return err })
	return list, err
}

// Rejected lists the kept rejected changesets.
func (db *DB) Rejected() (list []Rejected, err error) {
	err = db.withEngine(func(r *replica.Replica) error { list, err = r.Rejected(); return err })
	return list, err
}

// Schema returns the schema of the synced tables; it must not be changed.
func (db *DB) Schema() (s *tidemark.Schema) {
	_ = db.withEngine(func(r *replica.Replica) error { s = r.Schema(); return nil })
	return s
}

// Retry applies a rejected changeset once more; apart splits it into parts that stand alone.
func (db *DB) Retry(ctx context.Context, id int64, apart bool) (parts int, err error) {
	err = db.retry(ctx, func(r *replica.Replica) error {
		parts, err = r.Retry(id, apart, now())
		return err
	})
	return parts, err
}

// EditAndRetry applies other changes in place of those of a rejected changeset,
// as one new changeset, and drops the record. Take Rejected.Changes, correct what
// the reason names, and pass them on: tables and columns are named by their places in
// Schema. What a constraint refuses, or does not fit the tables, changes nothing.
func (db *DB) EditAndRetry(ctx context.Context, id int64, changes []tidemark.Change) error {
	return db.retry(ctx, func(r *replica.Replica) error {
		_, err := r.EditAndRetry(id, changes, now())
		return err
	})
}

// ReplaceAndRetry is EditAndRetry with the changeset's own changes, in which some values are others.
func (db *DB) ReplaceAndRetry(ctx context.Context, id int64, values ...Replacement) error {
	return db.retry(ctx, func(r *replica.Replica) error {
		_, err := r.ReplaceAndRetry(id, values, now())
		return err
	})
}

func (db *DB) retry(ctx context.Context, fn func(*replica.Replica) error) error {
	err := db.withEngine(func(r *replica.Replica) error {
		defer interruptible(ctx, r.DB())()
		return fn(r)
	})
	if err == nil {
		db.notice.poke()
	}
	return err
}

// Discard disposes of a rejected changeset.
func (db *DB) Discard(ctx context.Context, id int64) error {
	return db.withEngine(func(r *replica.Replica) error {
		defer interruptible(ctx, r.DB())()
		return r.Discard(id)
	})
}

// Undo takes back what the newest changeset of this copy did that was not
// undone yet, whether it was accepted or is pending: an ordinary changeset that does the
// inverse. What somebody touched since stays, and Undone.Left tells of it; a counter is
// counted back whoever counted meanwhile. It fails with tidemark.CodeNotFound when there is
// nothing to undo. The newest 100 changesets are kept for it.
//
// The app's triggers do not fire: what they did the first time is taken back with the rest.
func (db *DB) Undo(ctx context.Context) (*Undone, error) {
	return db.reverse(ctx, (*replica.Replica).Undo)
}

// Redo takes back the last Undo, in the same way. What is written after an
// Undo ends what can be redone.
func (db *DB) Redo(ctx context.Context) (*Undone, error) {
	return db.reverse(ctx, (*replica.Replica).Redo)
}

func (db *DB) reverse(ctx context.Context, step func(*replica.Replica, int64) (*Undone, error)) (u *Undone, err error) {
	err = db.withEngine(func(r *replica.Replica) error {
		defer interruptible(ctx, r.DB())()
		u, err = step(r, now())
		return err
	})
	if err != nil {
		return nil, err
	}
	db.notice.poke()
	return u, nil
}

func mergeFuncs(funcs map[string]MergeFunc) map[string]merge.Func {
	out := make(map[string]merge.Func, len(funcs))
	for name, f := range funcs {
		out[name] = f
	}
	return out
}

// interruptible lets ctx end statements of the connection until the returned
// function is called.
func interruptible(ctx context.Context, db *lite.DB) func() {
	old := db.SetContext(ctx)
	return func() { db.SetContext(old) }
}

func now() int64 { return time.Now().UnixMilli() }
