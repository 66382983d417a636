package replica

import (
	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/ids"
	"github.com/tidemarkdb/tidemark/internal/planted"
	"github.com/tidemarkdb/tidemark/internal/wire"
)

// idBookkeeping keeps which rows the server gave other ids than their author
// did, at which seq other rows took the ids of rows that wait for their
// outcome, and the blocks of ids that were given in advance.
const idBookkeeping = `
CREATE TABLE main._tm_renumbered (pos INTEGER PRIMARY KEY, t INTEGER NOT NULL, old INTEGER NOT NULL,
  new INTEGER NOT NULL, before INTEGER NOT NULL, n INTEGER NOT NULL);
CREATE INDEX main._tm_renumbered_old ON _tm_renumbered (t, old);
CREATE TABLE main._tm_taken (t INTEGER NOT NULL, key BLOB NOT NULL, n INTEGER NOT NULL, seq INTEGER NOT NULL,
  PRIMARY KEY (t, key, n)) WITHOUT ROWID;
CREATE INDEX main._tm_taken_n ON _tm_taken (n);
CREATE TABLE main._tm_lease (t INTEGER PRIMARY KEY, first INTEGER NOT NULL, last INTEGER NOT NULL);
`

// idColumns finds the columns that hold ids, once for each schema.
func (r *Replica) idColumns() *ids.Columns {
	if r.idsOf != r.schema {
		r.idsOf, r.ids = r.schema, ids.Of(r.schema)
	}
	return r.ids
}

// unfold decodes a pending changeset. Its body and its view call rows as their
// author did; changes call them by the ids that they have now. One changeset may
// mention one number for two rows, of which the first became what the author
// called the second: so ids are never written over where they are kept.
func (r *Replica) unfold(p *record) error {
	if p.changes != nil {
		return nil
	}
	if err := p.decode(); err != nil {
		return err
	}
	var err error
	p.changes, _, err = r.renamed(p.raw, p.n, p.seen)
	return err
}

// unfolded reads one pending changeset and decodes it, or nil.
func (r *Replica) unfolded(n int64) (*record, error) {
	p, err := loadPending(r.db, n)
	if p == nil || err != nil {
		return nil, err
	}
	return p, r.unfold(p)
}

// renamed calls the rows in the changes of changeset n, made at seen, by the ids
// that they have now. What a later changeset inserted under an id is none of its rows.
func (r *Replica) renamed(changes []tidemark.Change, n int64, seen tidemark.Seq) (out []tidemark.Change, changed bool, err error) {
	some, err := r.db.Int("SELECT EXISTS (SELECT 1 FROM main._tm_renumbered)")
	if err != nil || some == 0 {
		return changes, false, err
	}
	out, changed = r.idColumns().Rename(changes, func(of *tidemark.Table, id int64) (int64, bool) {
		to, qerr := r.db.Get("SELECT new FROM main._tm_renumbered WHERE t = ?1 AND old = ?2 AND before > ?3 AND n <= ?4 ORDER BY pos DESC LIMIT 1",
			tidemark.Int(int64(of.ID)), tidemark.Int(id), tidemark.Int(int64(seen)), tidemark.Int(n))
		if qerr != nil || to == nil {
			err = firstError(err, qerr)
			return 0, false
		}
		return to[0].Int64(), true
	})
	return out, changed, err
}

func firstError(a, b error) error {
	if a != nil {
		return a
	}
	return b
}

// named is the body of a changeset that leaves pending without an outcome that
// holds: there is nothing any more that says what its ids meant.
func (r *Replica) named(p *record) ([]byte, error) {
	changes, err := p.made()
	if err != nil {
		return nil, err
	}
	changes, changed, err := r.renamed(changes, p.n, p.seen)
	if err != nil || !changed {
		return p.body, err
	}
	return wire.AppendChanges(nil, changes, false), nil
}

