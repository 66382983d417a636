package sqlite

import (
	"errors"
	"fmt"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/capture"
)

// tx is one group. Its view reads on the writing connection.
type tx struct {
	view
	head     tidemark.Seq
	term     string
	version  int64
	quiet    bool // nobody else wrote since the last group
	asked    bool // Foreign was called
	owed     bool // Foreign gave work that is neither appended nor undone
	deferred bool // foreign keys are deferred until the commit
	// Foreign keys were off for writes since the last Effects: look them up.
	unsettled bool
	concern   concern // whose grants may be others
	fed       bool    // the feed is made by what is declared now
}

// State is where the space will be after the commit, so far.
func (x *tx) State() (tidemark.SpaceState, error) {
	return x.state(x.head, x.term, x.s.ledger.total(x.schema)), nil
}

// StartTerm starts a term at head+1.
func (x *tx) StartTerm(term string) error {
	err := x.db.Run("INSERT INTO main._tm_term (term, first_seq) VALUES (?1, ?2)",
		tidemark.Text(term), tidemark.Int(int64(x.head+1)))
	if err == nil {
		x.term = term
	}
	return err
}

// Savepoint runs fn and undoes what it did when it fails.
func (x *tx) Savepoint(fn func() error) error {
	head, owed, concern := x.head, x.owed, x.concern.mark()
	x.s.ledger.begin()
	x.s.book.begin()
	depth := len(x.s.ledger.frames)
	err := x.db.Savepoint("_tm_changeset", fn)
	if err != nil {
		err = x.s.explain("write", err) // by its code the hub tells the machine's fault from the changeset's
	}
	if !x.db.InTransaction() {
		return gone(err)
	}
	// A panic inside fn is cleaned up by the group.
	if len(x.s.ledger.frames) == depth {
		x.s.ledger.end(err == nil)
		x.s.book.end(err == nil)
	}
	if err != nil {
		x.head, x.owed = head, owed
		x.concern.back(concern)
		x.fed = false
		x.s.chronicle.forget(head)
	}
	return err
}

func gone(cause error) error {
	if cause == nil {
		return tidemark.ErrTransactionGone
	}
	if errors.Is(cause, tidemark.ErrTransactionGone) {
		return cause
	}
	return fmt.Errorf("%w: %w", tidemark.ErrTransactionGone, cause)
}

// Effects returns what was really written, see tidemark.Tx.
func (x *tx) Effects() ([]tidemark.Change, error) {
	rows, err := capture.Net(x.db, capture.Temp, x.schema, 0)
	if err != nil {
		return nil, err
	}
	if err := capture.Clear(x.db, capture.Temp); err != nil {
		return nil, err
	}
	x.unsettled = false
	return changesOf(rows), nil
}

// ready makes sure that nothing is written before foreign work was looked at:
// it would be mixed up with it.
func (x *tx) ready() error {
	if x.asked || x.quiet {
		return nil
	}
	return &tidemark.Error{Code: tidemark.CodeInternal, Op: "write", Msg: "Foreign was not called at the beginning of the group"}
}
