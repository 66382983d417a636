package sqlite

import (
	"slices"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/lite"
	"github.com/tidemarkdb/tidemark/internal/meta"
	"github.com/tidemarkdb/tidemark/internal/row"
	"github.com/tidemarkdb/tidemark/internal/scope"
)

// remakeSlice is how many rows of the feed are looked at in one go.
const remakeSlice = 1000

// moveScopes keeps what is declared from now on, also where every row stays where
// it is, as when only grants are others. Where the schema before had no scopes the
// feed is made anew: nobody kept it meanwhile.
func (x *tx) moveScopes(from, to *tidemark.Schema) error {
	if !to.Scoped() || from.Declared == to.Declared {
		return nil
	}
	if !from.Scoped() {
		if err := meta.Set(x.db, keyFeed, ""); err != nil {
			return err
		}
	}
	d, err := x.s.declarationOf(to)
	if err != nil || d == nil {
		return err
	}
	return storeDeclaration(x.db, d)
}

// remake compares all rows with the feed. Only those that are elsewhere get the
// seq of the changeset.
func (f *follower) remake() error {
	if err := f.known(); err != nil {
		return err
	}
	for _, t := range f.x.schema.Tables {
		m := f.n.plan.Tables[t.ID]
		if m == nil || t.Out != "" {
			continue
		}
		if err := f.enterAll(m); err != nil {
			return err
		}
	}
	if err := f.remakeConflicts(); err != nil {
		return err
	}
	if err := f.sumAll(); err != nil {
		return err
	}
	return storeScopes(f.x.db, f.n)
}

// known looks at all rows that are in a scope, and takes out those that are so no more.
func (f *follower) known() error {
	at := rowID{}
	for {
		slice, err := f.slice(at)
		if err != nil || len(slice) == 0 {
			return err
		}
		for _, id := range slice {
			if err := f.again(id); err != nil {
				return err
			}
		}
		at = slice[len(slice)-1]
	}
}

// slice lists some rows that are in a scope, in order behind one.
func (f *follower) slice(after rowID) (ids []rowID, err error) {
	err = f.x.db.Each(`SELECT DISTINCT t, key FROM main._tm_feed WHERE live = 1 AND (t, key) > (?1, ?2) ORDER BY t, key`+limited(remakeSlice),
		func(s *lite.Stmt) error {
			ids = append(ids, rowID{int(s.Int(0)), string(s.Blob(1))})
			return nil
		}, tidemark.Int(int64(after.table)), tidemark.BlobString(after.key))
	return ids, err
}

// again looks at a row that is in a scope. What changed while nobody kept the
// feed gets the seq of the change.
func (f *follower) again(id rowID) error {
	t := f.x.schema.Table(id.table)
	if t == nil {
		return &tidemark.Error{Code: tidemark.CodeCorrupt, Op: "append", Msg: "a row of a table that nobody knows is in a scope"}
	}
	is, err := f.x.recordOf(t, id.key)
	if err != nil {
		return err
	}
	var now []*account
	switch {
	case !is.live || t.Out != "":
	case t.Name == tidemark.ConflictsTable:
		return nil // later: it follows another row
	default:
		if now, err = f.scopesNow(t, id.key); err != nil {
			return err
		}
	}
	if err := f.move(t, id.key, now, is, is, f.changed[id] != nil); err != nil {
		return err
	}
	return f.x.db.Run("UPDATE main._tm_feed SET seq = ?3 WHERE t = ?1 AND key = ?2 AND live = 1 AND seq < ?3",
		tidemark.Int(int64(t.ID)), tidemark.BlobString(id.key), tidemark.Int(int64(is.seq)))
}

// enterAll brings all rows of a table into the scopes that they are not in yet.
// Where the data make a condition fail, it asks for each row alone.
func (f *follower) enterAll(m *scope.Table) error {
	err := f.x.db.Each(m.All, func(s *lite.Stmt) error {
		values := s.Row(0)
		key, names := values[:len(m.Key)], values[len(m.Key):]
		if slices.ContainsFunc(key, tidemark.Value.IsNull) || !slices.ContainsFunc(names, func(v tidemark.Value) bool { return !v.IsNull() }) {
			return nil
		}
		now, err := f.accounts(names)
		if err != nil {
			return err
		}
		return f.join(m.Table, m.KeyID(key), now)
	})
	if err == nil || lite.Environment(err) || !f.x.db.InTransaction() {
		return err
	}
	if f.x.db.Compile(m.One) != nil {
		return nil // nothing is in a scope by this
	}
	return row.Scan(f.x.db, m.Table, nil, nil, 0, func(r []tidemark.Value) error {
		if !keyed(m.Table, r) {
			return nil
		}
		id := m.KeyID(m.KeyOf(r))
		now, err := f.scopesNow(m.Table, id)
		if err != nil || len(now) == 0 {
			return err
		}
		return f.join(m.Table, id, now)
	})
}

// join brings a row into scopes, if it is known and not there.
func (f *follower) join(t *tidemark.Table, id string, now []*account) error {
	is, err := f.x.recordOf(t, id)
	if err != nil || !is.live {
		return err
	}
	before, err := f.x.standings(t.ID, id)
	if err != nil {
		return err
	}
	for _, a := range now {
		if slices.ContainsFunc(before, func(st standing) bool { return st.s == a.i && st.live == rowIn }) {
			continue
		}
		if err := f.enter(t, id, a, is); err != nil {
			return err
		}
	}
	return nil
}

// sumAll sums all scopes anew.
func (f *follower) sumAll() error {
	sums, err := f.x.sumsOfScopes()
	if err != nil {
		return err
	}
	for _, i := range sortedKeys(sums) {
		a, err := f.x.s.book.numbered(f.x.db, i)
		if err != nil {
			return err
		}
		f.x.s.book.set(a, sums[i])
	}
	return nil
}

// sumsOfScopes adds up the rows of every scope, by its number.
func (x *tx) sumsOfScopes() (map[int64]uint64, error) {
	sums := map[int64]uint64{}
	err := x.db.Each("SELECT i FROM main._tm_scope", func(s *lite.Stmt) error {
		sums[s.Int(0)] = 0
		return nil
	})
	if err != nil {
		return nil, err
	}
	return sums, x.db.Each("SELECT f.s, r.hash FROM main._tm_feed AS f CROSS JOIN main._tm_row AS r WHERE f.live = 1 AND r.t = f.t AND r.key = f.key",
		func(s *lite.Stmt) error {
			sums[s.Int(0)] += uint64(s.Int(1))
			return nil
		})
}

// widenInScopes books what a new column added to the hash of a row.
func (x *tx) widenInScopes(t *tidemark.Table, id string, added uint64) error {
	if !x.schema.Scoped() {
		return nil
	}
	return x.db.Each("SELECT s FROM main._tm_feed WHERE t = ?1 AND key = ?2 AND live = 1", func(s *lite.Stmt) error {
		a, err := x.s.book.numbered(x.db, s.Int(0))
		if err == nil {
			x.s.book.add(a, added)
		}
		return err
	}, tidemark.Int(int64(t.ID)), tidemark.BlobString(id))
}
