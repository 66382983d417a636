// Package sqlite keeps a space in one SQLite file: the app's own tables with
// Tidemark's bookkeeping beside them, in tables whose names begin with _tm_.
//
// Open serves a file, and adopts it first when it is a plain one. Adoption adds
// bookkeeping, capture triggers and the table of conflicts, and touches nothing
// else; Detach takes them off again. A file that an earlier version served is
// given what it lacks. Check says beforehand what Open would do, Doctor says
// whether a served file is sound, Migrate changes its schema in ways that
// capture's triggers would stand against. SetPolicies declares anew, while the
// space is served, how concurrent edits merge, SetRules who may write what,
// SetScopes who may hold what.
//
// # How it works
//
// One connection writes, a few read. On the writing one the file's triggers are
// off: capture and those of the app's triggers that have to act here are made
// anew as TEMP triggers, so that nothing in the file changes for it. What a
// changeset really did, cascades included, is what the TEMP capture recorded.
// Other programs may read and write the file at any time; the capture triggers
// in the file record what they do, and the next group sequences it.
//
// # Caveats
//
// Only one server at a time: a second one that opens the file takes over, and
// the first one's next group fails with CodeBusy. The file must be on a local
// disk, as with every SQLite database in WAL mode.
package sqlite

import (
	"context"
	"crypto/rand"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/digest"
	"github.com/tidemarkdb/tidemark/internal/lite"
	"github.com/tidemarkdb/tidemark/internal/rules"
)

// Options of Open. Space is required, the rest may be zero.
type Options struct {
	Space            string
	AcceptViolations bool
	Create           bool          // make an empty file when there is none
	Rand             io.Reader     // incarnation, digest key; default crypto/rand
	VFS              string        // default the operating system's
	Journal          string        // default "wal"
	Readers          int           // read connections; default 2
	Busy             time.Duration // how long a lock is waited for; default 30 s, negative not at all

	// Policies lays what was declared over a schema as it was read from the
	// file and returns a copy, hash included; nil: the defaults alone. It is
	// called again whenever the schema moves. When it returns an error, Open
	// refuses; later, where the file cannot be refused any more, Warn is told
	// and the schema that came with the error counts.
	Policies func(*tidemark.Schema) (*tidemark.Schema, error)

	// Rules says what authors may write, see tidemark.Tx.WriteAs, for a schema;
	// nil, or a function that returns nil: everything. It is called and its
	// errors are treated as those of Policies: rules that do not fit deny.
	Rules func(*tidemark.Schema) (*tidemark.Rules, error)
	// Amends says that something beside policies and rules may change what authors
	// ask for. Then copies check nothing of the rules by themselves.
	Amends bool
	// RuleSteps is what the rules of one changeset may take, in steps of SQLite's
	// machine, before they deny; default 20 million, which is about a second.
	RuleSteps int
	// Observe sees every verdict of the rules, for programs that explain them.
	Observe func(rules.Verdict)

	// Scopes says which rows replicas may hold, and which scopes principals may
	// read, for a schema; nil, or a function that returns nil: everybody everything.
	// It is called and its errors are treated as those of Policies: later, where it
	// returns an error and nothing with it, what was declared before holds as far as
	// it fits. Rows whose scope cannot be told are in none.
	Scopes func(*tidemark.Schema) (*tidemark.Scopes, error)

	// Progress is called now and then while rows are adopted.
	Progress func(table string, rows int64)
	// Warn is told of a trigger of the app's that failed while a changeset was
	// applied, and is left out from there on.
	Warn func(message string)
}

func (o Options) withDefaults() Options {
	if o.Rand == nil {
		o.Rand = rand.Reader
	}
	if o.Journal == "" {
		o.Journal = "wal"
	}
	if o.Readers <= 0 {
		o.Readers = 2
	}
	if o.Busy == 0 {
		o.Busy = 30 * time.Second
	}
	if o.Progress == nil {
		o.Progress = func(string, int64) {}
	}
	if o.Warn == nil {
		o.Warn = func(string) {}
	}
	return o
}

// Store is an open space.
type Store struct {
	path        string
	opts        Options
	incarnation string
	key         digest.Key

	readers chan *lite.DB // idle ones
	ended   chan struct{} // closed by Close
	last    atomic.Pointer[state]

	id        *identity
	chronicle chronicle
	relook    atomic.Bool                         // policies or scopes were declared anew; the next group takes them over
	rescope   atomic.Bool                         // scopes are among them: until then nobody reads
	scopings  atomic.Pointer[map[string]*scoping] // by the hash of the schema that they are ready for

	mu       sync.Mutex // holds everything below: one group at a time
	policies func(*tidemark.Schema) (*tidemark.Schema, error)
	// declaredRules, the rules made ready, and the hash of the schema that they
	// are ready for.
	declaredRules func(*tidemark.Schema) (*tidemark.Rules, error)
	rulings       *rules.Judge
	armed         string
	scopes        func(*tidemark.Schema) (*tidemark.Scopes, error)
	lastScopes    *tidemark.Scopes // what it said last
	book          *book

	db       *lite.DB
	hasher   *digest.Hasher
	ledger   *ledger
	version  int64 // PRAGMA data_version when the last group ended
	term     string
	dressed  string // hash of the schema that the TEMP triggers were made for
	fresh    bool   // they were made in the running transaction
	mirrors  []mirror
	leftOut  map[string]bool // mirrors that failed, by name of the app's trigger
	judge    *judge
	parkings int64
	refs     *references
	loose    loose
	closed   bool
}

// state is where the space was when the last group committed.
type state struct {
	schema *tidemark.Schema
	head   tidemark.Seq
	term   string
	sum    uint64
}

// Path returns the file name given to Open.
func (s *Store) Path() string { return s.path }

// Close waits for a running group and closes the file.
func (s *Store) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil
	}
	s.closed = true
	close(s.ended)
	var first error
	for range cap(s.readers) {
		if err := s.id.leave(<-s.readers); err != nil && first == nil {
			first = err
		}
	}
	if s.judge != nil {
		s.judge.close()
	}
	if err := s.id.leave(s.db); err != nil && first == nil {
		first = err
	}
	return first
}

// borrow takes a read connection; give it back with s.readers <- db.
func (s *Store) borrow(ctx context.Context) (*lite.DB, error) {
	select {
	case <-s.ended:
		return nil, s.shutdown()
	default:
	}
	select {
	case db := <-s.readers:
		return db, nil
	case <-s.ended:
		return nil, s.shutdown()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (s *Store) shutdown() error {
	return &tidemark.Error{Code: tidemark.CodeShutdown, Op: "read", Space: s.opts.Space, Msg: "the store is closed"}
}