// renumber follows outcomes that gave rows other ids. It comes before anything
// is laid back: from then on pending changesets touch the rows by their new
// ids, as if they always had.
func (a *attempt) renumber() error {
	var list []tidemark.Renumbered
	for i := range a.settle {
		list = append(list, a.settle[i].o.Renumbered...)
	}
	if len(list) == 0 || planted.Is(planted.KeepNumbers) {
		return nil
	}
	if err := a.narrow(connected, "rows got other ids"); err != nil {
		return err
	}
	for i := range a.settle {
		for _, r := range a.settle[i].o.Renumbered {
			if err := a.saveRenumbered(r, a.settle[i].p.n); err != nil {
				return err
			}
		}
	}
	if err := a.renamePending(list); err != nil {
		return err
	}
	return a.renameUnsynced(list)
}

// forgetRenumbered drops what concerns no pending changeset any more.
func (a *attempt) forgetRenumbered() error {
	if len(a.settle) == 0 {
		return nil
	}
	return a.db.Run(`DELETE FROM main._tm_renumbered WHERE before <= coalesce((SELECT min(seen) FROM main._tm_pending), before)`)
}

func (a *attempt) saveRenumbered(r tidemark.Renumbered, n int64) error {
	t := a.r.schema.Named(r.Table)
	if t == nil {
		return nil
	}
	a.tables[t.ID] = true
	return a.db.Run("INSERT INTO main._tm_renumbered (t, old, new, before, n) VALUES (?1, ?2, ?3, ?4, ?5)",
		tidemark.Int(int64(t.ID)), tidemark.Int(r.From), tidemark.Int(r.To), tidemark.Int(int64(r.Before)), tidemark.Int(n))
}

// renamePending enters the pending changesets that mention renumbered rows
// under the new ids. Those that settle now are among them.
func (a *attempt) renamePending(list []tidemark.Renumbered) error {
	a.renamed = map[rowID]bool{}
	concerns := concerning(a.r.schema, list)
	ns, err := a.allPending()
	if err != nil {
		return err
	}
	for _, n := range ns {
		p, err := loadPending(a.db, n)
		if err != nil {
			return err
		}
		if err := p.decode(); err != nil {
			return err
		}
		if !concerns(a.r.idColumns(), p) {
			continue
		}
		if err := a.reindex(n); err != nil {
			return err
		}
	}
	return nil
}

// concerning tells which changesets mention a row by an id that it lost.
func concerning(s *tidemark.Schema, list []tidemark.Renumbered) func(*ids.Columns, *record) bool {
	before := map[rowID]tidemark.Seq{}
	for _, r := range list {
		if t := s.Named(r.Table); t != nil {
			id := idOf(t, []tidemark.Value{tidemark.Int(r.From)})
			before[id] = max(before[id], r.Before)
		}
	}
	return func(cols *ids.Columns, p *record) (concerned bool) {
		for i := range p.raw {
			cols.Each(&p.raw[i], func(of *tidemark.Table, id int64) {
				concerned = concerned || p.seen < before[idOf(of, []tidemark.Value{tidemark.Int(id)})]
			})
		}
		return concerned
	}
}

// reindex notes anew which rows a pending changeset touches. What the tables
// show of a row that nothing pending touched before is confirmed.
func (a *attempt) reindex(n int64) error {
	if err := a.rowsOfPending(n, a.renamed); err != nil {
		return err
	}
	p, err := a.r.unfolded(n)
	if err != nil {
		return err
	}
	if err := a.renameTexts(p); err != nil {
		return err
	}
	if err := a.db.Run("DELETE FROM main._tm_pending_row WHERE n = ?1", tidemark.Int(n)); err != nil {
		return err
	}
	if err := a.r.indexPending(n, p.changes); err != nil {
		return err
	}
	now := map[rowID]bool{}
	if err := a.rowsOfPending(n, now); err != nil {
		return err
	}
	for _, id := range inOrder(now) {
		a.renamed[id] = true
		t := synced(a.r.schema, id.t)
		image, err := a.read(t, id)
		if err != nil {
			return err
		}
		if err := keepBase(a.db, id, image); err != nil {
			return err
		}
	}
	return nil
}
