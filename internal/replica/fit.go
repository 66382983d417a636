package replica

import (
	"errors"
	"fmt"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/row"
)

// write brings a sketch into the tables: deletes, then updates, then inserts.
func (a *attempt) write(s *sketch) error {
	w := &rowWriter{db: a.db}
	for pass := 0; pass < 3; pass++ {
		for _, id := range s.order {
			before, after := s.before[id], s.after[id]
			if passOf(before, after) != pass || equal(before, after) {
				continue
			}
			if err := w.set(s.tables[id], id, before, after); err != nil {
				return asMisfit(s.tables[id], after, err)
			}
		}
	}
	err := w.finish(func(t *tidemark.Table, _ rowID, after []tidemark.Value, why error) error {
		return asMisfit(t, after, why)
	})
	if err != nil {
		return err
	}
	return a.readBack(s)
}

func passOf(before, after []tidemark.Value) int {
	switch {
	case after == nil:
		return 0
	case before != nil:
		return 1
	}
	return 2
}

// readBack completes images that were shorter than their table.
func (a *attempt) readBack(s *sketch) error {
	for _, id := range s.order {
		t, after := s.tables[id], s.after[id]
		if after == nil || len(after) == len(t.Columns) {
			continue
		}
		image, err := row.Get(a.db, t, t.KeyOf(after))
		if err != nil {
			return err
		}
		s.after[id] = image
	}
	return nil
}

// fit puts a changeset on top of the tables, or returns a misfit. Call it
// inside a savepoint.
func (a *attempt) fit(changes []tidemark.Change, how strictness) (*sketch, error) {
	s, err := a.sketchOf(changes, how)
	if err == nil {
		err = a.write(s)
	}
	if err == nil {
		err = a.lookUp(s)
	}
	var m *misfit
	if errors.As(err, &m) && m.on == 0 && s != nil {
		m.on = a.down.under(s.order)
	}
	return s, err
}

// lookUp checks the foreign keys of the rows that a sketch changed.
func (a *attempt) lookUp(s *sketch) error {
	for _, id := range s.order {
		if equal(s.before[id], s.after[id]) {
			continue
		}
		b, err := a.r.refs.check(a.db, s.tables[id], s.before[id], s.after[id])
		if err != nil {
			return err
		}
		if b != nil {
			return &misfit{code: tidemark.CodeForeignKey, table: b.ref.child.Name, columns: b.ref.child.ColumnNames(b.ref.cols),
				message: fmt.Sprintf("%s refers to a row of %s that is not there", b.ref.child.Name, b.ref.parent.Name),
				on:      a.down.parent(b), row: id}
		}
	}
	return nil
}
