package hub

import (
	"fmt"
	"slices"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/merge"
)

// encounter is an update that meets a row.
type encounter struct {
	t    *tidemark.Table
	c    *tidemark.Change
	row  tidemark.RowState
	past *past // nil: nothing is concurrent
	// blind says that two inserted the row: all of it is concurrent, and
	// nothing came before.
	blind bool
	units map[string]bool // groups that are decided: whether mine stays
}

// update decides about an update.
func (j *trial) update(t *tidemark.Table, c *tidemark.Change, row tidemark.RowState) error {
	if row.Values == nil {
		return j.updateGone(t, c, row)
	}
	behind := row.Seq > j.cs.Seen
	if !behind && len(c.Edits) == 0 {
		j.write = append(j.write, *c)
		return nil
	}
	e := &encounter{t: t, c: c, row: row}
	if behind {
		if err := j.builtOnRefused(t, c, row); err != nil {
			return err
		}
		if units := e.wanted(); len(units) > 0 {
			var err error
			if e.past, err = j.past(t, c.Key, row, question{units: units, others: inParts(c)}); err != nil {
				return err
			}
		}
	}
	return j.cells(e)
}

// wanted lists the units that must be looked up in the row's past: all that
// are not decided without it.
func (e *encounter) wanted() [][]int {
	var units [][]int
	for i, col := range e.c.Cols {
		switch unit := unitOf(e.t, col); {
		case e.byItself(i):
		case len(unit) > 1 && slices.ContainsFunc(units, func(u []int) bool { return u[0] == unit[0] }):
		default:
			units = append(units, unit)
		}
	}
	return units
}

// byItself reports whether the i-th edit comes to the same whoever else
// changed the cell (adding to a number), or has its own history (text).
func (e *encounter) byItself(i int) bool {
	switch e.c.EditOf(i).Kind {
	case tidemark.EditAdd:
		kind := e.now(e.c.Cols[i]).Kind()
		return kind == tidemark.KindInt || kind == tidemark.KindReal
	case tidemark.EditText:
		return true
	}
	return false
}

// inParts reports whether an update edits members or keys.
func inParts(c *tidemark.Change) bool {
	return slices.ContainsFunc(c.Edits, func(e tidemark.Edit) bool {
		return e.Kind == tidemark.EditMembers || e.Kind == tidemark.EditKeys
	})
}

// unitOf returns the columns that merge as one with col. The key stands alone.
func unitOf(t *tidemark.Table, col int) []int {
	if t.Columns[col].Group == "" || slices.Contains(t.Key, col) {
		return []int{col}
	}
	return t.GroupOf(col)
}

// cells decides about each column and writes what stays.
func (j *trial) cells(e *encounter) error {
	out := tidemark.Change{Table: e.c.Table, Op: tidemark.Update, Key: e.c.Key, MadeAt: e.c.MadeAt}
	for i, col := range e.c.Cols {
		v, err := j.column(e, i)
		if err != nil {
			return err
		}
		if v != e.now(col) {
			out.Cols, out.New = append(out.Cols, col), append(out.New, v)
		}
	}
	if len(out.Cols) > 0 {
		j.write = append(j.write, out)
	}
	return nil
}

// now is the value that a column has.
func (e *encounter) now(col int) tidemark.Value {
	v, _ := valueAt(e.row.Values, col)
	return v
}

// concurrent reports whether somebody else changed a unit meanwhile, and who.
func (e *encounter) concurrent(unit []int) (bool, string) {
	switch {
	case e.blind:
		return true, e.row.Writer
	case e.past == nil:
		return false, ""
	}
	return e.past.concurrent(unit)
}

// meets is concurrent for one cell that merges alone. An edit of members or
// keys meets whoever else edited the cell, also before the author's own last
// edit of it: that one may have been about other members.
func (e *encounter) meets(i int) (bool, string) {
	col := e.c.Cols[i]
	switch e.c.EditOf(i).Kind {
	case tidemark.EditMembers, tidemark.EditKeys:
		if e.past != nil {
			return e.past.touchedByOthers(col)
		}
	}
	return e.concurrent([]int{col})
}

func (e *encounter) base(col int) (tidemark.Value, bool) {
	if e.past == nil {
		return tidemark.Null, false
	}
	return e.past.base(col)
}

