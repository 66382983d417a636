package hub

import (
	"encoding/json"
	"fmt"
	"strconv"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/merge"
	"github.com/tidemarkdb/tidemark/internal/planted"
	"github.com/tidemarkdb/tidemark/internal/wire"
)

// wholeRow stands for a column where a conflict is about the row.
const wholeRow = -1

// finding is what a meeting came to.
type finding struct {
	col          int // wholeRow: the row; then the values are JSON objects
	unit         string
	policy       tidemark.Policy
	verdict      merge.Verdict
	base, theirs tidemark.Value
	by           string // who wrote theirs, "" when that is not known
}

// record is a finding that becomes a row of the conflicts table.
type record struct {
	finding
	table  *tidemark.Table
	key    []tidemark.Value
	madeAt int64
}

// note takes a finding into the outcome, and into the records unless the
// table throws losers away. What waits for a decision is always kept.
func (j *trial) note(t *tidemark.Table, c *tidemark.Change, f finding) {
	v := &f.verdict
	if !v.Lost && !v.Over && !v.Open {
		return
	}
	key := c.Key
	cell := tidemark.Cell{Table: t.Name, Key: key}
	if f.col != wholeRow {
		cell.Column = t.Columns[f.col].Name
	}
	if v.Over {
		j.outcome.Over = append(j.outcome.Over, cell)
	}
	switch {
	case v.Lost && f.col == wholeRow && c.Op == tidemark.Update:
		j.outcome.Lost = append(j.outcome.Lost, cells(t, c)...)
	case v.Lost:
		j.outcome.Lost = append(j.outcome.Lost, cell)
	}
	if v.Open || t.Policy.Keep != tidemark.KeepNothing && t.Name != tidemark.ConflictsTable {
		r := record{finding: f, table: t, key: key, madeAt: c.MadeAt}
		if r.madeAt == 0 {
			r.madeAt = j.cs.MadeAt
		}
		j.records = append(j.records, r)
	}
}

// cells names the values of an update that found no row.
func cells(t *tidemark.Table, c *tidemark.Change) []tidemark.Cell {
	out := make([]tidemark.Cell, len(c.Cols))
	for i, col := range c.Cols {
		out[i] = tidemark.Cell{Table: t.Name, Key: c.Key, Column: t.Columns[col].Name}
	}
	return out
}

// keepRecords adds the rows of the conflicts table to what is written. A file
// whose conflicts table is gone, or no longer syncs, keeps none.
func (j *trial) keepRecords() error {
	if len(j.records) == 0 || planted.Is(planted.ForgetLosers) {
		return nil
	}
	t := j.schema.Named(tidemark.ConflictsTable)
	if t == nil || t.Out != "" {
		return nil
	}
	w := recorder{j: j, t: t, open: &j.g.hub.open, used: map[string]bool{}}
	for i := range j.write {
		if c := &j.write[i]; c.Table == t.ID {
			w.used[t.KeyID(movedTo(t, c))], w.used[t.KeyID(c.Key)] = true, true
		}
	}
	for i := range j.records {
		if err := w.keep(&j.records[i]); err != nil {
			return err
		}
	}
	return nil
}

// recorder writes records.
type recorder struct {
	j    *trial
	t    *tidemark.Table
	open *openConflicts
	used map[string]bool // ids that the changeset is about
	next int
}

func (w *recorder) keep(r *record) error {
	waits := r.verdict.Open && r.col != wholeRow // of a row each edit says something else
	if waits {
		id, row, err := w.open.find(w.j, w.t, r)
		if err != nil {
			return err
		}
		if id != "" && !w.used[w.t.KeyID([]tidemark.Value{tidemark.Text(id)})] {
			w.again(id, row, r)
			return nil
		}
	}
	id, err := w.id()
	if err != nil {
		return err
	}
	row, ok := w.row(id, r)
	if !ok {
		return nil // somebody made the table another one
	}
	if waits {
		w.open.add(w.j.cs.Replica, r, id)
	}
	w.j.write = append(w.j.write, tidemark.Change{Table: w.t.ID, Op: tidemark.Insert, Key: w.t.KeyOf(row), New: row})
	return nil
}

