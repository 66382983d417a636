package sqlite

import (
	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/lite"
	"github.com/tidemarkdb/tidemark/internal/row"
)

// SQLite takes rows without a key: any number of NULLs in a primary key that is
// not the rowid. Nothing can name such a row, so none is ever sequenced, read or
// summed; and what another program writes is refused when it makes one.

// keyed reports whether a row has a key.
func keyed(t *tidemark.Table, values []tidemark.Value) bool {
	for _, k := range t.Key {
		if values[k].IsNull() {
			return false
		}
	}
	return true
}

// keyless returns the rows without a key of a table, as the inserts that they
// must have been: adoption takes no table that has some.
func (x *tx) keyless(t *tidemark.Table) ([]tidemark.Change, error) {
	where := row.WhereKeyless(t)
	if where == "" {
		return nil, nil
	}
	var rows []tidemark.Change
	err := x.db.Each("SELECT "+row.Columns(t)+" FROM main."+lite.Quote(t.Name)+" WHERE "+where, func(s *lite.Stmt) error {
		r := s.Row(0)
		rows = append(rows, tidemark.Change{Table: t.ID, Op: tidemark.Insert, Key: t.KeyOf(r), New: r})
		return nil
	})
	return rows, err
}

func (x *tx) dropKeyless(t *tidemark.Table) error {
	where := row.WhereKeyless(t)
	if where == "" {
		return nil
	}
	return x.db.Run("DELETE FROM main." + lite.Quote(t.Name) + " WHERE " + where)
}

// refuseKeyless says what is wrong with a row without a key.
func (x *tx) refuseKeyless(c *tidemark.Change) *tidemark.Error {
	t := x.schema.Table(c.Table)
	var columns []string
	for i, v := range c.Key {
		if v.IsNull() {
			columns = append(columns, t.ColumnNames(t.Key[i:i+1])...)
		}
	}
	return &tidemark.Error{
		Code: tidemark.CodeNotNull, Space: x.s.opts.Space, Table: t.Name, Key: c.Key, Columns: columns,
		Msg: "a primary key must not be NULL",
	}
}
