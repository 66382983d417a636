package replica

import (
	"fmt"
	"slices"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/ids"
	"github.com/tidemarkdb/tidemark/internal/lite"
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

// textNote is one row of _tm_text.
type textNote struct {
	id         rowID
	col, moved int64
}

// renameTexts lets what is noted of text cells follow their rows.
func (a *attempt) renameTexts(p *record) error {
	was, err := a.textNotes(p.n)
	if err != nil || len(was) == 0 {
		return err
	}
	to := map[rowID]rowID{}
	for i := range p.raw {
		if t := synced(a.r.schema, p.raw[i].Table); t != nil {
			to[idOf(t, keyAfter(t, &p.raw[i]))] = idOf(t, keyAfter(t, &p.changes[i]))
		}
	}
	if err := a.db.Run("DELETE FROM main._tm_text WHERE n = ?1", tidemark.Int(p.n)); err != nil {
		return err
	}
	for _, note := range was {
		id, known := to[note.id]
		if !known {
			id = note.id
		}
		t, key := id.args()
		err := a.db.Run("INSERT OR REPLACE INTO main._tm_text (t, key, col, n, moved) VALUES (?1, ?2, ?3, ?4, ?5)",
			t, key, tidemark.Int(note.col), tidemark.Int(p.n), tidemark.Int(note.moved))
		if err != nil {
			return err
		}
	}
	return nil
}

func (a *attempt) textNotes(n int64) (list []textNote, err error) {
	err = a.db.Each("SELECT t, key, col, moved FROM main._tm_text WHERE n = ?1", func(s *lite.Stmt) error {
		list = append(list, textNote{rowID{int(s.Int(0)), string(s.Blob(1))}, s.Int(2), s.Int(3)})
		return nil
	}, tidemark.Int(n))
	return list, err
}

// renameUnsynced lets rows of tables that do not sync follow the rows that
// they refer to. The newest id goes first: an earlier row may have got the
// number that a later one lost.
func (a *attempt) renameUnsynced(list []tidemark.Renumbered) error {
	refs, err := a.unsyncedReferences()
	if err != nil {
		return err
	}
	for _, r := range slices.Backward(list) {
		for _, ref := range refs {
			if t := a.r.schema.Named(r.Table); t == nil || t.ID != ref.parent.ID {
				continue
			}
			sql := fmt.Sprintf("UPDATE main.%s SET %s = ?1 WHERE %s = ?2", lite.Quote(ref.table), lite.Quote(ref.column), lite.Quote(ref.column))
			err := a.db.Savepoint("follow", func() error { return a.db.Run(sql, tidemark.Int(r.To), tidemark.Int(r.From)) })
			if err != nil {
				a.out.Skipped = append(a.out.Skipped, fmt.Sprintf("references of %s to %s %d, which is %d now: %v", ref.table, r.Table, r.From, r.To, err))
			}
		}
	}
	return nil
}

// unsyncedReference is a column of a table beside the synced ones that refers
// to the integer key of one.
type unsyncedReference struct {
	table, column string
	parent        *tidemark.Table
}

func (a *attempt) unsyncedReferences() (list []unsyncedReference, err error) {
	var names []string
	err = a.db.Each(`SELECT name FROM main.sqlite_master WHERE type = 'table' AND sql NOT LIKE 'CREATE VIRTUAL%'
		AND substr(name, 1, 4) <> '_tm_' AND substr(name, 1, 7) <> 'sqlite_'`, func(s *lite.Stmt) error {
		if t := a.r.schema.Named(s.Text(0)); t == nil || t.Out != "" {
			names = append(names, s.Text(0))
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		err := a.db.Each(`SELECT "from", "table", "to" FROM pragma_foreign_key_list(?1, 'main')`, func(s *lite.Stmt) error {
			parent := syncedNamed(a.r.schema, s.Text(1))
			if parent == nil || !parent.RowidAlias {
				return nil
			}
			if s.Null(2) || parent.Place(s.Text(2)) == parent.Key[0] {
				list = append(list, unsyncedReference{name, s.Text(0), parent})
			}
			return nil
		}, tidemark.Text(name))
		if err != nil {
			return nil, err
		}
	}
	return list, nil
}

// syncedNamed finds a table that still syncs by its name, or nil.
func syncedNamed(s *tidemark.Schema, name string) *tidemark.Table {
	if t := s.Named(name); t != nil && t.Out == "" {
		return t
	}
	return nil
}

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
