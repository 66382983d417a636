package replica

import (
	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/lite"
	"github.com/tidemarkdb/tidemark/internal/row"
)

// A row that left while pending touches it is noted as lost: what is pending on
// it is going to be refused, as long as the row does not come back.

// gone notes that a row left the copy without being deleted.
func (a *attempt) gone(id rowID) {
	if a.left == nil {
		a.left = map[rowID]bool{}
	}
	a.left[id] = true
}

// lose notes that a row left which pending touches.
func lose(db *lite.DB, id rowID) error {
	table, key := id.args()
	return db.Run("INSERT OR IGNORE INTO main._tm_lost (t, key) VALUES (?1, ?2)", table, key)
}

// loseArrivals marks rows that accepted changesets brought and that are not
// here now: they are in no scope of this copy, and what is pending on them is
// going to be refused.
func (a *attempt) loseArrivals() error {
	if !a.r.server.Scoped() {
		return nil
	}
	for i := range a.settle {
		s := &a.settle[i]
		if s.o.Kind == tidemark.Rejected {
			continue
		}
		if err := a.r.unfold(s.p); err != nil {
			return err
		}
		for j := range s.p.changes {
			if err := a.loseArrival(&s.p.changes[j]); err != nil {
				return err
			}
		}
	}
	return a.db.Run(`DELETE FROM main._tm_lost WHERE NOT EXISTS (SELECT 1 FROM main._tm_pending_row p
		WHERE p.t = _tm_lost.t AND p.key = _tm_lost.key)`)
}

func (a *attempt) loseArrival(c *tidemark.Change) error {
	t := synced(a.r.schema, c.Table)
	if t == nil || c.Op == tidemark.Delete {
		return nil
	}
	to := idOf(t, keyAfter(t, c))
	if c.Op == tidemark.Update && to == idOf(t, c.Key) || a.died[to] {
		return nil
	}
	image, err := a.read(t, to)
	if err != nil || image != nil {
		return err
	}
	a.gone(to)
	return lose(a.db, to)
}

// forbidden finds out whether a changeset changes a row that left this copy:
// the server does not take that from who may not see it.
func (a *attempt) forbidden(p *record) (*misfit, error) {
	if !a.r.server.Scoped() {
		return nil, nil
	}
	for i := range p.changes {
		c := &p.changes[i]
		t := synced(a.r.schema, c.Table)
		if t == nil || c.Op == tidemark.Insert || !wellFormed(t, c) {
			continue
		}
		id := idOf(t, c.Key)
		table, key := id.args()
		lost, err := a.db.Int("SELECT EXISTS (SELECT 1 FROM main._tm_lost WHERE t = ?1 AND key = ?2)", table, key)
		if err != nil {
			return nil, err
		}
		if lost == 0 {
			continue
		}
		image, err := row.Get(a.db, t, c.Key)
		if err != nil || image == nil {
			return &misfit{code: tidemark.CodeForbidden, message: "the row is in no scope of this copy any more", table: t.Name, key: c.Key,
				row: id}, err
		}
	}
	return nil, nil
}
