package capture

import "github.com/tidemarkdb/tidemark"

// Changes turns row changes into changes: insert, update with only the columns
// that differ, delete; a key change is an update that sets key columns. Old is
// filled in, and MadeAt where the table keeps it.
func Changes(rows []RowChange) []tidemark.Change {
	out := make([]tidemark.Change, 0, len(rows))
	for _, r := range rows {
		out = append(out, change(r))
	}
	return out
}

func change(r RowChange) tidemark.Change {
	c := tidemark.Change{Table: r.Table.ID, MadeAt: r.EditedAt}
	switch {
	case r.Before == nil:
		c.Op, c.Key, c.New = tidemark.Insert, r.Table.KeyOf(r.After), r.After
		return c
	case r.After == nil:
		c.Op, c.Key, c.Old, c.MadeAt = tidemark.Delete, r.Table.KeyOf(r.Before), r.Before, 0
		return c
	}
	c.Op, c.Key = tidemark.Update, r.Table.KeyOf(r.Before)
	for i, v := range r.After {
		if v != r.Before[i] {
			c.Cols = append(c.Cols, i)
			c.New = append(c.New, v)
			c.Old = append(c.Old, r.Before[i])
		}
	}
	return c
}
