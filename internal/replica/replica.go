// Package replica is the client's engine: an ordinary SQLite file whose local
// changes are sealed into pending changesets, and whose confirmed rows follow
// the server's log, with pending changesets rebased on top. It reads no clock,
// opens no socket, starts no goroutine and takes its randomness as an argument.
//
// Create makes a replica out of a snapshot, Open opens one. A session with the
// server is Hello, Welcome, then Apply for every batch, Settle for outcomes
// whose rows are here already, Seal and Unsent for what goes up; Loop does all
// of that. Status, Pending and Rejected read what is stored.
//
// A Replica owns one connection on which the file's triggers and foreign keys
// are off. Apps write on connections of their own. Every method that writes is
// one transaction: a crash at any point leaves the state before or after it.
//
// Two views of every row exist. The tables hold the current one: confirmed
// rows with the pending changesets that fit on top. For rows that a pending
// changeset touches, _tm_base holds the confirmed image; every other row is
// confirmed as it stands. A pending changeset that does not fit is suspended:
// its effect is out of the tables, and it is tried again whenever rows that it
// may depend on change. The server has the last word either way.
//
// Where scopes are declared the replica holds the rows of those that the server
// lists for it (Scopes), and _tm_member says which confirmed row is in which. A
// batch then speaks of each scope by itself, in parts. A row leaves the file
// with the last of its scopes, in the transaction that takes this one off: it is
// not deleted, and what is pending on it waits for the server's word, suspended.
// Subscribe says which scopes are wanted.
package replica

import (
	"io"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/digest"
	"github.com/tidemarkdb/tidemark/internal/ids"
	"github.com/tidemarkdb/tidemark/internal/lite"
	"github.com/tidemarkdb/tidemark/internal/merge"
)

// Options of Open.
type Options struct {
	VFS     string    // file system of the connection; default the operating system's
	Rand    io.Reader // salts
	Journal string    // journal mode that Create sets; default wal
	Agent   string    // program and version, for the server's logs

	// Merge holds the app's merge functions by name, for predictions; where one
	// is missing the replica shows its own value until the server has decided.
	Merge map[string]merge.Func
}

// Replica is an open replica file. It belongs to one goroutine at a time.
type Replica struct {
	db   *lite.DB
	opts Options

	ddl      int64            // schema_version that the fields below belong to; 0: read them anew
	server   *tidemark.Schema // as the server named it
	schema   *tidemark.Schema // the same, with tables that left syncing here marked Out
	refs     references
	merging  map[int]*merging // by table
	ids      *ids.Columns     // of idsOf
	idsOf    *tidemark.Schema
	loose    map[*tidemark.Table]string // definitionOf
	hasher   *digest.Hasher
	readOnly bool
	mirrors  []string          // TEMP triggers of this connection
	left     []string          // what of the app's triggers cannot be mirrored, and why
	muted    map[string]string // tables (in lower case) whose mirrors failed, and why

	exact int   // up to so many pending changesets, a rebase tries all of them where constraints meet
	fence int64 // what TakeFence gave, 0 for none
	now   int64 // the last time that a caller told
}

const defaultExact = 100

// Open opens a replica. The file must be one; a server's file, a plain file, a
// newer format are refused with a next step.
func Open(path string, o Options) (*Replica, error) {
	db, err := openFile("open", path, o)
	if err != nil {
		return nil, err
	}
	r := &Replica{db: db, opts: o, exact: defaultExact}
	if err := r.start(); err != nil {
		_ = db.Close()
		return nil, failure("open", err)
	}
	return r, nil
}

func (r *Replica) start() error {
	if err := requireReplica(r.db); err != nil {
		return err
	}
	if err := prepareConnection(r.db); err != nil {
		return err
	}
	// Looking at a file must not wait for its writers; only DDL that another
	// program ran has to be answered by writing.
	if err := r.db.View(r.know); !lite.Busy(err) {
		return err
	}
	r.ddl = 0
	return r.db.Transaction(r.know)
}

// Close closes the connection. It never deletes anything.
func (r *Replica) Close() error { return r.db.Close() }

// DB returns the engine's connection, for reading.
func (r *Replica) DB() *lite.DB { return r.db }

// Schema returns the schema that the tables have.
func (r *Replica) Schema() *tidemark.Schema { return r.schema }

// Skipped lists the app's triggers that should fire everywhere and cannot
// while rows are applied, each with its reason.
func (r *Replica) Skipped() []string { return r.left }

// transaction runs fn in one immediate transaction on a file whose structure
// is known.
func (r *Replica) transaction(op string, now int64, fn func() error) error {
	if now > r.now {
		r.now = now
	}
	err := r.db.Transaction(func() error {
		if err := r.know(); err != nil {
			return err
		}
		return fn()
	})
	if err != nil {
		r.ddl = 0 // what was learned inside may be undone
		return failure(op, err)
	}
	return nil
}
