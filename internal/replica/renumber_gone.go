package replica

import (
	"slices"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/ids"
)

// built finds out whether a changeset speaks of a row that a suspended one
// would have brought, where another row has its key by now: it must not be put
// on top of that one. What was made when that row was here already means it.
func (a *attempt) built(p *record) (*misfit, error) {
	if len(a.down.arrived) == 0 {
		return nil, nil
	}
	for i := range p.changes {
		c := &p.changes[i]
		t := synced(a.r.schema, c.Table)
		if t == nil || !wellFormed(t, c) {
			continue
		}
		for _, id := range append(rowsOf(t, c), a.parents(t, c)...) {
			if meant, err := a.meansFallen(p, id); err != nil || meant {
				return &misfit{code: tidemark.CodeDependsOn, message: "it builds on a row whose key another row has",
					table: t.Name, key: c.Key, on: a.down.touched[id]}, err
			}
		}
	}
	return nil, nil
}

// numberGone finds out whether a later changeset brings a row under the number of
// one that a suspended changeset would bring: nobody could see that it was
// given away. Were the first shown again, what is made then would be taken for
// the second one's by the server; so it waits for its outcome.
func (a *attempt) numberGone(p *record) (*misfit, error) {
	if !p.suspended {
		return nil, nil
	}
	for i := range p.changes {
		id, t := arrival(a.r.schema, &p.changes[i])
		if t == nil {
			continue
		}
		later, err := a.pendingOf(id, map[int64]bool{})
		if err != nil {
			return nil, err
		}
		for _, n := range later {
			if n <= p.n {
				continue
			}
			if brings, err := a.brings(n, id); err != nil || brings {
				return &misfit{code: tidemark.CodeUnique, message: "a later changeset took the key", table: t.Name, key: keyAfter(t, &p.changes[i])}, err
			}
		}
	}
	return nil, nil
}

func (a *attempt) brings(n int64, row rowID) (bool, error) {
	p, err := a.r.unfolded(n)
	if err != nil || p == nil {
		return false, err
	}
	return slices.ContainsFunc(p.changes, func(c tidemark.Change) bool {
		id, t := arrival(a.r.schema, &c)
		return t != nil && id == row
	}), nil
}

func (a *attempt) meansFallen(p *record, id rowID) (bool, error) {
	t := synced(a.r.schema, id.t)
	if _, would := a.down.arrived[id]; !would || t == nil || !ids.Renumbers(t) {
		return false, nil
	}
	table, key := id.args()
	since, err := a.db.Get("SELECT seq FROM main._tm_taken WHERE t = ?1 AND key = ?2 AND n < ?3 ORDER BY n DESC LIMIT 1", table, key, tidemark.Int(p.n))
	if err != nil || since != nil && int64(p.seen) >= since[0].Int64() {
		return false, err
	}
	image, err := a.read(t, id)
	return image != nil, err
}

// noteTaken remembers since when other rows are where a suspended changeset
// would have put its own.
func (a *attempt) noteTaken(p *record) error {
	for i := range p.changes {
		id, t := arrival(a.r.schema, &p.changes[i])
		if t == nil {
			continue
		}
		image, err := a.read(t, id)
		if err != nil {
			return err
		}
		if image == nil {
			continue
		}
		table, key := id.args()
		err = a.db.Run("INSERT OR IGNORE INTO main._tm_taken (t, key, n, seq) VALUES (?1, ?2, ?3, ?4)",
			table, key, tidemark.Int(p.n), tidemark.Int(int64(a.job.seq)))
		if err != nil {
			return err
		}
	}
	return nil
}

// arrival is the row that a change brings to a table that renumbers; no table: none.
func arrival(s *tidemark.Schema, c *tidemark.Change) (rowID, *tidemark.Table) {
	t := synced(s, c.Table)
	if t == nil || !ids.Renumbers(t) || c.Op == tidemark.Delete || !wellFormed(t, c) {
		return rowID{}, nil
	}
	rows := rowsOf(t, c)
	if c.Op == tidemark.Update && len(rows) == 1 {
		return rowID{}, nil
	}
	return rows[len(rows)-1], t
}

// parents are the rows that a change lets its row refer to by their keys.
func (a *attempt) parents(t *tidemark.Table, c *tidemark.Change) (rows []rowID) {
	if c.Op == tidemark.Delete {
		return nil
	}
	for _, ref := range a.r.refs.from[t.ID] {
		values, ok := valuesOf(t, c, ref.cols)
		if !ok || len(ref.to) != len(ref.parent.Key) {
			continue
		}
		key := make([]tidemark.Value, len(values))
		for i, place := range ref.parent.Key {
			at := slices.Index(ref.to, place)
			if at < 0 {
				key = nil
				break
			}
			key[i] = values[at]
		}
		if key != nil {
			rows = append(rows, idOf(ref.parent, key))
		}
	}
	return rows
}

// stand notes that a changeset's rows of tables that renumber are there: what
// comes behind it does not mean those that a suspended one would have brought.
func (a *attempt) stand(p *record) error {
	for i := range p.changes {
		if len(a.down.arrived) == 0 {
			break
		}
		if id, t := arrival(a.r.schema, &p.changes[i]); t != nil {
			delete(a.down.arrived, id)
		}
	}
	if !p.suspended {
		return nil
	}
	return a.db.Run("DELETE FROM main._tm_taken WHERE n = ?1", tidemark.Int(p.n))
}
