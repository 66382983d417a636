package replica

import (
	"fmt"
	"slices"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/merge"
	"github.com/tidemarkdb/tidemark/internal/row"
	"github.com/tidemarkdb/tidemark/internal/splice"
)

// incoming writes confirmed changes into the tables. Where held is not nil,
// rows that pending touches are not written but kept in it.
type incoming struct {
	a    *attempt
	w    rowWriter
	held images

	// Where scopes are declared.
	message int            // whose changes are being taken
	once    map[rowID]bool // rows that it changed
	numbers map[string]int64
	leaving map[rowID]bool // rows that left a scope
}

// last is the message that is being applied; those that were staged count from 1.
const last = -1

// bringIn writes the job's confirmed rows. With hold it leaves rows that
// pending touches alone and returns what they are now confirmed to be.
func (a *attempt) bringIn(hold bool) error {
	_, err := a.bring(hold)
	return err
}

func (a *attempt) bring(hold bool) (images, error) {
	in := &incoming{a: a, w: rowWriter{db: a.db, confirmed: true},
		once: map[rowID]bool{}, numbers: map[string]int64{}, leaving: map[rowID]bool{}}
	if hold {
		in.held = images{}
	}
	if a.job.rows != nil {
		if err := a.job.rows(in.take); err != nil {
			return nil, err
		}
	}
	if err := in.leave(); err != nil {
		return nil, err
	}
	return in.held, in.w.finish(in.refused)
}

// take applies one confirmed change.
func (in *incoming) take(from source, c *tidemark.Change) error {
	t := synced(in.a.r.schema, c.Table)
	if t == nil {
		return nil
	}
	scoped := in.a.r.server.Scoped()
	if !wellFormed(t, c) && !(scoped && forgets(t, c)) {
		return &tidemark.Error{Code: tidemark.CodeProtocol, Msg: fmt.Sprintf("a change of %s does not fit the table", t.Name)}
	}
	if scoped {
		return in.part(from, t, c)
	}
	return in.change(t, idOf(t, c.Key), c)
}

// change makes of a row what a confirmed change says.
func (in *incoming) change(t *tidemark.Table, id rowID, c *tidemark.Change) error {
	before, waits := in.w.shown(id)
	if waits {
		return in.follow(t, id, before, c)
	}
	if in.held != nil && in.a.pending[t.ID] {
		image, held, err := in.lookAside(id)
		if err != nil {
			return err
		}
		if held {
			after, err := confirmedAfter(t, image, c)
			if err != nil {
				in.differs(t, err)
				return nil
			}
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
	in.noteText(t, id, c)
	before, err := row.Get(in.a.db, t, c.Key)
	if err != nil {
		return err
	}
	return in.follow(t, id, before, c)
}

// noteText keeps what the server's edits did to texts that pending edits too.
func (in *incoming) noteText(t *tidemark.Table, id rowID, c *tidemark.Change) {
	a, m := in.a, in.a.r.merging[t.ID]
	if m == nil || len(m.text) == 0 {
		return
	}
	if _, laidBack := a.undone[id]; !laidBack {
		return
	}
	for _, col := range m.text {
		a.noteOver(cell{id, col}, c)
	}
}

func (a *attempt) noteOver(at cell, c *tidemark.Change) {
	i := slices.Index(c.Cols, at.col)
	if c.Op == tidemark.Update && i < 0 {
		return
	}
	if a.over == nil {
		a.over = map[cell]splice.Patch{}
	}
	before, more := a.over[at]
	delete(a.over, at)
	if c.Op != tidemark.Update || c.EditOf(i).Kind != tidemark.EditText || a.whole[at] {
		a.replaced(at) // then the two texts have to be compared
		return
	}
	p, err := splice.ParseBody(c.EditOf(i).Body)
	if err != nil {
		a.replaced(at)
		return
	}
	if more {
		p = splice.Compose(before, p)
	}
	a.over[at] = p
}

func (a *attempt) replaced(at cell) {
	if a.whole == nil {
		a.whole = map[cell]bool{}
	}
	a.whole[at] = true
}

// follow makes of a row what a confirmed change makes of it.
func (in *incoming) follow(t *tidemark.Table, id rowID, before []tidemark.Value, c *tidemark.Change) error {
	after, err := confirmedAfter(t, before, c)
	if err != nil {
		in.differs(t, err)
		return nil
	}
	return in.write(t, id, before, after)
}

// differs marks the copy for repair: the server edited a text that is another
// one here. The row stays as it is until the server's comes.
func (in *incoming) differs(t *tidemark.Table, why error) {
	in.a.damage = append(in.a.damage, fmt.Sprintf("a row of %s is not what the server edited: %v", t.Name, why))
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
func confirmedAfter(t *tidemark.Table, before []tidemark.Value, c *tidemark.Change) ([]tidemark.Value, error) {
	switch c.Op {
	case tidemark.Insert:
		return c.New, nil
	case tidemark.Update:
		if before == nil {
			return nil, nil
		}
		return withColumns(t, before, c)
	}
	return nil, nil
}

// withColumns is a copy of an image with an update's columns set or edited. It
// fails when an edit does not fit what the column holds.
func withColumns(t *tidemark.Table, image []tidemark.Value, c *tidemark.Change) ([]tidemark.Value, error) {
	after := append(make([]tidemark.Value, 0, len(t.Columns)), image...)
	for i, col := range c.Cols {
		if col < 0 || col >= len(after) || i >= len(c.New) {
			continue
		}
		e := c.EditOf(i)
		if e.Kind == tidemark.EditSet {
			after[col] = c.New[i]
			continue
		}
		v, err := merge.Apply(after[col], c.New[i], e)
		if err != nil {
			return nil, fmt.Errorf("column %s: %w", t.Columns[col].Name, err)
		}
		after[col] = v
	}
	return after, nil
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
