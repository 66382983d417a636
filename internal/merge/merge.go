// Package merge decides what becomes of two edits of one cell. It holds one
// small pure function for each policy; both engines use it.
//
// Sealing calls Intent, once for each changed column, to turn the values
// before and after into what the author meant. The server calls Apply where
// nobody else changed the cell, and Meet where somebody did. A replica calls
// Apply to predict. Carries says beforehand whether a column can have a policy.
//
// What the policies promise when the same edits come in different orders:
//
//	max, min      commutative, associative, idempotent
//	counter       sums of integers do not depend on the order; sums of reals may differ in the last bits
//	set           which members there are does not depend on the order, unless one replica adds what another removes; their order does
//	json          edits of different keys commute; of one key the last wins
//	last-write    associative and idempotent: the last wins
//	first-write   associative and idempotent: the first wins
//	latest-edit   commutative, associative and idempotent where times differ; else the last wins
//	custom        whatever the function promises
//
// All copies agree in any case, since the server puts the edits in one order.
package merge

import (
	"fmt"

	"github.com/tidemarkdb/tidemark"
)

// Func is a merge function of an app (PolicyCustom). It gets what both edits
// started from (NULL when that is not known any more) and what they made of
// it, and returns the cell's new value. It must be pure: the same arguments,
// the same result. It is called also where both made the same of it. An error
// or a panic rejects the changeset with the code conflict.
type Func func(base, theirs, mine tidemark.Value) (tidemark.Value, error)

// Meeting is an update of one cell that meets a value which somebody else
// wrote since its author looked.
type Meeting struct {
	Column   *tidemark.Column
	Policy   tidemark.Policy
	Base     tidemark.Value // what both started from
	Based    bool           // Base is known
	Theirs   tidemark.Value // the cell now
	Mine     tidemark.Value // Change.New; means nothing beside an Edit
	Edit     tidemark.Edit
	Others   []Foreign // set: what others did to the cell meanwhile, in any order; nil: not known
	MineAt   int64     // latest-edit: when the edits were made, Unix milliseconds as the server believes
	TheirsAt int64
	Func     Func // custom
}

// Foreign is somebody else's edit of the cell.
type Foreign struct {
	Old, New tidemark.Value
}

// Verdict is what a meeting ends with.
type Verdict struct {
	Value tidemark.Value // of the cell from now on
	Mine  tidemark.Value // what the cell would be without theirs, for the record
	Lost  bool           // mine, or a part of it, did not survive
	Over  bool           // theirs, or a part of it, was overwritten
	Open  bool           // somebody has to decide
}

// Intent says what an update of a cell from before to after means. Whatever
// the policy cannot say as a difference is a plain set. Apply of it to before
// is after, to the bit; a whole number may come as a real where the column
// stores both alike.
func Intent(p tidemark.Policy, before, after tidemark.Value) tidemark.Edit {
	switch p {
	case tidemark.PolicyCounter:
		return addIntent(before, after)
	case tidemark.PolicySet:
		return membersIntent(before, after)
	case tidemark.PolicyJSON:
		return keysIntent(before, after)
	case tidemark.PolicyText:
		return textIntent(before, after)
	}
	return tidemark.Edit{}
}

// Apply puts an edit on the value that its author saw, or on one that nobody
// else changed since. mine is the value of an EditSet. NULL counts as 0, as no
// members, as no keys, as no text. Its errors are *tidemark.Error: conflict for a value
// that the edit cannot be put on, check for a number that would be too large,
// schema for an edit that cannot be read.
func Apply(now, mine tidemark.Value, e tidemark.Edit) (tidemark.Value, error) {
	switch e.Kind {
	case tidemark.EditSet:
		return mine, nil
	case tidemark.EditAdd:
		return applyAdd(now, e.Body)
	case tidemark.EditMembers:
		r, err := applyMembers(now, e.Body, nil)
		return r.value, err
	case tidemark.EditKeys:
		r, err := applyKeys(now, e.Body)
		return r.value, err
	case tidemark.EditText:
		return applyText(now, e.Body)
	}
	return tidemark.Null, unreadable("there is no such kind of edit")
}

// Natural returns the policy under which edits of a kind are made, "" for EditSet.
func Natural(k tidemark.EditKind) tidemark.Policy {
	switch k {
	case tidemark.EditAdd:
		return tidemark.PolicyCounter
	case tidemark.EditMembers:
		return tidemark.PolicySet
	case tidemark.EditKeys:
		return tidemark.PolicyJSON
	case tidemark.EditText:
		return tidemark.PolicyText
	}
	return ""
}

// Meet decides a meeting. Its errors are *tidemark.Error and reject the changeset. Text is
// not combined here, since that needs the history of the cell: it meets as under last-write.
func Meet(m Meeting) (Verdict, error) {
	if !m.Based {
		m.Base = tidemark.Null
	}
	switch m.Policy {
	case tidemark.PolicyCounter, tidemark.PolicySet, tidemark.PolicyJSON:
		return m.combine()
	}
	mine, err := m.mine()
	if mismatched(err) {
		return Verdict{Value: m.Theirs, Mine: mine, Lost: true}, nil
	}
	if err != nil {
		return Verdict{}, err
	}
	switch m.Policy {
	case tidemark.PolicyFirstWrite:
		return m.keep(mine), nil
	case tidemark.PolicyManual:
		return m.wait(mine), nil
	case tidemark.PolicyLatestEdit:
		return m.later(mine), nil
	case tidemark.PolicyMax:
		return m.pick(mine, 1), nil
	case tidemark.PolicyMin:
		return m.pick(mine, -1), nil
	case tidemark.PolicyReject:
		return m.stale()
	case tidemark.PolicyCustom:
		return m.call(mine)
	}
	return m.overwrite(mine), nil
}

// mine returns the value that the edit made, as far as that is known: an edit
// that is a difference is put on what both started from, or else on what is there.
func (m *Meeting) mine() (tidemark.Value, error) {
	from := m.Theirs
	if m.Based {
		from = m.Base
	}
	return Apply(from, m.Mine, m.Edit)
}

// errorOf makes an error that rejects.
func errorOf(code tidemark.Code, format string, args ...any) error {
	return &tidemark.Error{Code: code, Msg: fmt.Sprintf(format, args...)}
}

// unreadable is the error of an edit that no Tidemark wrote.
func unreadable(why string) error {
	return errorOf(tidemark.CodeSchema, "an edit of the changeset cannot be read: %s", why)
}

// mismatch is the error of a value that an edit cannot be put on.
func mismatch(want string, got tidemark.Value) error {
	kinds := [...]string{"NULL", "an integer", "a real", "text", "a blob"}
	return errorOf(tidemark.CodeConflict, "the edit expects %s, the value there is %s of another form", want, kinds[got.Kind()])
}

func mismatched(err error) bool {
	return tidemark.CodeOf(err) == tidemark.CodeConflict
}
