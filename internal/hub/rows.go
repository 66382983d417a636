package hub

import (
	"fmt"
	"slices"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/merge"
	"github.com/tidemarkdb/tidemark/internal/splice"
)

// remove decides about a delete.
func (j *trial) remove(t *tidemark.Table, c *tidemark.Change, row tidemark.RowState) error {
	switch {
	case row.Values == nil:
		return nil
	case row.Seq <= j.cs.Seen:
		j.write = append(j.write, *c)
		return nil
	}
	n, err := j.refusedBy(t, c.Key, row)
	if n > 0 || err != nil {
		return err // what the author meant was never there; this row is another's
	}
	p, err := j.past(t, c.Key, row, everything)
	if err != nil {
		return err
	}
	yes, by := p.anyConcurrent()
	if !yes {
		j.write = append(j.write, *c)
		return nil
	}
	f := finding{col: wholeRow, policy: rowPolicy(t), by: by, base: rowObject(t, p.seen()), theirs: rowObject(t, row.Values)}
	if f.verdict.Over = t.Policy.OnDelete == "" || t.Policy.OnDelete == tidemark.DeleteWins; f.verdict.Over {
		j.write = append(j.write, *c)
	} else {
		f.verdict.Lost, f.verdict.Open = true, t.Policy.OnDelete == tidemark.RowManual
	}
	j.note(t, c, f)
	return nil
}

// rowPolicy names what decides when one deletes a row and another changes it.
func rowPolicy(t *tidemark.Table) tidemark.Policy {
	switch t.Policy.OnDelete {
	case "":
		return tidemark.Policy(tidemark.DeleteWins)
	case tidemark.RowManual:
		return tidemark.PolicyManual
	}
	return tidemark.Policy(t.Policy.OnDelete)
}

// updateGone decides about an update of a row that is not there any more.
func (j *trial) updateGone(t *tidemark.Table, c *tidemark.Change, row tidemark.RowState) error {
	p, err := j.past(t, c.Key, row, everything)
	if err != nil {
		return err
	}
	if n, err := j.refusedInsert(t, c.Key, p); n > 0 || err != nil {
		return j.dependsOn(t, c, n, err)
	}
	if row.Seq == 0 && row.Writer == "" {
		return neverThere(t, c)
	}
	image, by := p.deleted()
	f := finding{col: wholeRow, policy: rowPolicy(t), by: by, base: rowObject(t, image)}
	mine, err := j.onImage(t, c, p, row, image)
	if err != nil {
		return err
	}
	f.verdict.Mine = columnsObject(t, c.Cols, mine)
	if t.Policy.OnDelete == tidemark.UpdateWins && len(image) == len(t.Columns) {
		f.verdict.Over = true
		j.note(t, c, f)
		j.putBack(t, c, image, mine)
		return nil
	}
	f.verdict.Lost, f.verdict.Open = true, t.Policy.OnDelete == tidemark.RowManual
	j.note(t, c, f)
	return nil
}

// putBack inserts a deleted row again, with what the update made of it.
func (j *trial) putBack(t *tidemark.Table, c *tidemark.Change, image, mine []tidemark.Value) {
	row := slices.Clone(image)
	for i, col := range c.Cols {
		row[col] = mine[i]
	}
	j.write = append(j.write, tidemark.Change{Table: t.ID, Op: tidemark.Insert, Key: t.KeyOf(row), New: row})
}

// onImage is what an update makes of a row that was deleted: its values,
// parallel to c.Cols. Where an edit that is a difference has nothing to stand
// on, it stands on NULL.
func (j *trial) onImage(t *tidemark.Table, c *tidemark.Change, p *past, row tidemark.RowState, image []tidemark.Value) ([]tidemark.Value, error) {
	out := slices.Clone(c.New)
	for i, col := range c.Cols {
		now, _ := valueAt(image, col)
		edit := c.EditOf(i)
		var err error
		if edit.Kind == tidemark.EditText {
			row.Values = image
			out[i], err = j.textOnImage(t, c, i, row, p)
		} else {
			out[i], err = merge.Apply(now, c.New[i], edit)
		}
		if tidemark.CodeOf(err) == tidemark.CodeConflict {
			out[i], err = merge.Apply(tidemark.Null, c.New[i], edit)
		}
		if err != nil {
			return nil, (&encounter{t: t, c: c}).refusal(err, col)
		}
	}
	return out, nil
}

