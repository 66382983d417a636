package sqlite

import (
	"slices"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/capture"
	"github.com/tidemarkdb/tidemark/internal/row"
)

// Undo takes foreign changes back, see tidemark.Tx. Foreign keys and guards are
// off meanwhile: the state before needs no permission to come back, and no
// action may touch what is not named.
func (x *tx) Undo(changes []tidemark.Change) error {
	err := x.s.withoutGuards(nil, func() error {
		return x.s.loosely(loose{checks: true, keys: true}, func() error { return x.restore(changes) })
	})
	if err != nil {
		return x.s.explain("undo", err)
	}
	x.owed = false
	return capture.Clear(x.db, capture.Temp)
}

// restore deletes all changed rows first and then puts the old images, so that
// unique values may go back in any order.
func (x *tx) restore(changes []tidemark.Change) error {
	olds := make([][]tidemark.Value, len(changes))
	for i := range changes {
		c := &changes[i]
		t, err := x.table(c.Table)
		if err != nil {
			return err
		}
		if slices.Contains(c.Key, tidemark.Null) {
			if err := x.dropKeyless(t); err != nil {
				return err
			}
			continue
		}
		if olds[i], err = x.oldImage(t, c); err != nil {
			return err
		}
		err = x.attempt(func() error { _, err := row.Delete(x.db, t, c.Key); return err })
		if err != nil {
			return err
		}
	}
	for i, old := range olds {
		if old == nil {
			continue
		}
		t := x.schema.Table(changes[i].Table)
		if err := x.attempt(func() error { return row.Insert(x.db, t, old) }); err != nil {
			return err
		}
	}
	return nil
}

// oldImage returns the whole row before a change, nil when there was none.
func (x *tx) oldImage(t *tidemark.Table, c *tidemark.Change) ([]tidemark.Value, error) {
	switch c.Op {
	case tidemark.Insert:
		return nil, nil
	case tidemark.Delete:
		return c.Old, nil
	}
	now, err := row.Get(x.db, t, c.Key)
	if err != nil || now == nil {
		return nil, err
	}
	for i, col := range c.Cols {
		now[col] = valueAt(c.Old, i)
	}
	return now, nil
}
