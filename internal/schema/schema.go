// Package schema reads what an SQLite database looks like, decides what of it
// can sync, and compares one schema with another.
//
// Inspect comes first: it returns the schema of the tables that can sync, and a
// report with a verdict on every table and trigger, for people. Violations
// lists rows that break their own table's constraints. Compare says how one
// schema became another: what travels (new tables, columns at the end), and
// which tables leave syncing, with the reason. Encode, Decode and HashOf are the
// form in which schemas travel and are named.
//
// Caveats. A table's ID means the table for ever: give Inspect those that were
// given before. What this build cannot open (a collation, a module) takes out
// the table that needs it and nothing else.
package schema

import "github.com/tidemarkdb/tidemark"

// Verdict is what Inspect says of one table.
type Verdict struct {
	Table  string   `json:"table"`
	Syncs  bool     `json:"syncs"`
	Reason string   `json:"reason,omitempty"` // why it cannot sync
	Hint   string   `json:"hint,omitempty"`   // what to do about it
	Notes  []string `json:"notes,omitempty"`  // e.g. undeclared references, ON CONFLICT clauses
}

// TriggerClass says where one of the app's triggers fires.
type TriggerClass string

// The classes of MECHANISMS: a trigger that writes synced tables fires where
// the write happened and nowhere else; one that writes only unsynced tables
// fires everywhere; one that only raises guards the origin and the server.
const (
	TriggerOrigin     TriggerClass = "origin"
	TriggerEverywhere TriggerClass = "everywhere"
	TriggerGuard      TriggerClass = "guard"
)

// Trigger is one of the app's triggers.
type Trigger struct {
	Name   string       `json:"name"`
	Table  string       `json:"table"`
	Class  TriggerClass `json:"class"`
	Writes []string     `json:"writes,omitempty"`
	SQL    string       `json:"-"`
}

// Report is everything that `tidemark check` shows of a database's structure.
type Report struct {
	Tables   []Verdict `json:"tables"`
	Triggers []Trigger `json:"triggers,omitempty"`
}

// Violation is a row that breaks one of the table's own constraints.
type Violation struct {
	Table      string           `json:"table"`
	Key        []tidemark.Value `json:"-"`
	KeyText    string           `json:"key"`
	Constraint string           `json:"constraint"` // foreign_key, check, not_null, unique, type
	Detail     string           `json:"detail"`
}

// Move is the difference between two schemas of one space.
type Move struct {
	Added   []*tidemark.Table // new tables
	Widened []Widened         // tables that got columns at the end
	Out     []Out             // tables that changed in any other way
	Objects []tidemark.Object // new indexes, views, triggers, unsynced tables
	Changed []tidemark.Object // indexes, views, triggers that have another definition now
	Dropped []tidemark.Object // indexes, views, triggers that are gone

	Policies []*tidemark.Table // tables of the new schema that stay and merge by other rules
}

// Widened is a table that got new columns at the end.
type Widened struct {
	From, To *tidemark.Table
	Defs     []string // the column definitions, as they stand in ALTER TABLE ADD COLUMN
}

// Out is a table that leaves syncing.
type Out struct {
	Table  *tidemark.Table
	Reason string // what happened and what to do, one sentence each
}
