package oracle

import (
	"slices"

	"github.com/tidemarkdb/tidemark"
)

// Hook says what somebody's code on the server does to one row that a changeset
// changes; old is nil for an insert, row for a delete.
type Hook func(old, row Row) Ruling

// Ruling is what a Hook says. The zero Ruling leaves the change as it is.
type Ruling struct {
	Code tidemark.Code          // rejects the changeset
	Drop bool                   // the change is not done
	Set  map[int]tidemark.Value // columns that get other values
	Add  *Addition              // nil: nothing else is written
}

// Addition is what a Hook writes into a row of another table. Of several in one
// changeset the greatest stands.
type Addition struct {
	Table  string
	ID     tidemark.Value // in its first column; where no row has it nothing happens
	Column int
	Value  int64
}

// hooked lets the hooks of tables rule on what the changeset did to their rows.
func (j *judgement) hooked() {
	var most *Addition
	for _, t := range j.model.Tables {
		if t.Hook == nil {
			continue
		}
		for _, key := range unionKeys(j.before[t.Name], j.after[t.Name]) {
			old, row := j.before[t.Name][key], j.after[t.Name][key]
			if slices.Equal(old, row) {
				continue
			}
			r := t.Hook(old, row)
			if most == nil || r.Add != nil && r.Add.Value > most.Value {
				most = r.Add
			}
			switch {
			case r.Code != "":
				j.refuse(r.Code)
			case r.Drop:
				j.drop(t, key, old)
			case row != nil:
				j.amend(t, key, old, row, r.Set)
			}
		}
	}
	j.add(most)
}

// add writes what a hook adds.
func (j *judgement) add(a *Addition) {
	if a == nil {
		return
	}
	for _, row := range j.after[a.Table] {
		if row[0] == a.ID {
			row = slices.Clone(row)
			row[a.Column] = tidemark.Int(a.Value)
			j.model.Put(j.after, a.Table, row)
			return
		}
	}
}

// drop undoes the change of a row.
func (j *judgement) drop(t *Table, key string, old Row) {
	j.lost++
	j.losers = append(j.losers, Loser{Table: t.Name, Key: key, Column: -1, Winner: "theirs", Policy: "hook"})
	if delete(j.after[t.Name], key); old != nil {
		j.model.Put(j.after, t.Name, old)
	}
}

// amend gives columns other values. What the author wrote there is lost, unless
// he left it out.
func (j *judgement) amend(t *Table, key string, old, row Row, set map[int]tidemark.Value) {
	row = slices.Clone(row)
	for col := range row {
		v, is := set[col]
		if !is || v == row[col] {
			continue
		}
		if j.set[cell{t.Name, key, col}] && !(old == nil && row[col].IsNull()) {
			j.lost++
			j.losers = append(j.losers, Loser{Table: t.Name, Key: key, Column: col, Winner: "theirs", Policy: "hook"})
		}
		row[col] = v
	}
	j.model.Put(j.after, t.Name, row)
}
