package replica

import (
	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/capture"
	"github.com/tidemarkdb/tidemark/internal/lite"
	"github.com/tidemarkdb/tidemark/internal/row"
	"github.com/tidemarkdb/tidemark/internal/wire"
)

// A row whose primary key is NULL has no name: it can be neither sent nor
// compared. When an app makes one it is kept as rejected and taken out of its
// table; the rest of its transaction goes on.

// expelKeyless does that for the tables that were written since the last seal.
func (r *Replica) expelKeyless() error {
	ids, err := capture.Touched(r.db, capture.Main, 0)
	if err != nil {
		return err
	}
	for _, id := range ids {
		if t := synced(r.schema, id); t != nil {
			if err := r.expelKeylessOf(t); err != nil {
				return err
			}
		}
	}
	return nil
}

func (r *Replica) expelKeylessOf(t *tidemark.Table) error {
	where := row.WhereKeyless(t)
	if where == "" {
		return nil
	}
	var rows []tidemark.Change
	err := r.db.Each("SELECT "+row.Columns(t)+" FROM main."+lite.Quote(t.Name)+" WHERE "+where, func(s *lite.Stmt) error {
		values := s.Row(0)
		rows = append(rows, tidemark.Change{Table: t.ID, Op: tidemark.Insert, Key: t.KeyOf(values), New: values})
		return nil
	})
	if err != nil || len(rows) == 0 {
		return err
	}
	if err := r.keepKeyless(t, rows); err != nil {
		return err
	}
	return r.db.Run("DELETE FROM main." + lite.Quote(t.Name) + " WHERE " + where)
}

func (r *Replica) keepKeyless(t *tidemark.Table, rows []tidemark.Change) error {
	body := wire.AppendChanges(nil, rows, false)
	hash := wire.HashOf(tidemark.Salt{}, body)
	rej := Rejected{Code: tidemark.CodeNotNull, Message: "a primary key must not be NULL", Table: t.Name, Key: rows[0].Key,
		Columns: t.ColumnNames(t.Key), MadeAt: r.now, At: r.now, Schema: r.server.Hash}
	return r.keepRejected(rej, hash[:], body)
}

// keyless says why a changeset with a row without a key cannot be put on top.
func keyless(t *tidemark.Table, key []tidemark.Value) *misfit {
	for i, v := range key {
		if v.IsNull() {
			return &misfit{code: tidemark.CodeNotNull, message: "a primary key must not be NULL", table: t.Name, key: key,
				columns: t.ColumnNames(t.Key[i : i+1])}
		}
	}
	return nil
}
