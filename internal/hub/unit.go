package hub

import (
	"fmt"
	"strings"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/merge"
)

// unit returns the value of the i-th column of an update, which merges as one
// with others: one side's values of all of them stay.
func (j *trial) unit(e *encounter, i int, unit []int) (tidemark.Value, error) {
	col := e.c.Cols[i]
	name := e.t.Columns[col].Group
	stays, known := e.units[name]
	if !known {
		var err error
		if stays, err = j.meetUnit(e, unit); err != nil {
			return tidemark.Null, err
		}
		if e.units == nil {
			e.units = map[string]bool{}
		}
		e.units[name] = stays
	}
	if !stays {
		return e.now(col), nil
	}
	return e.mine(i)
}

// mine is the i-th column's value as its author set it. Units are sent as
// values, differences come only from when the column merged alone.
func (e *encounter) mine(i int) (tidemark.Value, error) {
	col := e.c.Cols[i]
	v, err := merge.Apply(e.now(col), e.c.New[i], e.c.EditOf(i))
	if err != nil {
		return tidemark.Null, e.refusal(err, col)
	}
	return v, nil
}

// meetUnit decides about a unit and reports whether mine stays.
func (j *trial) meetUnit(e *encounter, unit []int) (stays bool, err error) {
	yes, by := e.concurrent(unit)
	if !yes {
		return true, nil
	}
	policy := e.t.PolicyOf(unit[0])
	if policy == tidemark.PolicyReject { // also when both sides say the same
		return false, e.stale(unit)
	}
	var found []finding
	for i, col := range e.c.Cols {
		if e.t.Columns[col].Group != e.t.Columns[unit[0]].Group {
			continue
		}
		f := finding{col: col, unit: e.t.Columns[col].Group, policy: policy, theirs: e.now(col), by: by}
		f.base, _ = e.base(col)
		if f.verdict.Mine, err = e.mine(i); err != nil {
			return false, err
		}
		if f.verdict.Mine != f.theirs {
			found = append(found, f)
		}
	}
	if stays, err = j.stays(e, unit, policy); err != nil {
		return false, err
	}
	for _, f := range found {
		f.verdict = unitVerdict(f, stays, policy)
		j.note(e.t, e.c, f)
	}
	return stays, nil
}

// stays reports whether the newcomer's values of a unit stay. Policies that
// combine values can say nothing about several cells at once.
func (j *trial) stays(e *encounter, unit []int, policy tidemark.Policy) (bool, error) {
	switch policy {
	case tidemark.PolicyFirstWrite, tidemark.PolicyManual:
		return false, nil
	case tidemark.PolicyLatestEdit:
		at, err := j.theirsAt(e, unit...)
		return j.effective(e.t, e.c.MadeAt) >= at, err
	}
	return true, nil
}

func unitVerdict(f finding, stays bool, policy tidemark.Policy) merge.Verdict {
	v := f.verdict
	v.Value, v.Lost, v.Over = f.theirs, !stays, stays
	if stays {
		v.Value = v.Mine
	}
	v.Open = policy == tidemark.PolicyManual
	return v
}

// stale rejects an edit of a unit that somebody else changed meanwhile.
func (e *encounter) stale(unit []int) error {
	names := e.t.ColumnNames(unit)
	return &tidemark.Error{
		Code: tidemark.CodeStale, Table: e.t.Name, Key: e.c.Key, Columns: names,
		Msg: fmt.Sprintf("a row of %s: somebody else changed %s since this replica saw it", e.t.Name, strings.Join(names, ", ")),
	}
}
