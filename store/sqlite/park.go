package sqlite

import (
	"fmt"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/lite"
	"github.com/tidemarkdb/tidemark/internal/row"
)

// parkTries bounds how often another placeholder is tried for one row.
const parkTries = 8

// makeRoom takes the rows of a table out of the way that this changeset has yet
// to write: it deletes those that go and parks those that change a unique value.
// A row that cannot be parked stays; if it matters, the violation shows it.
func (b *batch) makeRoom(t *tidemark.Table, except *item) error {
	for _, i := range b.items {
		if i.table != t || i.done || i == except || i.c.Op != tidemark.Delete {
			continue
		}
		if err := b.write(i); err != nil {
			return err
		}
	}
	return b.x.s.withoutGuards(t, func() error {
		// A placeholder need not please a CHECK: nobody ever sees it.
		return b.x.s.loosely(loose{checks: true}, func() error { return b.parkAll(t, except) })
	})
}

func (b *batch) parkAll(t *tidemark.Table, except *item) error {
	for _, i := range b.items {
		if i.table != t || i.done || i == except || i.c.Op != tidemark.Update {
			continue
		}
		cols := parkable(t, i.c.Cols)
		if len(cols) == 0 {
			continue
		}
		if err := b.park(i, cols); err != nil {
			return err
		}
	}
	return nil
}

// park moves the unique values of one row out of the way.
func (b *batch) park(i *item, cols []int) error {
	if b.guard != nil {
		if err := b.guard.park(i, cols); err != nil {
			return err
		}
	}
	var err error
	for range parkTries {
		values := b.placeholders(i.table, cols)
		_, err = row.Update(b.x.db, i.table, i.key, cols, values)
		if err == nil {
			i.key = keyAfter(&item{c: &tidemark.Change{Key: i.key, Cols: cols, New: values}, table: i.table})
			return nil
		}
		if v := lite.Violation(err); v == nil || !b.x.db.InTransaction() {
			return b.x.refusal(err, i)
		}
	}
	return nil
}

// parkable picks from the columns that an update changes those that a unique
// key looks at. An expression may look at any.
func parkable(t *tidemark.Table, cols []int) []int {
	unique := map[int]bool{}
	for _, c := range t.Key {
		unique[c] = true
	}
	for _, u := range t.Uniques {
		for _, term := range u.Terms {
			if term.Column < 0 {
				return cols
			}
			unique[term.Column] = true
		}
	}
	var out []int
	for _, c := range cols {
		if unique[c] {
			out = append(out, c)
		}
	}
	return out
}

// placeholders makes values that no row is likely to have. Never NULL: a row
// that children follow by ON UPDATE CASCADE would lose them.
func (b *batch) placeholders(t *tidemark.Table, cols []int) []tidemark.Value {
	values := make([]tidemark.Value, len(cols))
	for i, c := range cols {
		b.x.s.parkings++
		n := b.x.s.parkings
		switch t.Columns[c].Affinity {
		case tidemark.AffinityInteger, tidemark.AffinityNumeric:
			values[i] = tidemark.Int(-1<<52 - n)
		case tidemark.AffinityReal:
			values[i] = tidemark.Real(-1e15 - float64(n))
		case tidemark.AffinityText:
			values[i] = tidemark.Text(fmt.Sprintf("\x01parked %d", n))
		default:
			values[i] = tidemark.Blob(fmt.Appendf(nil, "\x01parked %d", n))
		}
	}
	return values
}
