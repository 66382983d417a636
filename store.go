package tidemark

import (
	"context"
	"errors"
	"io"
)

// ErrTransactionGone says that an error ended a store's whole transaction, and
// not only the savepoint in which it happened, as ON CONFLICT ROLLBACK and
// RAISE(ROLLBACK) do. Nothing of the group stands; the caller runs it again
// without the changeset that did it. An error that wraps it may wrap the cause
// as well.
var ErrTransactionGone = errors.New("tidemark: the transaction is gone")

// Store keeps one space on the server: the app's tables, the log and the
// server's bookkeeping. store/sqlite is the embedded one; store/storetest
// judges every implementation. A Store is driven by one hub at a time; View,
// Snapshot and Dirty may run beside Group, and from several goroutines.
type Store interface {
	// Group runs fn in one transaction and returns when its commit is durable.
	// An error from fn undoes everything and is returned as it is. fn must
	// call Tx.Foreign before it writes rows or appends. A group that only
	// keeps books (StartTerm, SaveReplica, SaveOutcome) may leave it out, and
	// what is foreign stays for the next group. A lock held by another program is
	// waited for; CodeBusy means that patience ended and nothing was done.
	Group(ctx context.Context, fn func(Tx) error) error

	// View runs fn on one state of the space that holds no unsequenced change.
	// It fails with CodeBusy when there is one; run a group first. The View
	// is over when fn returns. fn must not call the Store.
	View(ctx context.Context, fn func(View) error) error

	// Dirty reports whether other programs wrote into the tables, or changed
	// the schema, since the last group. It is cheap enough to poll. It may
	// say true for nothing, and never says false when there is something.
	Dirty(ctx context.Context) (bool, error)

	// Snapshot writes the space's current state as an SQLite file to path,
	// which must not exist, and says what it holds. The file has the whole
	// schema, synced rows, empty unsynced tables, no bookkeeping. It fails
	// with CodeBusy as View does.
	Snapshot(ctx context.Context, path string) (SnapshotInfo, error)

	// Scrub recomputes the hashes of up to limit stored rows behind the cursor
	// ("" at first) and returns the changes that capture missed, as they
	// should be sequenced by Append in the same group, and the next cursor (""
	// at the end). A row that is there comes as Insert, one that is gone as
	// Delete, both without Old. The tables hold them already.
	Scrub(ctx context.Context, tx Tx, cursor string, limit int) (missed []Change, next string, err error)

	io.Closer
}

