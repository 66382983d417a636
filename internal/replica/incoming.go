package replica

import (
	"fmt"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/row"
)

// incoming writes confirmed changes into the tables. Where held is not nil,
// rows that pending touches are not written but kept in it.
type incoming struct {
	a    *attempt
	w    rowWriter
	held images
}

// bringIn writes the job's confirmed rows. With hold it leaves rows that
// pending touches alone and returns what they are now confirmed to be.
func (a *attempt) bringIn(hold bool) error {
	_, err := a.bring(hold)
	return err
}

func (a *attempt) bring(hold bool) (images, error) {
	in := &incoming{a: a, w: rowWriter{db: a.db, confirmed: true}}
	if hold {
		in.held = images{}
	}
	if a.job.rows == nil {
		return in.held, nil
	}
	if err := a.job.rows(in.take); err != nil {
		return nil, err
	}
	return in.held, in.w.finish(in.refused)
}

// take applies one confirmed change.
func (in *incoming) take(c *tidemark.Change) error {
	t := synced(in.a.r.schema, c.Table)
	if t == nil {
		return nil
	}
	if !wellFormed(t, c) {
		return &tidemark.Error{Code: tidemark.CodeProtocol, Msg: fmt.Sprintf("a change of %s does not fit the table", t.Name)}
	}
	id := idOf(t, c.Key)
	before, waits := in.w.shown(id)
	if waits {
		return in.write(t, id, before, confirmedAfter(t, before, c))
	}
	if in.held != nil && in.a.pending[t.ID] {
		image, held, err := in.lookAside(id)
		if err != nil {
			return err
		}
		if held {
			after := confirmedAfter(t, image, c)
			if after != nil && len(after) < len(t.Columns) {
				return in.a.narrow(connected, "a row of an older schema")
			}
			in.held[id] = after
			in.a.tally.change(t, image, after)
			return nil
		}
	}
	if in.a.suspended[t.ID] {
		if err := in.a.narrow(whole, "a suspended changeset may depend on it"); err != nil {
			return err
		}
	}
	before, err := row.Get(in.a.db, t, c.Key)
	if err != nil {
		return err
	}
	return in.write(t, id, before, confirmedAfter(t, before, c))
}

// lookAside finds the confirmed image of a row that pending touches.
func (in *incoming) lookAside(id rowID) (image []tidemark.Value, held bool, err error) {
	if image, held = in.held[id]; held {
		return image, true, nil
	}
	return baseImage(in.a.db, id)
}

// confirmedAfter is what a confirmed change makes of a row. An update of a row
// that is not here leaves it absent; the sums will tell.
func confirmedAfter(t *tidemark.Table, before []tidemark.Value, c *tidemark.Change) []tidemark.Value {
	switch c.Op {
	case tidemark.Insert:
		return c.New
	case tidemark.Update:
		if before == nil {
			return nil
		}
		return withColumns(t, before, c)
	}
	return nil
}

// withColumns is a copy of an image with an update's columns set.
func withColumns(t *tidemark.Table, image []tidemark.Value, c *tidemark.Change) []tidemark.Value {
	after := append(make([]tidemark.Value, 0, len(t.Columns)), image...)
	for i, col := range c.Cols {
		if col >= 0 && col < len(after) && i < len(c.New) {
			after[col] = c.New[i]
		}
	}
	return after
}

func (in *incoming) write(t *tidemark.Table, id rowID, before, after []tidemark.Value) error {
	a := in.a
	if equal(before, after) {
		return nil
	}
	err := in.w.set(t, id, before, after)
	if v := refusalOf(err); v != nil {
		return in.refused(t, id, nil, err)
	}
	if err != nil {
		return err
	}
	if after != nil && len(after) < len(t.Columns) {
		if after, err = row.Get(a.db, t, t.KeyOf(after)); err != nil {
			return err
		}
	}
	a.tally.change(t, before, after)
	if _, laidBack := a.undone[id]; laidBack {
		return a.meets(t)
	}
	return a.visible(t, before, after)
}

// refused judges a confirmed row that the table does not take. after is what
// the sums count already.
func (in *incoming) refused(t *tidemark.Table, id rowID, after []tidemark.Value, why error) error {
	if err := in.a.refusedConfirmed(t, id, after, why); err != nil {
		return err
	}
	if after != nil {
		in.a.tally.change(t, after, nil)
	}
	return nil
}
