// Package splice edits text by patches. Diff finds what changed between two
// texts, Apply puts a patch on a text, Compose makes one patch of two that
// follow one another, Invert takes one back, and Transform carries a
// patch over another that was made to the same text at the same time.
//
// Texts are strings of Unicode code points, so that two languages count alike.
// A byte that is not part of valid UTF-8 counts as one; but only a text that is
// valid may be edited by patches that travel (Editable), since two halves of a
// character could meet and be counted anew.
//
// The algebra is operational transformation with a server that orders (the
// Jupiter system: Nichols, Curtis, Dixon, Lamping, "High-Latency, Low-Bandwidth
// Windowing in the Jupiter Collaboration System", UIST 1995). It holds for any
// patches a and b of a text t, with a', b' := Transform(a, b, first):
//
//	t.a.b' = t.b.a'
//
// An insertion stands where its splice begins, in front of what the splice
// deletes. Of two insertions at one place the one that is said to be first
// stands first. What both delete is deleted once; an insertion into what the
// other one deletes stays.
package splice

import (
	"errors"
	"fmt"
	"unicode/utf8"
)

// Splice replaces text at one place. Positions and lengths count Unicode code
// points; a byte that is not part of valid UTF-8 counts as one.
type Splice struct {
	At      int    // in the text before the patch
	Delete  int    // code points that go
	Insert  string // what comes in their place
	Deleted string // what goes, where it is known; empty on the wire to the server
}

// Patch is a list of splices in order of At that do not overlap. A splice may
// begin where the one before it ends if that one deletes and this one inserts:
// whether an insertion stands before or behind what is deleted makes no
// difference to the text, but to where others' insertions go. The empty Patch
// changes nothing.
type Patch []Splice

// ErrFit says that a patch does not fit the text that it was put on.
var ErrFit = errors.New("the patch does not fit the text")

// maxPlace bounds positions, so that sums of them never overflow.
const maxPlace = 1<<31 - 1

// Editable reports whether patches of a text may be exchanged. Others are
// replaced as a whole.
func Editable(text string) bool { return utf8.ValidString(text) }

// check reports what is wrong with the form of a patch.
func (p Patch) check() error {
	last, end := -1, -1
	for i := range p {
		s := &p[i]
		switch {
		case s.At <= last || s.At < end || s.At == end && s.Insert == "" || s.Delete < 0 || s.Delete > maxPlace || s.At > maxPlace-s.Delete:
			return fmt.Errorf("splice %d is out of place", i)
		case s.Delete == 0 && s.Insert == "":
			return fmt.Errorf("splice %d changes nothing", i)
		case !utf8.ValidString(s.Insert):
			return fmt.Errorf("splice %d inserts what is not UTF-8", i)
		case s.Deleted != "" && count(s.Deleted) != s.Delete:
			return fmt.Errorf("splice %d deletes another number of characters than it names", i)
		}
		last, end = s.At, s.At+s.Delete
	}
	return nil
}
