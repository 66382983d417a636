package client

import (
	"context"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/conflict"
	"github.com/tidemarkdb/tidemark/internal/lite"
)

type (
	// Conflict is a record of tm_conflicts: two edits that met, with the values of both.
	Conflict = conflict.Conflict
	// ConflictRows are the sides of a conflict about a whole row.
	ConflictRows = conflict.Rows
	// ConflictFilter selects records; the zero one selects those that are not resolved.
	ConflictFilter = conflict.Filter
	// Choice is what somebody decides about a conflict: Mine, Theirs or Value.
	Choice = conflict.Choice
	// Resolved says what resolving a conflict did.
	Resolved = conflict.Resolved
)

// The two sides of a conflict as choices. Theirs is what the server had, Mine
// what the changeset brought that met it, whoever resolves the conflict.
var (
	Mine   = conflict.Mine
	Theirs = conflict.Theirs
)

// Value chooses a third value.
func Value(v tidemark.Value) Choice { return conflict.Value(v) }

// Conflicts lists what policies threw away and what waits for a decision, the
// oldest first. The records are rows of tm_conflicts, which programs may read
// and watch with SQL like any other table.
func (db *DB) Conflicts(ctx context.Context, f ConflictFilter) (list []Conflict, err error) {
	err = db.read(ctx, func(c *lite.DB) error {
		list, err = conflict.List(c, f)
		return err
	})
	return list, err
}

// Resolve writes what was chosen and sets the record to resolved, in one local
// transaction: an ordinary edit, which syncs and can itself meet another. Mine
// and Theirs decide for all columns that merged as one unit with the record's,
// Value for that column alone. About a whole row, Mine and Theirs put it
// back, change or delete it.
//
// A record that is kept or resolved may be resolved, too. When somebody changed the
// cell or the row since, what was asked for is done all the same, and Resolved
// says so; Undo takes it back. Only a row that was put in a deleted one's place
// is never overwritten: that is tidemark.CodeUnique. When the row, column or
// table is gone, or a constraint refuses the value, nothing is changed.
func (db *DB) Resolve(ctx context.Context, id string, choice Choice) (*Resolved, error) {
	return db.decide(ctx, func(w *lite.DB, s *tidemark.Schema) (*Resolved, error) { return conflict.Resolve(w, s, id, choice) })
}

// RestoreLoser writes the value that lost back, as an ordinary edit, and sets
// the record to resolved. A row that was deleted is inserted again.
func (db *DB) RestoreLoser(ctx context.Context, id string) (*Resolved, error) {
	return db.decide(ctx, func(w *lite.DB, s *tidemark.Schema) (*Resolved, error) { return conflict.Restore(w, s, id) })
}

func (db *DB) decide(ctx context.Context, fn func(*lite.DB, *tidemark.Schema) (*Resolved, error)) (res *Resolved, err error) {
	schema := db.Schema() // before the write lock: the engine may be waiting for it
	if schema == nil {
		return nil, db.broken()
	}
	err = db.Transaction(ctx, func(tx *Tx) error {
		res, err = fn(tx.w, schema)
		return err
	})
	if err != nil {
		return nil, err
	}
	return res, nil
}