// textOnImage is what the author made of the text that it saw of a deleted row.
func (j *trial) textOnImage(t *tidemark.Table, c *tidemark.Change, i int, row tidemark.RowState, p *past) (tidemark.Value, error) {
	if len(row.Values) == len(t.Columns) {
		d, err := j.g.mergeText(t, c, i, row, j.cs)
		if err == nil || reason(err) == nil {
			return d.value, err
		}
	}
	now, _ := valueAt(row.Values, c.Cols[i])
	if base, ok := p.base(c.Cols[i]); ok {
		now = base
	}
	return patched(now, c.EditOf(i))
}

// patched puts the splices of a text edit on a text. What does not fit becomes
// an insertion alone, so that what was typed is not lost.
func patched(on tidemark.Value, e tidemark.Edit) (tidemark.Value, error) {
	edit, err := splice.ParseEdit(e.Body)
	if err != nil {
		return tidemark.Null, &tidemark.Error{Code: tidemark.CodeSchema, Msg: "an edit of a text cannot be read: " + err.Error()}
	}
	text, err := edit.Patch.Apply(on.Str())
	if err == nil {
		return tidemark.Text(text), nil
	}
	typed := ""
	for _, s := range edit.Patch {
		typed += s.Insert
	}
	return tidemark.Text(typed), nil
}

// unpatched takes an accepted edit of a text back.
func unpatched(now tidemark.Value, body string) (tidemark.Value, bool) {
	patch, err := splice.ParseBody(body)
	if err != nil {
		return tidemark.Null, false
	}
	if patch, err = patch.Invert(); err != nil {
		return tidemark.Null, false
	}
	text, err := patch.Apply(now.Str())
	return tidemark.Text(text), err == nil
}

// insert decides about an insert.
func (j *trial) insert(t *tidemark.Table, c *tidemark.Change, row tidemark.RowState, seen bool) error {
	switch {
	case row.Values == nil || j.leaves(rowID{t.ID, t.KeyID(c.Key)}):
		j.write = append(j.write, *c)
		return nil
	case !seen:
		return taken(t, c) // what is there stays unknown, and untouched
	case slices.Equal(row.Values[:min(len(c.New), len(row.Values))], c.New):
		return nil
	case t.Policy.OnInsert == tidemark.InsertMerge:
		return j.cells(&encounter{t: t, c: asUpdate(t, c, row), row: row, blind: true})
	}
	return taken(t, c)
}

// asUpdate is what an insert would change of the row that has its key already.
func asUpdate(t *tidemark.Table, c *tidemark.Change, row tidemark.RowState) *tidemark.Change {
	u := &tidemark.Change{Table: c.Table, Op: tidemark.Update, Key: c.Key, MadeAt: c.MadeAt}
	for col, v := range c.New {
		if now, _ := valueAt(row.Values, col); v != now && !slices.Contains(t.Key, col) {
			u.Cols, u.New = append(u.Cols, col), append(u.New, v)
		}
	}
	return u
}

// neverThere rejects an update of a row that the server never had: the
// changeset that inserted it was rejected before.
func neverThere(t *tidemark.Table, c *tidemark.Change) error {
	return &tidemark.Error{
		Code: tidemark.CodeDependsOn, Table: t.Name, Key: c.Key,
		Msg: fmt.Sprintf("it changes a row of %s that the server never had: what inserted the row was rejected", t.Name),
	}
}

// taken rejects an insert under a key that another row has.
func taken(t *tidemark.Table, c *tidemark.Change) error {
	return &tidemark.Error{
		Code: tidemark.CodeUnique, Table: t.Name, Key: c.Key, Columns: t.ColumnNames(t.Key), Other: c.Key,
		Msg: fmt.Sprintf("a row of %s with this primary key is there already", t.Name),
	}
}
