// Package splice edits text by patches: it finds what changed between two
// texts, puts patches on texts, composes them, inverts them and transforms
// them over each other.
package splice

// Splice replaces text at one place. Positions and lengths count Unicode code
// points; a byte that is not part of valid UTF-8 counts as one.
type Splice struct {
	At      int    // in the text before the patch
	Delete  int    // code points that go
	Insert  string // what comes in their place
	Deleted string // what goes, where it is known; empty on the wire to the server
}

// Patch is a list of splices in order of At that do not overlap or touch.
// The empty Patch changes nothing.
type Patch []Splice
