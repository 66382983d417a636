// Package rules decides whether a change may be written: it holds write rules,
// conditions in SQL, against the rows that a change would make of others.
//
// Expand writes out the named conditions that a rule uses. New prepares the
// rules of a schema on a connection, and says which of them do not fit; Check
// does so without one. Allow judges one change before it is written, Fill puts
// in the values that the server gives.
//
// # How it works
//
// A rule becomes a query with two one-row tables in it. OLD is the row itself,
// which is still as it was. NEW is a row of a TEMP table whose columns have the
// affinities, collations and defaults of the real ones, so that it holds what
// would be stored, and compares as that would. What the rule asks of the
// database it asks of the state before the change.
//
// # Caveats
//
// Only what is true allows. NULL, an error, a rule that does not compile and one
// that takes too many steps deny. Rules can read the space's own tables and
// views, nothing else, and cannot write; they cannot ask what time it is or for
// randomness, so that they say the same of the same. A name without OLD, NEW or a
// table in front of it never means a column of the row that is judged.
package rules

import (
	"fmt"
	"strings"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/schema"
)

// What a rule is about, as it is called in tidemark.yaml.
const (
	OnInsert = "insert"
	OnUpdate = "update"
	OnDelete = "delete"
	OnSet    = "set"
)

// Misfit is a rule that cannot be used, and so allows nothing.
type Misfit struct {
	Table  string
	What   string // OnInsert, OnUpdate, OnDelete, OnSet; "" for the table itself
	Column string // of OnSet, and of columns that are not there
	Err    error
}

func (m Misfit) Error() string {
	switch {
	case m.What == "":
		return m.Table + ": " + m.Err.Error()
	case m.Column != "":
		return fmt.Sprintf("%s of %s.%s: %v", m.What, m.Table, m.Column, m.Err)
	}
	return fmt.Sprintf("%s of %s: %v", m.What, m.Table, m.Err)
}

// Own reports whether a name belongs to Tidemark or to SQLite.
func Own(name string) bool {
	n := schema.Fold(name)
	return strings.HasPrefix(n, "_tm_") || strings.HasPrefix(n, "sqlite_")
}

// verb names a kind of change.
func verb(op tidemark.Op) string {
	switch op {
	case tidemark.Insert:
		return OnInsert
	case tidemark.Update:
		return OnUpdate
	}
	return OnDelete
}

// plain cuts the driver's prefixes off a message.
func plain(err error) string {
	msg := strings.TrimPrefix(err.Error(), "sqlite3: ")
	msg = strings.TrimPrefix(msg, "SQL logic error: ")
	return strings.ReplaceAll(msg, "authorization denied: ", "")
}
