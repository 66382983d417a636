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
	if err := p.touch(id, e); err != nil {
		return err
	}
	switch e.op {
	case opAbsent:
		p.state[id] = nil
		p.moves = append(p.moves, move{kind: appears, id: id})
	case opVacant:
		p.state[id] = nil
	case opPart:
		if p.state[id] != nil { // else the row's history before an insert, told by a trigger of the app
			p.state[id] = e.over(p.state[id])
		}
	case opDelete, opImage:
		p.state[id] = e.over(p.present(id, e.table))
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
func (p *pass) touch(id rowID, e entry) error {
	if t := p.touched[id]; t != nil {
		t.first = e.n
		return nil
	}
	state, known := p.state[id]
	if !known {
		live, err := row.Get(p.db, e.table, e.key)
		if err != nil {
			return err
		}
		state = live
		p.state[id] = state
	}
	p.touched[id] = &touch{table: e.table, after: state, first: e.n}
	return nil
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

// present returns the row's state, or a row of defaults when it is absent: the
// record fills in what its trigger knew, and columns that are younger than the
// trigger can only have had their default.
func (p *pass) present(id rowID, t *tidemark.Table) image {
	if s := p.state[id]; s != nil {
		return s
	}
	if p.defaults[t.ID] == nil {
		p.defaults[t.ID] = p.defaultRow(t)
	}
	return p.defaults[t.ID]
}

// defaultRow evaluates the defaults that ALTER TABLE ADD COLUMN allows, which
// are constants. Others concern columns that every trigger knows.
func (p *pass) defaultRow(t *tidemark.Table) image {
	out := make(image, len(t.Columns))
	for i, c := range t.Columns {
		if c.Default == "" {
			continue
		}
		v, err := p.db.Get("SELECT " + c.Default)
		if err != nil || len(v) != 1 {
			continue
		}
		out[i] = v[0]
		if c.Affinity == tidemark.AffinityReal && v[0].Kind() == tidemark.KindInt {
			out[i] = tidemark.Real(v[0].Float64())
		}
	}
	return out
}
