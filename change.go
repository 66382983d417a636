package tidemark

import (
	"encoding/hex"
	"fmt"
)

// Seq is the position of an accepted changeset in its space: 1, 2, 3 ... without gaps.
// 0 is the state before the first.
type Seq int64

// FileReplica is the replica name under which the server sequences what other
// programs wrote into the server's own file.
const FileReplica = "file"

// Op is the kind of a change.
type Op uint8

// The kinds of change.
const (
	Insert Op = 1
	Update Op = 2
	Delete Op = 3
	Forget Op = 4 // only downstream: the row left a scope, and is not deleted
)

// String names the kind as it stands in messages and in JSON for people.
func (op Op) String() string {
	switch op {
	case Insert:
		return "insert"
	case Update:
		return "update"
	case Delete:
		return "delete"
	case Forget:
		return "forget"
	}
	return fmt.Sprintf("op(%d)", uint8(op))
}

// Change is an insert, update or delete of one row. Tables and columns are
// named by position in a schema: Table is Table.ID, a column is its place in
// Table.Columns. Columns are only ever appended, so a change made under an
// older schema of the same table keeps its meaning.
//
// Insert carries the whole row in New (Cols is nil, New may be shorter than
// the table when it was made under an older schema). Downstream an Insert is a
// put: the row's state, whether it was there or not. Update carries the
// changed columns in Cols and their values in New; when key columns are among
// them the row moves from Key to the key that results. Delete and Forget carry Key only.
type Change struct {
	Table int
	Op    Op
	Key   []Value // primary key, in key order: before the change, or after it for Insert
	Cols  []int
	New   []Value
	Old   []Value // before-image, parallel to New (the whole row for Delete); nil where it is not kept

	// Edits say what an Update means by New, parallel to it; nil: New is set.
	// Where an Edit is not EditSet, New and Old may be NULL: on the wire they are.
	// Downstream and in the log the only kind is EditText.
	Edits []Edit
	// MadeAt is when the row was edited last, Unix milliseconds by its replica's
	// clock; 0 unless a column of the table has PolicyLatestEdit.
	MadeAt int64
}

// Salt makes the hash of a changeset unique to the one that sealed it.
type Salt [8]byte

// Hash names the content of a changeset: SHA-256 of salt and body, cut to 16 bytes.
type Hash [16]byte

// String returns the hash in hexadecimal.
func (h Hash) String() string { return hex.EncodeToString(h[:]) }

// Name is the identity of a changeset.
type Name struct {
	Replica string
	N       int64
	Hash    Hash
}

// Changeset is what one local transaction did, named (Replica, N).
type Changeset struct {
	Name
	Salt    Salt
	Was     *Name  // the name that it had before its replica got a new identity
	Seen    Seq    // checkpoint of the replica when it was made
	Schema  string // hash of the schema under which it was made
	MadeAt  int64  // Unix milliseconds by the replica's clock; only PolicyLatestEdit decides by it
	Body    []byte // the encoded changes, exactly as hashed
	Changes []Change
}

// OutcomeKind says how a changeset ended.
type OutcomeKind string

// The outcomes.
const (
	Accepted OutcomeKind = "accepted"
	Merged   OutcomeKind = "merged"
	Rejected OutcomeKind = "rejected"
)

// Outcome is the server's final word on a changeset.
type Outcome struct {
	Name
	Kind    OutcomeKind
	Seq     Seq // accepted, merged: the changeset's seq; rejected: the head at which it was judged
	Code    Code
	Message string
	Table   string  // name of the table concerned, if one is
	Key     []Value // key of the row concerned, if one is
	Columns []string
	Lost    []Cell // merged: what of this changeset did not survive, or not as a whole
	Over    []Cell // merged: where it overwrote a concurrent edit, or a part of one

	Renumbered []Renumbered // rows that got other keys than their author gave them
}

// Cell names one value of one row.
type Cell struct {
	Table  string
	Key    []Value
	Column string // "" means the whole row
}

// Checkpoint is the state that a replica has applied and proven.
type Checkpoint struct {
	Incarnation string
	Term        string
	Seq         Seq
	Sum         uint64 // sum of the keyed hashes of all cells, modulo 2^64
}
