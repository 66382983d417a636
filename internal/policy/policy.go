// Package policy reads tidemark.yaml, the file in which the operator of a
// server declares how concurrent edits merge, who may write what and who holds
// which rows, and lays it over a schema.
//
// Parse reads the file. Apply holds it against a schema: it returns a copy of
// the schema that carries the policies, and everything that does not fit, each
// with its line and a next step. Overlay is Apply for callers that have no use
// for what does not fit, and for the defaults alone: Overlay(nil, s). Explain
// says for people what every column ended up with, and why. RulesOf does for the
// rules what Apply does for the policies, ScopesOf for the scopes.
//
// # Caveats
//
// Every schema of a space goes through Apply, also without a file: which of the
// integer keys are renumbered is decided here and not elsewhere. Names are
// compared as SQLite does, without regard to the case of A to Z.
package policy

import (
	"time"

	"github.com/tidemarkdb/tidemark"
)

// FileName is the name of the file that is looked for beside a database, and
// the ending of one that is for a single database.
const FileName = "tidemark.yaml"

// Config is what a file declares. A nil Config declares nothing.
type Config struct {
	Name   string // of the file, as errors and Explain give it
	Tables []Table
	Rules  *Rules  // nil: the file has no such section
	Scopes *Scopes // nil: the file has no such section

	lines []string
}

// At is a place in the file: line and column count from 1, the column in
// characters. The zero At says that something is not declared.
type At struct {
	Line   int `json:"line"`
	Column int `json:"column"`
}

// Setting is a declared value and its place.
type Setting[T any] struct {
	Value T
	At    At
}

// Declared reports whether the file has the setting.
func (s Setting[T]) Declared() bool { return s.At.Line > 0 }

// Rule is a policy with the function that a custom one names.
type Rule struct {
	Policy   tidemark.Policy
	Function Setting[string]
}

// Table is what a file declares for one table.
type Table struct {
	Name Setting[string]

	Policy     Setting[tidemark.Policy]
	Columns    []Column
	Groups     []Group
	OnDelete   Setting[tidemark.RowPolicy]
	OnInsert   Setting[tidemark.InsertPolicy]
	OnUnique   Setting[string] // name of a function; "" rejects
	References []Reference
	Keep       Setting[string]
	KeepFor    Setting[time.Duration]
	MaxSkew    Setting[time.Duration]
	Lease      Setting[int]
}

// Column is the policy of one column.
type Column struct {
	Name Setting[string]
	Rule Setting[Rule]
}

// Group is a set of columns that merge as one unit.
type Group struct {
	At      At
	Columns []Setting[string]
	Policy  Setting[tidemark.Policy]
}

// Reference says what becomes of a column that refers to a row which was
// deleted meanwhile.
type Reference struct {
	Column  Setting[string]
	SetNull Setting[bool]
}

// Functions names what is registered on the server. The zero Functions has none.
type Functions struct {
	Merge  []string // for custom
	Unique []string // for on_unique
	Any    bool     // every name will do: whoever serves the file may have it
}
