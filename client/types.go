package client

import "github.com/tidemarkdb/tidemark/internal/replica"

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
)