// View reads one state of a space.
type View interface {
	// Schema returns the current schema. It is shared and must not be changed.
	Schema() *Schema
	// State returns where the space is. Term is the newest term.
	State() (SpaceState, error)
	// SchemaBody returns an earlier or the current schema by its hash, or nil.
	SchemaBody(hash string) ([]byte, error)
	// Since streams rows that changed behind the cursor in order of (seq,
	// table, KeyID), where seq is the one at which each last changed, with
	// their state now: Insert with the whole row, or Delete. It ends when fn
	// returns false. Cursor{Seq: s} is behind everything that happened at s,
	// so Since(Cursor{Seq: s}) is what a replica at s misses; Cursor{Seq: -1}
	// begins with the rows that were there before the first changeset. at is
	// the cursor behind the row given. Tables that are Out are left out.
	Since(cursor Cursor, fn func(at Cursor, c Change) bool) error
	// Ranges counts and sums the rows of a table as they are stored, in the
	// ranges (after, bounds[0]], (bounds[0], bounds[1]] ... (last bound, upto]:
	// len(bounds)+1 of them. after nil is from the first row, upto nil to the last.
	// scopes nil is every row. Otherwise it counts the rows of those scopes, and
	// adds to the sum of a row digest.Hasher.Member for each of them that it is in.
	Ranges(scopes []string, table int, after, upto []Value, bounds [][]Value) ([]RangeSum, error)
	// Rows reads the rows of (after, upto] by key order, at most limit (0: all),
	// and says whether the limit cut it. scopes nil is every row, otherwise those of the given ones.
	Rows(scopes []string, table int, after, upto []Value, limit int) (rows [][]Value, more bool, err error)
	// Row returns a row and who wrote it last at which seq. Values is nil when
	// it is not there; then Seq and Writer tell who deleted it, if that is known.
	Row(table int, key []Value) (RowState, error)
	// History gives the effects on one row behind a seq, newest first, until fn
	// returns false. whole is false when the log does not reach back to after,
	// so that nothing is known of what came before the last one given. What is
	// given is shared and must not be changed. Before-images are there but for
	// changes that capture missed (see Scrub), and for texts: an Update of a
	// column that was logged with an EditText has NULL in New and Old, and an
	// Edit that can be read both ways.
	History(table int, key []Value, after Seq, fn func(RowEffect) bool) (whole bool, err error)
	// Texts lists what was done behind a seq to a cell that merges as text, oldest first.
	Texts(table int, key []Value, col int, after Seq) ([]TextStep, error)
	// EditTime returns the time that SaveEditTime saved for a cell, or 0.
	EditTime(table int, key []Value, col int) (int64, error)
	// Renumberings lists the rows of a replica that got other keys, oldest first.
	Renumberings(replica string) ([]Renumbered, error)
	// Refused returns the number of the rejected changeset of a replica that
	// would have inserted the row, or 0.
	Refused(replica string, table int, key []Value) (int64, error)
	// Leases lists the blocks of ids that a replica holds.
	Leases(replica string) ([]Lease, error)
	// Replica returns what is known of a replica, or nil.
	Replica(id string) (*ReplicaState, error)
	// Outcome returns the recorded outcome of a changeset, or nil.
	Outcome(replica string, n int64) (*Outcome, error)
	// Outcomes lists a replica's outcomes behind n, in order, at most limit (0: all).
	Outcomes(replica string, n int64, limit int) ([]Outcome, error)
	// TermEnd returns the last seq of a term (the head for the newest) and
	// whether the term is known.
	TermEnd(term string) (Seq, bool, error)
	// Log streams the history behind seq, at most limit entries (0: all).
	Log(after Seq, limit int, fn func(LogEntry) error) error

	// The rest is for spaces whose schema is Scoped.

	// Granted lists the scopes that a principal may read now, sorted. A grant
	// query that fails grants nothing.
	Granted(p Principal) ([]string, error)
	// Feed streams what somebody who has each scope as from says misses of it
	// behind the cursor, the zero one at first, in order of (seq, scope, table,
	// KeyID), where seq is the one at which the row last changed, entered the
	// scope or left it, with its state now: Insert with the whole row, Delete
	// when it is gone, Forget when it is only elsewhere. It ends when fn returns
	// false. from is sorted by Scope.
	Feed(after ScopeCursor, from []ScopeFrom, fn func(at ScopeCursor, c Change) bool) error
	// ScopeSums returns the sums of scopes, parallel; 0 for one that is not known.
	ScopeSums(scopes []string) ([]uint64, error)
	// ScopesOf lists the scopes that a row is in and those that it left, sorted.
	ScopesOf(table int, key []Value) ([]RowScope, error)
}

