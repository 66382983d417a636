package replica

import (
	"github.com/tidemarkdb/tidemark"
)

// confirm is the quick way. Rows without pending are written. Rows with
// pending must be exactly what the settled changesets already show; then
// nothing that a reader can see changes, and only bookkeeping is left to do.
func (a *attempt) confirm() error {
	held, err := a.bring(true)
	if err != nil {
		return err
	}
	if len(held) > 0 || len(a.settle) > 0 {
		foretold, err := a.foretell()
		if err != nil {
			return err
		}
		if err := a.compareForetold(foretold, held); err != nil {
			return err
		}
		if err := a.settleAll(); err != nil {
			return err
		}
		if err := a.dropSettled(foretold); err != nil {
			return err
		}
	}
	return a.checkSteps()
}

// foretell folds the settled changesets over the confirmed images of their rows.
func (a *attempt) foretell() (images, error) {
	rows := images{}
	for i := range a.settle {
		s := &a.settle[i]
		if s.o.Kind == tidemark.Rejected || s.p.suspended {
			return nil, a.narrow(connected, "a changeset has to be undone")
		}
		if err := a.r.unfold(s.p); err != nil {
			return nil, err
		}
		for j := range s.p.changes {
			if err := a.foretellChange(rows, &s.p.changes[j]); err != nil {
				return nil, err
			}
		}
	}
	return rows, nil
}

func (a *attempt) foretellChange(rows images, c *tidemark.Change) error {
	t := synced(a.r.schema, c.Table)
	if t == nil {
		return nil
	}
	if c.Op == tidemark.Insert && len(c.New) < len(t.Columns) {
		return a.narrow(connected, "a changeset of an older schema")
	}
	from, to := idOf(t, c.Key), idOf(t, keyAfter(t, c))
	for _, id := range []rowID{from, to} {
		if _, known := rows[id]; known {
			continue
		}
		image, _, err := baseImage(a.db, id)
		if err != nil {
			return err
		}
		rows[id] = image
	}
	after, err := confirmedAfter(t, rows[from], c)
	if err != nil {
		return a.narrow(connected, err.Error())
	}
	if from != to {
		rows[from] = nil
	}
	rows[to] = after
	return nil
}

// compareForetold makes sure that the server did what was foretold, and
// nothing else to rows with pending.
func (a *attempt) compareForetold(foretold, held images) error {
	for id, image := range held {
		if want, ok := foretold[id]; !ok || !equal(want, image) {
			return a.narrow(connected, "a row with pending changed")
		}
	}
	for id, want := range foretold {
		if _, ok := held[id]; ok {
			continue
		}
		image, _, err := baseImage(a.db, id)
		if err != nil {
			return err
		}
		if !equal(want, image) {
			return a.narrow(connected, "a settled change is not confirmed")
		}
	}
	return nil
}

// dropSettled moves the confirmed images of settled rows on.
func (a *attempt) dropSettled(foretold images) error {
	for _, id := range inOrder(foretold) {
		table, key := id.args()
		left, err := a.db.Int("SELECT EXISTS (SELECT 1 FROM main._tm_pending_row WHERE t = ?1 AND key = ?2)", table, key)
		if err != nil {
			return err
		}
		if left == 0 {
			err = dropBase(a.db, id)
		} else {
			err = setBase(a.db, id, foretold[id])
		}
		if err != nil {
			return err
		}
	}
	return nil
}
