package sqlite

import (
	"cmp"
	"slices"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/capture"
)

// rowID names a row across tables.
type rowID struct {
	table int
	key   string
}

// image is what a key held before and holds after; nil means no row.
type image struct {
	table         *tidemark.Table
	before, after []tidemark.Value
	editedAt      int64 // by the triggers of tables that keep it, else 0
}

// images nets row changes by key: a row that moved leaves one key and enters
// another, and two rows that traded keys are two updates.
func images(rows []capture.RowChange) map[rowID]*image {
	all := map[rowID]*image{}
	at := func(t *tidemark.Table, row []tidemark.Value) *image {
		id := rowID{t.ID, t.KeyID(t.KeyOf(row))}
		if all[id] == nil {
			all[id] = &image{table: t}
		}
		return all[id]
	}
	for _, r := range rows {
		if r.Before != nil {
			at(r.Table, r.Before).before = r.Before
		}
		if r.After != nil {
			m := at(r.Table, r.After)
			m.after, m.editedAt = r.After, r.EditedAt
		}
	}
	return all
}

// changesOf turns row changes into changes netted by key, in order of table and key.
func changesOf(rows []capture.RowChange) []tidemark.Change { return ordered(images(rows)) }

func ordered(all map[rowID]*image) []tidemark.Change {
	var out []tidemark.Change
	for _, id := range inOrder(all) {
		if c, differs := all[id].change(); differs {
			out = append(out, c)
		}
	}
	return out
}

func inOrder(all map[rowID]*image) []rowID {
	ids := make([]rowID, 0, len(all))
	for id := range all {
		ids = append(ids, id)
	}
	slices.SortFunc(ids, func(a, b rowID) int {
		return cmp.Or(cmp.Compare(a.table, b.table), cmp.Compare(a.key, b.key))
	})
	return ids
}

func (m *image) change() (tidemark.Change, bool) {
	t := m.table
	c := tidemark.Change{Table: t.ID}
	switch {
	case m.before == nil && m.after == nil:
		return c, false
	case m.before == nil:
		c.Op, c.Key, c.New, c.MadeAt = tidemark.Insert, t.KeyOf(m.after), m.after, m.editedAt
	case m.after == nil:
		c.Op, c.Key, c.Old = tidemark.Delete, t.KeyOf(m.before), m.before
	default:
		c.Op, c.Key, c.MadeAt = tidemark.Update, t.KeyOf(m.before), m.editedAt
		for i := range m.after {
			if i < len(m.before) && m.before[i] == m.after[i] {
				continue
			}
			c.Cols, c.New = append(c.Cols, i), append(c.New, m.after[i])
			c.Old = append(c.Old, valueAt(m.before, i))
		}
		return c, len(c.Cols) > 0
	}
	return c, true
}

func valueAt(row []tidemark.Value, i int) tidemark.Value {
	if i < len(row) {
		return row[i]
	}
	return tidemark.Null
}

// then lays what happened later over all.
func then(all map[rowID]*image, later []capture.RowChange) {
	for id, m := range images(later) {
		if first := all[id]; first != nil {
			first.after, first.editedAt = m.after, max(first.editedAt, m.editedAt)
			continue
		}
		all[id] = m
	}
}

func sameRow(a, b []tidemark.Value) bool {
	return (a == nil) == (b == nil) && slices.Equal(a, b)
}
