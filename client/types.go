package client

import (
	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/replica"
)

// What a DB tells of itself. The engine makes these; they are named here so
// that programs can name them.
type (
	// Status is the durable state of a replica.
	Status = replica.Status
	// Pending is a changeset without an outcome.
	Pending = replica.Pending
	// Rejected is a changeset that was rejected and is kept.
	Rejected = replica.Rejected
	// VerifyReport is the result of comparing every row with the server.
	VerifyReport = replica.VerifyReport
	// Replacement gives a column of a rejected changeset another value.
	Replacement = replica.Replacement
	// Undone says what Undo or Redo did, and what it left as it is.
	Undone = replica.Undone
	// Left is a cell or row that Undo or Redo left alone.
	Left = replica.Left
)

// MergeFunc decides what becomes of two concurrent edits of a cell whose policy
// is custom. It gets what both started from (NULL when that is not known) and
// what they made of it, and returns the new value. It must be pure.
type MergeFunc = func(base, theirs, mine tidemark.Value) (tidemark.Value, error)