// column returns the value that the i-th column of an update has from now on.
func (j *trial) column(e *encounter, i int) (tidemark.Value, error) {
	col, edit := e.c.Cols[i], e.c.EditOf(i)
	if edit.Kind == tidemark.EditText {
		return j.text(e, i)
	}
	if unit := unitOf(e.t, col); len(unit) > 1 {
		return j.unit(e, i, unit)
	}
	if !e.byItself(i) {
		if yes, by := e.meets(i); yes {
			return j.meet(e, i, by)
		}
	}
	v, err := merge.Apply(e.now(col), e.c.New[i], edit)
	if tidemark.CodeOf(err) == tidemark.CodeConflict {
		return j.meet(e, i, e.row.Writer) // the value is of another kind now
	}
	if err != nil {
		return tidemark.Null, e.refusal(err, col)
	}
	return v, nil
}

// meet decides about one cell that somebody else changed meanwhile.
func (j *trial) meet(e *encounter, i int, by string) (tidemark.Value, error) {
	col := e.c.Cols[i]
	policy := policyOf(e.t, col, e.c.EditOf(i))
	m := merge.Meeting{
		Column: &e.t.Columns[col], Policy: policy,
		Theirs: e.now(col), Mine: e.c.New[i], Edit: e.c.EditOf(i),
	}
	m.Base, m.Based = e.base(col)
	switch policy {
	case tidemark.PolicyLatestEdit:
		var err error
		m.MineAt = j.effective(e.t, e.c.MadeAt)
		if m.TheirsAt, err = j.theirsAt(e, col); err != nil {
			return tidemark.Null, err
		}
	case tidemark.PolicySet:
		m.Others = e.others(col)
	case tidemark.PolicyCustom:
		m.Func = j.g.hub.opts.Merge[e.t.Columns[col].Custom]
	}
	v, err := merge.Meet(m)
	if err != nil {
		return tidemark.Null, e.refusal(err, col)
	}
	j.note(e.t, e.c, finding{col: col, policy: e.t.PolicyOf(col), verdict: v, base: m.Base, theirs: m.Theirs, by: by})
	return v.Value, nil
}

// others lists what others made of a set meanwhile, nil when that is not known.
func (e *encounter) others(col int) []merge.Foreign {
	if e.past == nil || !e.past.whole {
		return nil
	}
	return e.past.foreign(col)
}

// text decides about an edit of a text.
func (j *trial) text(e *encounter, i int) (tidemark.Value, error) {
	col := e.c.Cols[i]
	d, err := j.g.mergeText(e.t, e.c, i, e.row, j.cs)
	if err != nil {
		return tidemark.Null, e.refusal(err, col)
	}
	if !d.over {
		return d.value, nil
	}
	theirs := e.now(col)
	if theirs == d.value {
		return d.value, nil
	}
	p, err := j.past(e.t, e.c.Key, e.row, question{units: [][]int{{col}}})
	if err != nil {
		return tidemark.Null, err
	}
	_, by := p.concurrent([]int{col})
	j.note(e.t, e.c, finding{
		col: col, policy: e.t.PolicyOf(col), base: d.base, theirs: theirs, by: by,
		verdict: merge.Verdict{Value: d.value, Mine: d.value, Over: true},
	})
	return d.value, nil
}

// policyOf returns the policy by which an edit merges. One that was made when
// the column had another policy still means what it meant; a text that was
// replaced as a whole is a value like any other, and so is a key.
func policyOf(t *tidemark.Table, col int, e tidemark.Edit) tidemark.Policy {
	if p := merge.Natural(e.Kind); p != "" {
		return p
	}
	p := t.PolicyOf(col)
	if p == tidemark.PolicyText || slices.Contains(t.Key, col) {
		return tidemark.PolicyLastWrite
	}
	return p
}

// refusal completes an error that rejects for columns of this row.
func (e *encounter) refusal(why error, cols ...int) error {
	own := reason(why)
	if own == nil {
		return why
	}
	r := *own
	r.Table, r.Key, r.Columns = e.t.Name, e.c.Key, e.t.ColumnNames(cols)
	r.Msg = fmt.Sprintf("a row of %s: %s", e.t.Name, own.Msg)
	if own.Err != nil {
		r.Msg += ": " + own.Err.Error() // what a function of the app says
	}
	return &r
}
