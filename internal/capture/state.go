package capture

import (
	"slices"
	"strings"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/row"
)

func logQuery(place Place) string { return strings.Replace(readLog, "%LOG%", place.log(), 1) }

// apply puts one fact in force: behind it lies what the pass knows, before it
// lies what the fact says.
func (p *pass) apply(e entry) error {
	id := rowID{e.table.ID, e.table.KeyID(e.key)}
	r, err := p.touch(id, e)
	if err != nil {
		return err
	}
	switch e.op {
	case opAbsent:
		r.now = nil
		p.moves = append(p.moves, move{kind: appears, id: id})
	case opVacant:
		r.now = nil
	case opPart:
		if r.now != nil { // else the row's history before an insert, told by a trigger of the app
			r.now = e.over(r.now)
		}
	case opDelete, opImage:
		if r.now == nil {
			r.now = p.defaultRow(e.table)
		}
		r.now = e.over(r.now)
		if e.op == opDelete && e.group == 0 {
			p.moves = append(p.moves, move{kind: disappears, id: id})
		}
	case opTo:
		p.arrival = id
	case opFrom:
		p.moves = append(p.moves, move{kind: moved, id: id, to: p.arrival})
	}
	return nil
}

// touch makes sure that the row's state is known and that the segment knows
// what the row was at its end.
func (p *pass) touch(id rowID, e entry) (*rowState, error) {
	r := p.rows[id]
	if r == nil {
		live, err := row.Get(p.db, e.table, e.key)
		if err != nil {
			return nil, err
		}
		r = &rowState{table: e.table, now: live}
		p.rows[id] = r
	}
	if r.segment != p.number {
		r.segment, r.after, r.at, r.last = p.number, r.now, 0, 0
		p.touched = append(p.touched, id)
	}
	r.first = e.n
	// The pass comes from the end: the first time that it meets is the last edit's.
	if r.last == 0 {
		r.last = e.at
	}
	if r.at == 0 && e.timely() {
		r.at = e.at
	}
	return r, nil
}

// timely reports whether the record's time is that of an edit of a column which keeps the newest.
func (e entry) timely() bool {
	return e.op != opPart || e.lay.newest < 0 || e.mask&e.lay.newest != 0
}

// edited is the time that counts for the row.
func (r *rowState) edited() int64 {
	if r.at == 0 {
		return r.last
	}
	return r.at
}

// over returns a copy of the row with the record's key and cells in place.
func (e entry) over(before image) image {
	out := slices.Clone(before)
	for i, c := range e.table.Key {
		out[c] = e.key[i]
	}
	for i, c := range e.lay.group(e.group) {
		if e.mask&(1<<i) != 0 {
			out[c] = e.cells[i]
		}
	}
	return out
}

// defaultRow is what a record of a whole row is laid over: it fills in what its
// trigger knew, and columns that are younger than the trigger can only have had
// their default, which ALTER TABLE ADD COLUMN wants to be a constant.
func (p *pass) defaultRow(t *tidemark.Table) image {
	if row := p.defaults[t.ID]; row != nil {
		return row
	}
	out := make(image, len(t.Columns))
	for i, c := range t.Columns {
		if c.Default == "" {
			continue
		}
		v, err := p.db.Get("SELECT " + c.Default)
		if err != nil || len(v) != 1 {
			continue // not a constant, so every trigger knows the column
		}
		out[i] = v[0]
		if c.Affinity == tidemark.AffinityReal && v[0].Kind() == tidemark.KindInt {
			out[i] = tidemark.Real(v[0].Float64())
		}
	}
	p.defaults[t.ID] = out
	return out
}
