package hub

import (
	"slices"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/merge"
)

// setNull names, in records, what became of a reference to a row that was
// deleted meanwhile.
const setNull tidemark.Policy = "set-null"

// reference is one that a row makes to the primary key of another.
type reference struct {
	fk     *tidemark.ForeignKey
	parent *tidemark.Table
	key    []tidemark.Value
}

// references lists those of a row's foreign keys that name a parent by its key.
func references(s *tidemark.Schema, t *tidemark.Table, row []tidemark.Value) []reference {
	var out []reference
	for i := range t.ForeignKeys {
		fk := &t.ForeignKeys[i]
		parent := s.Named(fk.Parent)
		if parent == nil || parent.Out != "" || len(fk.To) != len(parent.Key) {
			continue
		}
		if key := parentKey(fk, parent, row); key != nil {
			out = append(out, reference{fk, parent, key})
		}
	}
	return out
}

// parentKey returns the parent's key that a row refers to, nil for none.
func parentKey(fk *tidemark.ForeignKey, parent *tidemark.Table, row []tidemark.Value) []tidemark.Value {
	key := make([]tidemark.Value, len(parent.Key))
	for k, col := range parent.Key {
		i := slices.IndexFunc(fk.To, func(to string) bool { return tidemark.SameName(to, parent.Columns[col].Name) })
		if i < 0 || fk.Columns[i] < 0 {
			return nil
		}
		if key[k], _ = valueAt(row, fk.Columns[i]); key[k].IsNull() {
			return nil
		}
	}
	return key
}

// dropOrphans sets references to NULL where the table says so, whose parents
// somebody else deleted meanwhile.
func (j *trial) dropOrphans() error {
	there := rowSet{} // what the changeset itself brings
	for i := range j.write {
		if c := &j.write[i]; c.Op != tidemark.Delete {
			t := j.schema.Table(c.Table)
			there[rowID{t.ID, t.KeyID(movedTo(t, c))}] = true
		}
	}
	for i := range j.write {
		c := &j.write[i]
		t := j.schema.Table(c.Table)
		if c.Op == tidemark.Delete || !forgives(t) {
			continue
		}
		row, err := j.after(t, c)
		if err != nil {
			return err
		}
		for _, r := range references(j.schema, t, row) {
			if err := j.dropOrphan(t, c, r, there); err != nil {
				return err
			}
		}
	}
	return nil
}

// forgives reports whether a table has references that may become NULL.
func forgives(t *tidemark.Table) bool {
	return slices.ContainsFunc(t.ForeignKeys, func(fk tidemark.ForeignKey) bool { return fk.SetNull })
}

// after is the row as a change would leave it.
func (j *trial) after(t *tidemark.Table, c *tidemark.Change) ([]tidemark.Value, error) {
	if c.Op == tidemark.Insert {
		return c.New, nil
	}
	row, err := j.g.tx.Row(t.ID, c.Key)
	if err != nil {
		return nil, err
	}
	values := slices.Clone(row.Values)
	for i, col := range c.Cols {
		if col < len(values) {
			values[col] = c.New[i]
		}
	}
	return values, nil
}

func (j *trial) dropOrphan(t *tidemark.Table, c *tidemark.Change, r reference, there rowSet) error {
	if !r.fk.SetNull || there[rowID{r.parent.ID, r.parent.KeyID(r.key)}] {
		return nil
	}
	parent, err := j.g.tx.Row(r.parent.ID, r.key)
	if err != nil || parent.Values != nil || parent.Seq <= j.cs.Seen || parent.Writer == j.cs.Replica {
		return err
	}
	// To an author who could not see it, it was never there.
	if seen, err := j.sees(r.parent, r.key, parent); !seen || err != nil {
		return err
	}
	for _, col := range r.fk.Columns {
		if col >= 0 && !t.Columns[col].NotNull && !slices.Contains(t.Key, col) {
			j.loseCell(t, c, col, tidemark.Null, setNull, parent.Writer)
		}
	}
	return nil
}

// loseCell puts another value in the place of one that the changeset brings,
// and notes that it did not survive.
func (j *trial) loseCell(t *tidemark.Table, c *tidemark.Change, col int, v tidemark.Value, why tidemark.Policy, by string) {
	mine, ok := valueOf(c, col)
	if !ok || mine == v {
		return
	}
	c.New = slices.Clone(c.New)
	if c.Op == tidemark.Insert {
		c.New[col] = v
	} else {
		setColumn(c, col, v)
	}
	j.note(t, c, finding{col: col, policy: why, theirs: v, by: by, verdict: merge.Verdict{Value: v, Mine: mine, Lost: true}})
}

// valueOf returns what a change gives a column.
func valueOf(c *tidemark.Change, col int) (tidemark.Value, bool) {
	if c.Op == tidemark.Insert {
		return valueAt(c.New, col)
	}
	i, ok := slices.BinarySearch(c.Cols, col)
	if !ok {
		return tidemark.Null, false
	}
	return c.New[i], true
}

// refsOf lists the references of a row that a foreign key refused.
func (j *trial) refsOf(e *tidemark.Error) ([]reference, error) {
	t := j.schema.Named(e.Table)
	if t == nil || len(e.Key) != len(t.Key) {
		return nil, nil
	}
	id := t.KeyID(e.Key)
	for i := range j.write {
		c := &j.write[i]
		if c.Table != t.ID || c.Op == tidemark.Delete || t.KeyID(movedTo(t, c)) != id {
			continue
		}
		row, err := j.after(t, c)
		return references(j.schema, t, row), err
	}
	return nil, nil
}
