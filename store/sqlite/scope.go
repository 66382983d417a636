package sqlite

import (
	"slices"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/lite"
)

// ScopeSums returns the sums of scopes, see tidemark.View.
func (v *view) ScopeSums(scopes []string) ([]uint64, error) {
	sums := make([]uint64, len(scopes))
	for i, name := range scopes {
		sum, err := v.db.Int("SELECT sum FROM main._tm_scope WHERE name = ?1", tidemark.Text(name))
		if err != nil {
			return nil, err
		}
		sums[i] = uint64(sum)
	}
	return sums, nil
}

// ScopeSums returns the sums as the group has made them so far.
func (x *tx) ScopeSums(scopes []string) ([]uint64, error) {
	sums, err := x.view.ScopeSums(scopes)
	for i, name := range scopes {
		if a := x.s.book.byName[name]; err == nil && a != nil {
			sums[i] = a.sum
		}
	}
	return sums, err
}

// ScopesOf lists the scopes of a row, see tidemark.View.
func (v *view) ScopesOf(table int, key []tidemark.Value) ([]tidemark.RowScope, error) {
	t, err := v.table(table)
	if err != nil {
		return nil, err
	}
	var list []tidemark.RowScope
	err = v.db.Each(`SELECT s.name, f.live, f.seq FROM main._tm_feed AS f CROSS JOIN main._tm_scope AS s
		WHERE f.t = ?1 AND f.key = ?2 AND s.i = f.s ORDER BY s.name`, func(s *lite.Stmt) error {
		list = append(list, tidemark.RowScope{Scope: s.Text(0), Live: s.Int(1) == rowIn, Seq: tidemark.Seq(s.Int(2))})
		return nil
	}, tidemark.Int(int64(t.ID)), tidemark.BlobString(t.KeyID(key)))
	return list, err
}

// scopeIDs returns the numbers of scopes by their names. One that nobody was ever in has none.
func (v *view) scopeIDs(scopes []string) (map[int64]string, error) {
	ids := make(map[int64]string, len(scopes))
	for _, name := range scopes {
		i, err := v.db.Int("SELECT i FROM main._tm_scope WHERE name = ?1", tidemark.Text(name))
		if err != nil {
			return nil, err
		}
		if i != 0 {
			ids[i] = name
		}
	}
	return ids, nil
}

// Parts returns what the group did to scopes, see tidemark.Tx.
func (x *tx) Parts(after tidemark.Seq) ([]tidemark.ScopePart, error) {
	if !x.schema.Scoped() {
		return nil, nil
	}
	var parts []tidemark.ScopePart
	for _, a := range x.s.book.touched() {
		changes, err := x.part(a, after)
		if err != nil {
			return nil, err
		}
		if len(changes) > 0 {
			parts = append(parts, tidemark.ScopePart{Scope: a.name, Sum: a.sum, Changes: changes})
		}
	}
	return parts, nil
}

// part lists what happened to one scope, in order of table and KeyID.
func (x *tx) part(a *account, after tidemark.Seq) (changes []tidemark.Change, err error) {
	err = x.db.Each(`SELECT f.t, f.key, f.live, f.joined FROM main._tm_feed AS f
		WHERE f.s = ?1 AND f.seq > ?2`, func(s *lite.Stmt) error {
		t := x.schema.Table(int(s.Int(0)))
		if t == nil || t.Out != "" {
			return nil
		}
		id, live := string(s.Blob(1)), s.Int(2)
		if live == rowIn && tidemark.Seq(s.Int(3)) <= after {
			key, err := tidemark.ParseKeyID(id)
			changes = append(changes, tidemark.Change{Table: t.ID, Op: tidemark.Update, Key: key})
			return err
		}
		c, err := x.stateIn(t, id, live)
		changes = append(changes, c)
		return err
	}, tidemark.Int(a.i), tidemark.Int(int64(after)))
	slices.SortFunc(changes, x.compareChanges)
	return changes, err
}

// stateIn returns what a row is to a scope: a put, a delete or a forget.
func (v *view) stateIn(t *tidemark.Table, keyID string, live int64) (tidemark.Change, error) {
	if live == rowIn {
		return v.stateOf(t, keyID)
	}
	key, err := tidemark.ParseKeyID(keyID)
	if err != nil {
		return tidemark.Change{}, err
	}
	c := tidemark.Change{Table: t.ID, Op: tidemark.Delete, Key: key}
	if live == rowLeft {
		c.Op = tidemark.Forget
	}
	return c, nil
}
