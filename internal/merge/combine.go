package merge

import (
	"github.com/tidemarkdb/tidemark"
)

// result is what an edit made of a value, and what that cost.
type result struct {
	value tidemark.Value
	lost  bool // a part of the edit could not be put there
	over  bool // a part of what was there went although its author had not seen it
}

// combine is what counter, set and json have in common: an edit that is a
// difference is put on what is there. A plain set is last-write, its loser kept;
// but of sets and objects it is taken for the difference from what both started
// from, or, when that is not known, from nothing: then it adds and takes nothing away.
func (m *Meeting) combine() (Verdict, error) {
	e := m.Edit
	if e.Kind == tidemark.EditSet {
		e = m.meant()
	}
	if e.Kind == tidemark.EditSet {
		return m.overwrite(m.Mine), nil
	}
	r, err := m.put(e)
	if mismatched(err) {
		return m.unfit()
	}
	if err != nil {
		return Verdict{}, err
	}
	v := Verdict{Value: r.value, Lost: r.lost, Over: r.over || m.cleared()}
	if v.Mine, err = m.alone(); err != nil {
		return Verdict{}, err
	}
	return v, nil
}

// meant finds the difference in a plain set of a set or an object.
func (m *Meeting) meant() tidemark.Edit {
	if m.Policy == tidemark.PolicyCounter || m.Mine.IsNull() {
		return tidemark.Edit{}
	}
	return Intent(m.Policy, m.Base, m.Mine)
}

func (m *Meeting) put(e tidemark.Edit) (result, error) {
	switch e.Kind {
	case tidemark.EditMembers:
		return m.putMembers(e.Body)
	case tidemark.EditKeys:
		return applyKeys(m.Theirs, e.Body)
	}
	value, err := Apply(m.Theirs, m.Mine, e)
	return result{value: value}, err
}

// cleared reports whether somebody else had emptied the cell.
func (m *Meeting) cleared() bool {
	return m.Theirs.IsNull() && m.Based && !m.Base.IsNull()
}

// alone is the value without theirs: the edit on what both started from, or on nothing.
func (m *Meeting) alone() (tidemark.Value, error) {
	v, err := Apply(m.Base, m.Mine, m.Edit)
	if mismatched(err) {
		return Apply(tidemark.Null, m.Mine, m.Edit)
	}
	return v, err
}

// unfit decides where the value there has a form that the edit cannot be put
// on: last-write, when it is known what the edit made.
func (m *Meeting) unfit() (Verdict, error) {
	mine, err := m.alone()
	if err != nil {
		return Verdict{}, err
	}
	if m.Based || m.Edit.Kind == tidemark.EditSet {
		return m.overwrite(mine), nil
	}
	return m.keep(mine), nil
}
