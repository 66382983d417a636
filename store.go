package tidemark

import (
	"context"
	"errors"
	"io"
)

// ErrTransactionGone says that an error ended a store's whole transaction, and
// not only the savepoint in which it happened. An error that wraps it may wrap
// the cause as well.
var ErrTransactionGone = errors.New("tidemark: the transaction is gone")

// Store keeps one space on the server: the app's tables, the log and the
// server's bookkeeping. store/sqlite is the embedded one; store/storetest
// judges every implementation. A Store is driven by one hub at a time; View
// may run beside Group.
type Store interface {
	// Group runs fn in one transaction and returns when its commit is durable.
	// An error from fn undoes everything.
	Group(ctx context.Context, fn func(Tx) error) error

	// View runs fn on one state of the space that holds no unsequenced change.
	// It fails with CodeBusy when there is one; run a group first.
	View(ctx context.Context, fn func(View) error) error

	// Dirty reports whether other programs wrote into the tables, or changed
	// the schema, since the last group. It is cheap enough to poll.
	Dirty(ctx context.Context) (bool, error)

	// Snapshot writes the space's current state as an SQLite file to path and
	// says what it holds. The file has the whole schema, synced rows, no
	// bookkeeping.
	Snapshot(ctx context.Context, path string) (SnapshotInfo, error)

	// Scrub recomputes the hashes of up to limit stored rows behind the cursor
	// and returns the changes that capture missed, as they should be
	// sequenced, and the next cursor ("" at the end).
	Scrub(ctx context.Context, tx Tx, cursor string, limit int) (missed []Change, next string, err error)

	io.Closer
}

// View reads one state of a space.
type View interface {
	Schema() *Schema
	State() (SpaceState, error)
	// SchemaBody returns an earlier or the current schema by its hash, or nil.
	SchemaBody(hash string) ([]byte, error)
	// Since streams rows that changed after the cursor in order of the seq
	// at which each last changed, with their state now, until fn returns false.
	Since(cursor Cursor, fn func(at Cursor, c Change) bool) error
	// Ranges counts and sums the rows of a table as they are stored.
	Ranges(table int, after, upto []Value, bounds [][]Value) ([]RangeSum, error)
	// Rows reads rows of a table by key order.
	Rows(table int, after, upto []Value, limit int) (rows [][]Value, more bool, err error)
	// Replica returns what is known of a replica, or nil.
	Replica(id string) (*ReplicaState, error)
	// Outcome returns the recorded outcome of a changeset, or nil.
	Outcome(replica string, n int64) (*Outcome, error)
	// Outcomes lists a replica's outcomes behind n, in order, at most limit.
	Outcomes(replica string, n int64, limit int) ([]Outcome, error)
	// TermEnd returns the last seq of a term and whether the term is known.
	TermEnd(term string) (Seq, bool, error)
	// Log streams the history behind seq.
	Log(after Seq, limit int, fn func(LogEntry) error) error
}

// Tx writes one group.
type Tx interface {
	View

	// StartTerm appends a term whose first seq is head+1.
	StartTerm(term string) error

	// Foreign sequences nothing itself: it returns what other programs did
	// since the last group, each part with its before- and after-images, and
	// the schema change that was found, if one was.
	Foreign() (ForeignWork, error)
	// Undo takes foreign changes back that may not stand.
	Undo(changes []Change) error

	// Savepoint runs fn and undoes what it did when it fails. It returns
	// ErrTransactionGone when the whole group is lost.
	Savepoint(fn func() error) error
	// Row returns a row and who wrote it last at which seq.
	Row(table int, key []Value) (RowState, error)
	// Write applies a change. A constraint's refusal is an *Error with its code.
	Write(c Change) error
	// Settle checks deferred constraints of what was written since the
	// savepoint began. A violation is an *Error.
	Settle(changes []Change) error
	// Effects returns what the writes since the last call really did,
	// cascades included, netted by row, with before-images.
	Effects() ([]Change, error)

	// Append adds an accepted changeset to the log at head+1 and keeps rows'
	// seqs, hashes and the digest.
	Append(e LogEntry) error
	SaveOutcome(o Outcome) error
	SaveReplica(r ReplicaState) error
	SaveRejectedForeign(changes []Change, o Outcome) error
}

// SpaceState is where a space is.
type SpaceState struct {
	Space       string
	Incarnation string
	Term        string
	Head        Seq
	Sum         uint64
	SchemaHash  string
	DigestKey   [16]byte
}

// Cursor is a place in the order of rows by the seq at which each last changed.
type Cursor struct {
	Seq   Seq
	Table int
	KeyID string
}

// RangeSum is count and sum of hashes of the rows of one range.
type RangeSum struct {
	Count int64
	Sum   uint64
}

// RowState is a row with its last writer; Values is nil when it is not there.
type RowState struct {
	Values []Value
	Seq    Seq
	Writer string
}

// ReplicaState is what a server keeps of a replica.
type ReplicaState struct {
	ID        string
	Principal string
	Ticket    string
	Previous  string // accepted until the current ticket was confirmed
	LastN     int64  // number of the last changeset that got an outcome
	Settled   int64
	Seq       Seq
	Contact   int64 // Unix milliseconds
	Agent     string
}

// LogEntry is one accepted changeset.
type LogEntry struct {
	Seq     Seq
	Name    Name
	Author  string
	At      int64 // server's clock, Unix milliseconds
	Schema  string
	Effects []Change
}

// ForeignWork is what other programs did to the server's file.
type ForeignWork struct {
	Changes []Change
	Moved   *SchemaMove // the schema changed
}

// SchemaMove says how the schema changed.
type SchemaMove struct {
	Schema  *Schema
	Added   []string
	Widened []string
	Out     map[string]string // table name to reason
}

// SnapshotInfo describes a snapshot file.
type SnapshotInfo struct {
	State SpaceState
	Rows  int64
	Bytes int64
	Left  []string // objects that could not be made, each with its reason
}
