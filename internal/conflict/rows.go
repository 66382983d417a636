package conflict

import (
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/lite"
	"github.com/tidemarkdb/tidemark/internal/row"
)

// takeRow makes one side of a conflict about a whole row true.
func (j *judge) takeRow(side string) (*Resolved, error) {
	want, other := j.c.Rows.Mine, j.c.Rows.Theirs
	if side == tidemark.WinnerTheirs {
		want, other = other, want
	}
	now, err := row.Get(j.db, j.t, j.c.Key)
	if err != nil {
		return nil, err
	}
	res := j.result()
	res.IDs = []string{j.c.ID}
	res.Moved = j.rowMoved(now)
	// SQLite gives the id of a deleted row to another one.
	another := now != nil && j.left() == nil && j.c.State != tidemark.StateResolved
	switch {
	case want == nil && another:
		res.Moved = false // the row that the conflict is about stays deleted
	case want == nil:
		err = j.remove(res, now)
	case now == nil:
		err = j.insert(res, want, other)
	case another:
		return nil, &tidemark.Error{Code: tidemark.CodeUnique, Op: "resolve", Table: j.t.Name, Key: j.c.Key, Columns: j.t.ColumnNames(j.t.Key),
			Msg:  "a row with this key was inserted since, which may be another row",
			Hint: "the record shows the values: write them where they belong, then set the record to resolved"}
	default:
		err = j.update(res, want, now)
	}
	if err != nil {
		return nil, err
	}
	return res, j.settle(res)
}

// left is the side that the conflict left in the table.
func (j *judge) left() map[string]tidemark.Value {
	if j.c.Winner == tidemark.WinnerTheirs {
		return j.c.Rows.Theirs
	}
	return j.c.Rows.Mine
}

// rowMoved reports whether the row came, went or changed since the conflict was recorded.
func (j *judge) rowMoved(now []tidemark.Value) bool {
	if j.c.State == tidemark.StateResolved || j.c.Winner == tidemark.WinnerBoth {
		return false
	}
	left := j.left()
	if (left == nil) != (now == nil) {
		return true
	}
	for name, v := range left {
		if col := j.t.Place(name); col >= 0 && now[col] != v {
			return true
		}
	}
	return false
}

func (j *judge) remove(res *Resolved, now []tidemark.Value) error {
	if now == nil {
		return nil
	}
	res.Row = RowDeleted
	_, err := row.Delete(j.db, j.t, j.c.Key)
	return err
}

// insert puts a row back: what both started from, with the edit of one side.
// Where the start is not known, the other side stands in for columns that the
// edit does not name.
func (j *judge) insert(res *Resolved, want, other map[string]tidemark.Value) error {
	whole := map[int]tidemark.Value{}
	for i, col := range j.t.Key {
		whole[col] = j.c.Key[i]
	}
	for _, side := range []map[string]tidemark.Value{other, j.c.Rows.Base, want} {
		for name, v := range side {
			if col := j.t.Place(name); col >= 0 {
				whole[col] = v
			}
		}
	}
	var names, marks []string
	var values []tidemark.Value
	for i, col := range slices.Sorted(maps.Keys(whole)) {
		names = append(names, lite.Quote(j.t.Columns[col].Name))
		marks = append(marks, "?"+strconv.Itoa(i+1))
		values = append(values, whole[col])
	}
	res.Row = RowRestored
	return j.db.Run("INSERT OR ABORT INTO main."+lite.Quote(j.t.Name)+" ("+strings.Join(names, ", ")+
		") VALUES ("+strings.Join(marks, ", ")+")", values...)
}

// update writes the edit of one side into the row that is there: the columns
// in which the side differs from what both started from.
func (j *judge) update(res *Resolved, want map[string]tidemark.Value, now []tidemark.Value) error {
	var cols []int
	var values []tidemark.Value
	for col := range j.t.Columns {
		name := j.t.Columns[col].Name
		v, has := lookup(want, name)
		base, based := lookup(j.c.Rows.Base, name)
		if !has || based && base == v {
			continue
		}
		cols, values = append(cols, col), append(values, v)
		res.Cells = append(res.Cells, Cell{Column: name, Was: now[col], Now: v})
	}
	_, err := row.Update(j.db, j.t, j.c.Key, cols, values)
	return err
}

// lookup finds a column's value by the column's name, comparing as SQLite does.
func lookup(side map[string]tidemark.Value, column string) (tidemark.Value, bool) {
	if v, ok := side[column]; ok {
		return v, true
	}
	for name, v := range side {
		if tidemark.SameName(name, column) {
			return v, true
		}
	}
	return tidemark.Null, false
}
