package replica

import (
	"fmt"
	"slices"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/merge"
	"github.com/tidemarkdb/tidemark/internal/splice"
)

// revise predicts what becomes of one change; nil: what it says.
func (f *forecast) revise(c *tidemark.Change) (*revision, *misfit, error) {
	t := synced(f.a.r.schema, c.Table)
	if t == nil || f.a.r.merging[c.Table] == nil {
		return nil, nil, nil
	}
	id := idOf(t, c.Key)
	switch c.Op {
	case tidemark.Delete:
		if len(f.met[id]) > 0 && (t.Policy.OnDelete == tidemark.UpdateWins || t.Policy.OnDelete == tidemark.RowManual) {
			return &revision{t: t, drop: true}, nil, nil
		}
	case tidemark.Update:
		if f.gone[id] {
			return f.comeBack(t, id, c), nil, nil
		}
		return f.reviseColumns(t, id, c)
	}
	return nil, nil, nil
}

// comeBack predicts an update of a row that others deleted.
func (f *forecast) comeBack(t *tidemark.Table, id rowID, c *tidemark.Change) *revision {
	was := f.was[id]
	if t.Policy.OnDelete != tidemark.UpdateWins || was == nil || len(c.Cols) == 0 {
		return nil
	}
	image, err := withColumns(t, was, c)
	if err != nil || len(image) != len(t.Columns) {
		return nil
	}
	return &revision{t: t, insert: image}
}

func (f *forecast) reviseColumns(t *tidemark.Table, id rowID, c *tidemark.Change) (*revision, *misfit, error) {
	m, met := f.a.r.merging[c.Table], f.met[id]
	if len(met) == 0 && len(m.text) == 0 {
		return nil, nil, nil
	}
	v := &revision{t: t}
	var now []tidemark.Value
	for i, col := range c.Cols {
		text := c.EditOf(i).Kind == tidemark.EditText
		if slices.Contains(t.Key, col) || !text && !met[col] {
			continue
		}
		if now == nil {
			var err error
			if now, err = f.a.read(t, id); err != nil || now == nil || f.was[id] == nil {
				return nil, nil, err
			}
		}
		if text {
			v.set(i, f.reviseText(cell{id, col}, now[col], c.EditOf(i)))
			continue
		}
		if t.PolicyOf(col) == tidemark.PolicyReject {
			return nil, stale(t, c, col), nil
		}
		v.set(i, f.reviseCell(t, col, f.was[id][col], now[col], c, i))
	}
	if len(v.cells) == 0 {
		return nil, nil, nil
	}
	return v, nil, nil
}

func stale(t *tidemark.Table, c *tidemark.Change, col int) *misfit {
	return &misfit{code: tidemark.CodeStale, message: fmt.Sprintf("%s.%s was changed by somebody else meanwhile", t.Name, t.Columns[col].Name),
		table: t.Name, key: c.Key, columns: t.ColumnNames([]int{col})}
}

// reviseText carries an edit of a text over what became of the text since.
func (f *forecast) reviseText(at cell, now tidemark.Value, e tidemark.Edit) *revisedCell {
	was := f.was[at.row][at.col]
	before, ok := textOf(was)
	if was == now || was.IsNull() || !ok {
		return nil
	}
	after, ok := textOf(now)
	if now.IsNull() || !ok {
		return setTo(was, tidemark.Null, e)
	}
	mine, err := splice.ParseEdit(e.Body)
	if err != nil {
		return nil
	}
	over, known := f.over[at]
	if !known {
		over = splice.Diff(before, after)
	}
	moved, rest := splice.Transform(mine.Patch, over, true) // what comes to the server later stands first
	if f.over == nil {
		f.over = map[cell]splice.Patch{}
	}
	f.over[at] = rest
	return &revisedCell{edit: tidemark.Edit{Kind: tidemark.EditText, Body: moved.Body(false)}}
}

// setTo is an edit that does not fit what is there any more: it sets what its
// author saw in the end.
func setTo(was, mine tidemark.Value, e tidemark.Edit) *revisedCell {
	v, err := merge.Apply(was, mine, e)
	if err != nil {
		return nil
	}
	return &revisedCell{value: v}
}

// reviseCell predicts how an update of a cell that others changed ends.
func (f *forecast) reviseCell(t *tidemark.Table, col int, was, now tidemark.Value, c *tidemark.Change, i int) *revisedCell {
	e, mine := c.EditOf(i), c.New[i]
	if e.Kind != tidemark.EditSet && !now.IsNull() {
		if _, err := merge.Apply(now, mine, e); err == nil {
			return nil
		}
	}
	column := &t.Columns[col]
	m := merge.Meeting{Column: column, Policy: t.PolicyOf(col), Base: was, Based: true, Theirs: now, Mine: mine, Edit: e}
	if e.Kind != tidemark.EditSet {
		m.Policy = merge.Natural(e.Kind) // the column may have got another since
	}
	switch m.Policy {
	case tidemark.PolicyLastWrite, tidemark.PolicyLatestEdit, tidemark.PolicyText:
		return nil
	case tidemark.PolicyFirstWrite, tidemark.PolicyManual:
		return &revisedCell{drop: true}
	case tidemark.PolicyCustom:
		if m.Func = f.a.r.opts.Merge[column.Custom]; m.Func == nil {
			return nil
		}
	}
	verdict, err := merge.Meet(m)
	switch {
	case err != nil || e.Kind == tidemark.EditSet && verdict.Value == mine:
		return nil
	case verdict.Open || verdict.Value == now:
		return &revisedCell{drop: true}
	}
	return &revisedCell{value: verdict.Value}
}

// revision is what becomes of a change. It is made for the change as the
// tables follow it and can be put on the same change in other names.
type revision struct {
	t      *tidemark.Table
	drop   bool
	insert []tidemark.Value // the row comes back, and is this then
	cells  map[int]*revisedCell
}

// revisedCell replaces one column of an update.
type revisedCell struct {
	drop  bool
	edit  tidemark.Edit
	value tidemark.Value // where edit is none
}

func (v *revision) set(i int, to *revisedCell) {
	if to == nil {
		return
	}
	if v.cells == nil {
		v.cells = map[int]*revisedCell{}
	}
	v.cells[i] = to
}

// of is a change with the revision.
func (v *revision) of(c *tidemark.Change) tidemark.Change {
	if v.insert != nil {
		return v.inserted(c)
	}
	out := tidemark.Change{Table: c.Table, Op: tidemark.Update, Key: c.Key, MadeAt: c.MadeAt}
	if v.drop {
		return out
	}
	for i, col := range c.Cols {
		to := v.cells[i]
		if to == nil {
			to = &revisedCell{edit: c.EditOf(i), value: c.New[i]}
		}
		if to.drop {
			continue
		}
		out.Cols, out.New, out.Edits = append(out.Cols, col), append(out.New, to.value), append(out.Edits, to.edit)
	}
	if !slices.ContainsFunc(out.Edits, func(e tidemark.Edit) bool { return e.Kind != tidemark.EditSet }) {
		out.Edits = nil
	}
	return out
}

func (v *revision) inserted(c *tidemark.Change) tidemark.Change {
	out := tidemark.Change{Table: c.Table, Op: tidemark.Insert, Key: keyAfter(v.t, c), New: slices.Clone(v.insert), MadeAt: c.MadeAt}
	for i, col := range c.Cols {
		if c.EditOf(i).Kind == tidemark.EditSet {
			out.New[col] = c.New[i]
		}
	}
	for i, place := range v.t.Key {
		out.New[place] = out.Key[i]
	}
	return out
}
