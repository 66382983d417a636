package replica

import (
	"errors"
	"fmt"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/lite"
	"github.com/tidemarkdb/tidemark/internal/planted"
	"github.com/tidemarkdb/tidemark/internal/row"
)

// rebase puts rows back to what is confirmed, brings the confirmed rows in,
// settles, and puts pending back on top.
func (a *attempt) rebase() error {
	if err := a.reconcileOut(); err != nil {
		return err
	}
	ns, ids, err := a.concerned()
	if err != nil {
		return err
	}
	if err := a.layBack(ids); err != nil {
		return err
	}
	if err := a.reconcileTables(); err != nil {
		return err
	}
	if err := a.bringIn(false); err != nil {
		return err
	}
	if err := a.reconcileObjects(); err != nil {
		return err
	}
	if err := a.settleAll(); err != nil {
		return err
	}
	if err := a.loseArrivals(); err != nil {
		return err
	}
	if err := a.keepConfirmed(ids); err != nil {
		return err
	}
	if err := a.foresee(); err != nil {
		return err
	}
	if err := a.putBack(ns); err != nil {
		return err
	}
	return a.compareShown(ids)
}

// layBack sets rows to their confirmed images.
func (a *attempt) layBack(ids []rowID) error {
	a.undone, a.old = map[rowID][]tidemark.Value{}, images{}
	w := &rowWriter{db: a.db, confirmed: true}
	for _, id := range ids {
		t := synced(a.r.schema, id.t)
		if t == nil {
			continue
		}
		now, err := a.read(t, id)
		if err != nil {
			return err
		}
		confirmed, _, err := baseImage(a.db, id)
		if err != nil {
			return err
		}
		a.undone[id], a.old[id] = now, confirmed
		if equal(now, confirmed) {
			continue
		}
		if err := w.set(t, id, now, confirmed); err != nil {
			return err
		}
	}
	return w.finish(a.refusedConfirmed)
}

// refusedConfirmed judges the refusal of a confirmed row: a pending one is in
// its way, or, when there is none, the copy differs from the server.
func (a *attempt) refusedConfirmed(t *tidemark.Table, _ rowID, _ []tidemark.Value, why error) error {
	if err := a.narrow(whole, why.Error()); err != nil {
		return err
	}
	a.damage = append(a.damage, fmt.Sprintf("a confirmed row of %s cannot be written: %v", t.Name, refusalOf(why)))
	return nil
}

func (a *attempt) read(t *tidemark.Table, id rowID) ([]tidemark.Value, error) {
	key, err := tidemark.ParseKeyID(id.key)
	if err != nil {
		return nil, &tidemark.Error{Code: tidemark.CodeCorrupt, Err: err, Msg: "bookkeeping of " + t.Name}
	}
	return row.Get(a.db, t, key)
}

// keepConfirmed keeps the new confirmed images of rows that pending still
// touches. The tables show them at this moment.
func (a *attempt) keepConfirmed(ids []rowID) error {
	for _, id := range ids {
		t := synced(a.r.schema, id.t)
		table, key := id.args()
		left, err := a.db.Int("SELECT EXISTS (SELECT 1 FROM main._tm_pending_row WHERE t = ?1 AND key = ?2)", table, key)
		if err != nil {
			return err
		}
		if left == 0 || t == nil {
			if err := dropBase(a.db, id); err != nil {
				return err
			}
			continue
		}
		now, err := a.read(t, id)
		if err != nil {
			return err
		}
		if planted.Is(planted.ForgetBase) {
			continue
		}
		if err := setBase(a.db, id, now); err != nil {
			return err
		}
	}
	return nil
}

// compareShown finds out which rows readers see differently after the rebase.
func (a *attempt) compareShown(ids []rowID) error {
	for _, id := range ids {
		t := synced(a.r.schema, id.t)
		if t == nil {
			continue
		}
		now, err := a.read(t, id)
		if err != nil {
			return err
		}
		if before := a.undone[id]; !equal(before, now) {
			if err := a.noteMoved(id, before, now); err != nil {
				return err
			}
			if err := a.visible(t, before, now); err != nil {
				return err
			}
		}
	}
	return a.checkSteps()
}

// putBack applies pending changesets in order, each if it fits.
func (a *attempt) putBack(ns []int64) error {
	for _, n := range ns {
		if a.settled(n) {
			a.keepEffect(n)
			if a.forecast != nil {
				if err := a.forecast.settled(n); err != nil {
					return err
				}
			}
			continue
		}
		p, err := a.r.unfolded(n)
		if err != nil {
			return err
		}
		if p == nil {
			continue
		}
		if err := a.putBackOne(p); err != nil {
			return err
		}
	}
	return nil
}

// keepEffect does nothing, unless the fault of doing something is planted.
func (a *attempt) keepEffect(n int64) {
	if !planted.Is(planted.KeepRejected) {
		return
	}
	for i := range a.settle {
		if p := a.settle[i].p; p.n == n && a.r.unfold(p) == nil {
			_ = a.db.Savepoint("fit", func() error { _, err := a.fit(p.changes, lax); return err })
		}
	}
}

func (a *attempt) putBackOne(p *record) error {
	was := p.suspended
	err := a.tryOne(p)
	if a.forecast != nil {
		defer func() { a.forecast.putBack(p, was) }()
	}
	var m *misfit
	switch {
	case err == nil:
		if err := a.stand(p); err != nil {
			return err
		}
		return a.resume(p)
	case !errors.As(err, &m):
		return err
	}
	if err := a.narrow(whole, m.message); err != nil {
		return err
	}
	a.down.add(a.r.schema, p)
	if err := a.noteTaken(p); err != nil {
		return err
	}
	return a.suspend(p, m.cause())
}

// tryOne puts a changeset on top as the server is expected to take it, or
// returns a misfit.
func (a *attempt) tryOne(p *record) error {
	if p.suspended && p.cause == string(tidemark.CodeStale) {
		// What they changed stays changed: only the server's word is to come.
		return &misfit{code: tidemark.CodeStale, message: "somebody else changed the same meanwhile"}
	}
	if m, err := a.forbidden(p); err != nil {
		return err
	} else if m != nil {
		return m
	}
	if m, err := a.numberGone(p); err != nil {
		return err
	} else if m != nil {
		return m
	}
	if m, err := a.built(p); err != nil {
		return err
	} else if m != nil {
		return m
	}
	if a.forecast != nil {
		if m, err := a.forecast.adapt(p); err != nil {
			return err
		} else if m != nil {
			return m
		}
	}
	return a.db.Savepoint("fit", func() error {
		_, err := a.fit(p.changes, lax)
		return err
	})
}

func (a *attempt) suspend(p *record, cause string) error {
	was := p.suspended
	if was && p.cause == cause {
		return nil
	}
	p.suspended, p.cause = true, cause
	if !was {
		a.out.Suspended = append(a.out.Suspended, p.public())
	}
	return markPending(a.db, p)
}

func (a *attempt) resume(p *record) error {
	if !p.suspended {
		return nil
	}
	p.suspended, p.cause = false, ""
	a.out.Resumed = append(a.out.Resumed, p.n)
	return markPending(a.db, p)
}

func markPending(db *lite.DB, p *record) error {
	suspended := tidemark.Int(0)
	if p.suspended {
		suspended = tidemark.Int(1)
	}
	return db.Run("UPDATE main._tm_pending SET suspended = ?1, cause = ?2 WHERE n = ?3", suspended, tidemark.Text(p.cause), tidemark.Int(p.n))
}
