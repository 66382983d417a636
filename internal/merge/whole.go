package merge

import "github.com/tidemarkdb/tidemark"

// The policies that take one of the two values as it is. Equal values are no
// conflict under any of them but reject.

// overwrite is last-write: mine comes later and stays.
func (m *Meeting) overwrite(mine tidemark.Value) Verdict {
	return Verdict{Value: mine, Mine: mine, Over: mine != m.Theirs}
}

// keep is first-write: what the server has stays.
func (m *Meeting) keep(mine tidemark.Value) Verdict {
	return Verdict{Value: m.Theirs, Mine: mine, Lost: mine != m.Theirs}
}

// wait is manual: what the server has stays until somebody decides.
func (m *Meeting) wait(mine tidemark.Value) Verdict {
	v := m.keep(mine)
	v.Open = v.Lost
	return v
}

// later is latest-edit. Of two edits of one time the one that comes later stays.
func (m *Meeting) later(mine tidemark.Value) Verdict {
	if m.MineAt < m.TheirsAt {
		return m.keep(mine)
	}
	return m.overwrite(mine)
}

// stale is reject. An edit that had not seen another one is stale whatever both made.
func (m *Meeting) stale() (Verdict, error) {
	e := &tidemark.Error{Code: tidemark.CodeStale, Msg: "somebody else changed the value since this replica saw it"}
	if m.Column != nil {
		e.Columns = []string{m.Column.Name}
		e.Msg = "somebody else changed " + m.Column.Name + " since this replica saw it"
	}
	return Verdict{}, e
}
