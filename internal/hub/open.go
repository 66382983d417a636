package hub

import (
	"strings"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/wire"
)

// openConflicts remembers under which ids conflicts wait for a decision, so
// that an edit which follows up an undecided one of the same replica finds its
// record. It is a hint: what it says is looked up. It holds at least what the
// table holds, and may hold what was undone.
type openConflicts struct {
	ids map[openCell]string // nil: not read yet
}

type openCell struct{ replica, table, row, column string }

// find returns the open record that a replica's edit of a cell follows up:
// made by a changeset whose outcome the replica had not seen yet.
func (o *openConflicts) find(j *trial, t *tidemark.Table, r *record) (id string, row []tidemark.Value, err error) {
	if o.ids == nil {
		if err := o.load(j.g.tx, t); err != nil {
			return "", nil, err
		}
	}
	cell := cellOf(j.cs.Replica, r)
	if id = o.ids[cell]; id == "" {
		return "", nil, nil
	}
	state, err := j.g.tx.Row(t.ID, []tidemark.Value{tidemark.Text(id)})
	if err != nil || state.Values == nil {
		return "", nil, err
	}
	now, seq, open := openRow(t, state.Values)
	if !open || now != cell || seq <= j.cs.Seen {
		return "", nil, nil
	}
	return id, state.Values, nil
}

func (o *openConflicts) add(replica string, r *record, id string) { o.ids[cellOf(replica, r)] = id }

func cellOf(replica string, r *record) openCell {
	return openCell{replica, r.table.Name, string(wire.AppendValues(nil, r.key)), r.column().Str()}
}

// load reads the whole table once.
func (o *openConflicts) load(v tidemark.View, t *tidemark.Table) error {
	o.ids = map[openCell]string{}
	return eachRow(v, t, func(row []tidemark.Value) {
		if cell, _, open := openRow(t, row); open {
			o.ids[cell] = row[t.Key[0]].Str()
		}
	})
}

// openRow reads what find needs of a record.
func openRow(t *tidemark.Table, row []tidemark.Value) (cell openCell, seq tidemark.Seq, open bool) {
	for col := range t.Columns {
		switch v := row[col]; t.Columns[col].Name {
		case "state":
			open = v == tidemark.Text(tidemark.StateOpen)
		case "tbl":
			cell.table = v.Str()
		case "row":
			cell.row = v.Str()
		case "col":
			cell.column = v.Str()
		case "mine_by":
			cell.replica, _, _ = strings.Cut(v.Str(), "/")
		case "seq":
			seq = tidemark.Seq(v.Int64())
		}
	}
	return cell, seq, open
}

// rowsPerRead bounds what is held of a table that is read whole.
const rowsPerRead = 1000

func eachRow(v tidemark.View, t *tidemark.Table, fn func(row []tidemark.Value)) error {
	var after []tidemark.Value
	for {
		rows, more, err := v.Rows(nil, t.ID, after, nil, rowsPerRead)
		if err != nil {
			return err
		}
		for _, row := range rows {
			fn(row)
		}
		if !more || len(rows) == 0 {
			return nil
		}
		after = t.KeyOf(rows[len(rows)-1])
	}
}