// again updates the open record of a cell that the same replica edited again.
func (w *recorder) again(id string, row []tidemark.Value, r *record) {
	w.used[w.t.KeyID([]tidemark.Value{tidemark.Text(id)})] = true
	c := tidemark.Change{Table: w.t.ID, Op: tidemark.Update, Key: w.t.KeyOf(row)}
	values := w.values(id, r)
	for col := range w.t.Columns {
		switch name := w.t.Columns[col].Name; name {
		case "mine", "mine_by", "made_at", "at", "seq", "theirs", "theirs_by":
			if v := values[name]; v != row[col] {
				c.Cols, c.New = append(c.Cols, col), append(c.New, v)
			}
		}
	}
	w.j.write = append(w.j.write, c)
}

// id finds a free id. Ids of others are there only when a program made them up.
func (w *recorder) id() (string, error) {
	for {
		w.next++
		id := fmt.Sprintf("%d-%d", w.j.g.head+1, w.next)
		key := []tidemark.Value{tidemark.Text(id)}
		if w.used[w.t.KeyID(key)] {
			continue
		}
		row, err := w.j.g.tx.Row(w.t.ID, key)
		if err != nil {
			return "", err
		}
		if row.Values == nil {
			return id, nil
		}
	}
}

// row lays a record out as the conflicts table has its columns, and reports
// whether it has them all.
func (w *recorder) row(id string, r *record) ([]tidemark.Value, bool) {
	values := w.values(id, r)
	row := make([]tidemark.Value, len(w.t.Columns))
	found := 0
	for col := range w.t.Columns {
		v, ok := values[w.t.Columns[col].Name]
		if ok {
			found++
		}
		row[col] = v
	}
	return row, found == len(values) && len(w.t.Key) == 1 && w.t.Columns[w.t.Key[0]].Name == "id"
}

func (w *recorder) values(id string, r *record) map[string]tidemark.Value {
	v := &r.verdict
	state, base := tidemark.StateKept, r.base
	if v.Open {
		state = tidemark.StateOpen
	}
	if base.Size()+r.theirs.Size()+v.Mine.Size() > w.j.g.hub.opts.Limits.Row {
		base = tidemark.Null // the values that somebody may want back matter more
	}
	return map[string]tidemark.Value{
		"id":        tidemark.Text(id),
		"state":     tidemark.Text(state),
		"tbl":       tidemark.Text(r.table.Name),
		"row":       tidemark.Text(string(wire.AppendValues(nil, r.key))),
		"col":       r.column(),
		"unit":      textOrNull(r.unit),
		"policy":    tidemark.Text(string(r.policy)),
		"winner":    tidemark.Text(r.winner()),
		"base":      base,
		"theirs":    r.theirs,
		"mine":      v.Mine,
		"theirs_by": textOrNull(r.by),
		"mine_by":   tidemark.Text(w.j.cs.Replica + "/" + strconv.FormatInt(w.j.cs.N, 10)),
		"author":    tidemark.Text(w.j.author),
		"made_at":   tidemark.Int(r.madeAt),
		"at":        tidemark.Int(w.j.g.now),
		"seq":       tidemark.Int(int64(w.j.g.head + 1)),
	}
}

func (r *record) column() tidemark.Value {
	if r.col == wholeRow {
		return tidemark.Null
	}
	return tidemark.Text(r.table.Columns[r.col].Name)
}

func (f *finding) winner() string {
	switch {
	case f.verdict.Lost && f.verdict.Over:
		return tidemark.WinnerBoth
	case f.verdict.Over:
		return tidemark.WinnerMine
	}
	return tidemark.WinnerTheirs
}

func textOrNull(s string) tidemark.Value {
	if s == "" {
		return tidemark.Null
	}
	return tidemark.Text(s)
}

// rowObject writes a row as a JSON object by column name; NULL for no row.
func rowObject(t *tidemark.Table, row []tidemark.Value) tidemark.Value {
	if row == nil {
		return tidemark.Null
	}
	cols := make([]int, len(row))
	for i := range cols {
		cols[i] = i
	}
	return columnsObject(t, cols, row)
}

// columnsObject writes some columns of a row.
func columnsObject(t *tidemark.Table, cols []int, values []tidemark.Value) tidemark.Value {
	b := []byte{'{'}
	for i, col := range cols {
		if i > 0 {
			b = append(b, ',')
		}
		name, _ := json.Marshal(t.Columns[col].Name) // a string always can
		b = append(append(b, name...), ':')
		b = wire.AppendValue(b, values[i])
	}
	return tidemark.Text(string(append(b, '}')))
}