// Tx writes one group. All its View methods see what the group wrote so far.
//
// A group runs like this:
//
//	work, err := tx.Foreign()
//	switch {
//	case work.Refused != nil: tx.Undo(work.Changes); tx.SaveRejectedForeign(work.Changes, outcome)
//		and if work.Moved: tx.Append without effects
//	case work.Changes or work.Moved: tx.Append(LogEntry{Name.Replica: FileReplica, Effects: work.Changes, ...})
//	}
//	for each changeset:
//		err := tx.Savepoint(func() error {
//			tx.WriteAll(changes); tx.Settle(changes); effects := tx.Effects()
//			tx.Append(LogEntry{Effects: effects, ...}); tx.SaveOutcome(...)
//		})
//		if err is an *Error of the data: tx.SaveOutcome(rejected)
type Tx interface {
	View

	// Foreign sequences nothing itself: it returns what other programs did
	// since the last group, netted by row in the form of Effects, and the
	// schema change that was found, if one was. Foreign keys' actions that the
	// writer skipped are done and among the changes; constraints that it
	// skipped are judged: when one is broken, Refused says which, and the
	// caller takes all the changes back with Undo. Otherwise it hands them to
	// Append; a schema change without row changes too, with no effects.
	// After it, Schema is the new one. The changes of a new table are its rows.
	// Call it once, first; a second call returns nothing.
	Foreign() (ForeignWork, error)
	// Undo takes foreign changes back that may not stand. Changes without Old
	// cannot be taken back; Foreign never refuses those.
	Undo(changes []Change) error

	// StartTerm starts a term at head+1.
	StartTerm(term string) error

	// Savepoint runs fn and undoes what it did when it fails, including
	// Append and SaveOutcome, and returns fn's error. It returns
	// ErrTransactionGone when the whole group is lost: return from Group's fn
	// then. Savepoints nest.
	Savepoint(fn func() error) error
	// Write applies one change; see WriteAll.
	Write(c Change) error
	// WriteAll applies the changes of one changeset in an order of its own in
	// which they do not stand in each other's way: unique values may swap,
	// rows may trade keys, a parent may go when its children leave it. A row
	// occurs once. An Update or a Delete of a row that is not there does
	// nothing; an Insert of one that is there is a unique violation. A move
	// (Update of key columns) is a real one: ON UPDATE actions happen. A
	// constraint's refusal is an *Error with code, table, key and columns;
	// the caller then leaves the savepoint with it. Foreign keys are judged by
	// Settle. A cause that is not the data's (I/O, disk full) is another error.
	WriteAll(changes []Change) error
	// WriteAs is WriteAll for changes that an author asks for. The store's Rules
	// judge each of them, with the row as it was (OLD) and as it is going to be
	// (NEW), on the state that holds those written before it and not itself; it
	// looks for an order in which all may be written, inserts first. One that
	// none allows is an *Error with code forbidden, table, key and columns.
	// Columns that the rules set have the server's values. Without Rules it is
	// WriteAll. Of ConflictsTable an author may change the state, no more.
	WriteAs(author Author, changes []Change) error
	// Settle judges the foreign keys of what was written since the last
	// Effects. A violation is an *Error with code foreign_key and the table,
	// key and columns of the row that refers to a parent that is not there.
	// changes is what was written; it may help to name the row.
	Settle(changes []Change) error
	// Effects returns what the writes since the last call, or since the group
	// began, really did, cascades included, netted by key, with before-images
	// and in a fixed order (table, KeyID). A move comes as Delete of the old key and Insert
	// of the whole row. Empty when nothing changed in the end.
	Effects() ([]Change, error)

	// Append adds an accepted changeset to the log at head+1 and keeps rows'
	// seqs, hashes and the digest. e.Seq must be head+1 or 0. e.Effects must
	// be what Effects, Foreign or Scrub returned: the tables hold them already.
	Append(e LogEntry) error
	// SaveOutcome records an outcome. The first one recorded for (replica, n)
	// is final: saving another is an error.
	SaveOutcome(o Outcome) error
	SaveReplica(r ReplicaState) error

	// NextID returns an id that no row of a table with an integer key has, had
	// as far as SQLite knows, or was leased: above all of them, and below 2^53.
	// Where there is none it fails with CodeUnique. Two calls without a write
	// between them may return the same.
	NextID(table int) (int64, error)
	// Lease gives a replica a block of ids above all ids that were used or
	// given, in place of what it held of this table. Programs that write into
	// the store themselves get ids above it. It fails as NextID does.
	Lease(replica string, table, size int) (Lease, error)
	// SaveRenumbering keeps that a row of a replica has another key than it
	// gave. NextID and Lease never give that key again.
	SaveRenumbering(replica string, r Renumbered) error
	// SaveRefused notes a row that a rejected changeset would have inserted.
	SaveRefused(replica string, n int64, table int, key []Value) error
	// SaveText adds a step at the end of a cell's text history; DropTexts
	// forgets the history of all cells of a row, which was deleted or made anew.
	SaveText(table int, key []Value, col int, s TextStep) error
	DropTexts(table int, key []Value) error
	// SaveEditTime keeps when the value of a cell was made; 0 forgets it. What
	// is kept survives the row.
	SaveEditTime(table int, key []Value, col int, at int64) error

	SaveRejectedForeign(changes []Change, o Outcome) error

	// Parts returns what happened behind a seq to the scopes that the group
	// touched, sorted by Scope.
	Parts(after Seq) ([]ScopePart, error)
	// Concerned tells, once, whose grants may be others for what was appended
	// since the last call: everybody's, or those of the principals listed.
	Concerned() (all bool, principals []string)
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

// Cursor is a place in the order of rows by the seq at which each last changed:
// behind the row (Table, KeyID) of Seq, or behind all rows of Seq when Table is 0.
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

// RowEffect is what one accepted changeset did to one row.
type RowEffect struct {
	Seq    Seq
	Name   Name
	Author string
	At     int64  // server's clock, Unix milliseconds
	Change Change // with Old; an Update only with the columns that changed
}

// TextStep is one edit of a text cell: an accepted one, or one that was rejected.
type TextStep struct {
	Seq  Seq
	Name Name   // Replica and N
	Seen Seq    // of its changeset
	Done string // body of the EditText from the value before it to the value after it; "": the value was replaced as a whole
	Sent string // body of the EditText as its author sent it; "" when it came from elsewhere
	// Refused says that the changeset was rejected: nothing was done, and Seq is
	// the one that it would have had.
	Refused bool
}

// Lease is a block of ids of a table with an integer key: First to Last.
type Lease struct {
	Table       int
	First, Last int64
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
	Refused *Error      // why the changes may not stand; nil when they may
	Moved   *SchemaMove // the schema changed
}

// SchemaMove says how the schema changed. New indexes, views and triggers are
// only seen in Schema.
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
