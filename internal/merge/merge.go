// Package merge decides what becomes of two edits of one cell. It holds one
// small pure function for each policy; both engines use it.
package merge

import "github.com/tidemarkdb/tidemark"

// Func is a merge function of an app (PolicyCustom). It gets what both edits
// started from and what they made of it, and returns the cell's new value. It
// must be pure: the same arguments, the same result.
type Func func(base, theirs, mine tidemark.Value) (tidemark.Value, error)

// Meeting is an update of one cell that meets a value which somebody else
// wrote since its author looked.
type Meeting struct {
	Column   *tidemark.Column
	Policy   tidemark.Policy
	Base     tidemark.Value // what both started from
	Based    bool           // Base is known
	Theirs   tidemark.Value // the cell now
	Mine     tidemark.Value // Change.New
	Edit     tidemark.Edit
	MineAt   int64 // latest-edit: when the edits were made, Unix milliseconds as the server believes
	TheirsAt int64
	Func     Func // custom
}

// Verdict is what a meeting ends with.
type Verdict struct {
	Value tidemark.Value // of the cell from now on
	Mine  tidemark.Value // what the cell would be without theirs, for the record
	Lost  bool           // mine, or a part of it, did not survive
	Over  bool           // theirs, or a part of it, was overwritten
	Open  bool           // somebody has to decide
}

// Intent says what an update of a cell from before to after means.
func Intent(p tidemark.Policy, before, after tidemark.Value) tidemark.Edit { return tidemark.Edit{} }

// Apply puts an edit on the value that its author saw, or on one that nobody
// else changed since.
func Apply(now, mine tidemark.Value, e tidemark.Edit) (tidemark.Value, error) { return mine, nil }

// Meet decides a meeting. Text is not decided here: it needs the history of the cell.
func Meet(m Meeting) (Verdict, error) { return Verdict{Value: m.Mine}, nil }
