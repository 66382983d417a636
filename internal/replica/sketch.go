package replica

import (
	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/capture"
	"github.com/tidemarkdb/tidemark/internal/ids"
)

// sketch is what a changeset makes of the rows that it touches.
type sketch struct {
	tables        map[rowID]*tidemark.Table
	order         []rowID // as first touched
	before, after images
	moved         map[rowID]rowID // where an arriving row comes from
}

// strictness says what to do with an update of a row that is gone: nothing when a
// pending changeset is put back, since the server will drop that change too;
// a misfit when a person asks for the change.
type strictness bool

const (
	lax    strictness = false
	strict strictness = true
)

// sketchOf works a changeset out on the rows as they are: first what leaves,
// then what changes in place, then what arrives. So rows may trade keys.
func (a *attempt) sketchOf(changes []tidemark.Change, how strictness) (*sketch, error) {
	s := &sketch{tables: map[rowID]*tidemark.Table{}, before: images{}, after: images{}, moved: map[rowID]rowID{}}
	for i := range changes {
		if err := a.see(s, &changes[i]); err != nil {
			return nil, err
		}
	}
	for i := range changes {
		s.leave(a.r.schema, &changes[i])
	}
	for i := range changes {
		if err := a.arriveAt(s, &changes[i], how); err != nil {
			return s, err
		}
	}
	return s, nil
}

// see reads the rows that a change touches.
func (a *attempt) see(s *sketch, c *tidemark.Change) error {
	t := synced(a.r.schema, c.Table)
	if t == nil {
		return nil
	}
	if !wellFormed(t, c) {
		return &misfit{code: tidemark.CodeSchema, message: "a change does not fit the table", table: t.Name}
	}
	for _, id := range rowsOf(t, c) {
		if s.tables[id] != nil {
			continue
		}
		image, err := a.read(t, id)
		if err != nil {
			return err
		}
		s.tables[id], s.before[id], s.after[id] = t, image, image
		s.order = append(s.order, id)
	}
	return nil
}

func (s *sketch) leave(sc *tidemark.Schema, c *tidemark.Change) {
	t := synced(sc, c.Table)
	if t == nil {
		return
	}
	if rows := rowsOf(t, c); c.Op == tidemark.Delete || len(rows) == 2 {
		s.after[rows[0]] = nil
	}
}

func (a *attempt) arriveAt(s *sketch, c *tidemark.Change, how strictness) error {
	t := synced(a.r.schema, c.Table)
	if t == nil || c.Op == tidemark.Delete {
		return nil
	}
	if m := keyless(t, keyAfter(t, c)); m != nil {
		return m
	}
	rows := rowsOf(t, c)
	from, to := rows[0], rows[len(rows)-1]
	if c.Op == tidemark.Update && len(c.Cols) == 0 {
		return nil // predicted to be lost
	}
	if c.Op == tidemark.Update && s.before[from] == nil {
		return a.missing(t, from, c, how)
	}
	if c.Op == tidemark.Update && from == to {
		after, err := withColumns(t, s.after[to], c)
		if err != nil {
			return unfit(t, c, err)
		}
		s.after[to] = after
		return nil
	}
	after := c.New
	if c.Op == tidemark.Update {
		var err error
		if after, err = withColumns(t, s.before[from], c); err != nil {
			return unfit(t, c, err)
		}
	}
	if there := s.after[to]; there != nil {
		if c.Op == tidemark.Insert && (how == strict || !ids.Renumbers(t)) && equal(there[:min(len(there), len(after))], after) {
			return nil
		}
		return &misfit{code: tidemark.CodeUnique, message: "the key is taken", table: t.Name, key: keyAfter(t, c), columns: t.ColumnNames(t.Key),
			on: a.down.touched[to], row: to}
	}
	s.after[to] = after
	if c.Op == tidemark.Update {
		s.moved[to] = from
	}
	return nil
}

// unfit is an edit that cannot be made of what the row holds now.
func unfit(t *tidemark.Table, c *tidemark.Change, why error) *misfit {
	return &misfit{code: tidemark.CodeConflict, message: "the edit does not fit what is there now: " + why.Error(),
		table: t.Name, key: c.Key, columns: t.ColumnNames(c.Cols), row: idOf(t, c.Key)}
}

// missing judges an update of a row that is not here.
func (a *attempt) missing(t *tidemark.Table, id rowID, c *tidemark.Change, how strictness) error {
	if _, would := a.down.arrived[id]; would {
		return &misfit{code: tidemark.CodeDependsOn, message: "the row is not there", table: t.Name, key: c.Key, on: a.down.touched[id]}
	}
	if how == strict {
		return &misfit{code: tidemark.CodeNotFound, message: "the row is gone", table: t.Name, key: c.Key}
	}
	return nil
}

// rows are the sketch's row changes, as capture would have seen them.
func (s *sketch) rows() []capture.RowChange {
	var rows []capture.RowChange
	left := map[rowID]bool{}
	for _, to := range s.order {
		if from, ok := s.moved[to]; ok {
			left[from] = true
		}
	}
	for _, id := range s.order {
		t, before, after := s.tables[id], s.before[id], s.after[id]
		if left[id] {
			before = nil // it goes with the row that moved
		}
		if from, ok := s.moved[id]; ok {
			rows = append(rows, capture.RowChange{Table: t, Before: s.before[from], After: after})
			after = nil
		}
		if !equal(before, after) {
			rows = append(rows, capture.RowChange{Table: t, Before: before, After: after})
		}
	}
	return rows
}
