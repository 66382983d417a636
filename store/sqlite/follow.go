package sqlite

import (
	"slices"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/lite"
	"github.com/tidemarkdb/tidemark/internal/meta"
	"github.com/tidemarkdb/tidemark/internal/planted"
	"github.com/tidemarkdb/tidemark/internal/row"
	"github.com/tidemarkdb/tidemark/internal/scope"
)

// follower keeps _tm_feed for one changeset: every row that it changed, and those
// whose path to a scope leads through such a row, get the scopes that they are in
// now, beside those that _tm_feed says they were in.
type follower struct {
	x       *tx
	n       *scoping
	seq     tidemark.Seq
	changed map[rowID]*stamped
	about   []rowID // rows whose scopes are others; conflicts follow them
	anew    bool    // what depends on a changed row cannot be told: compare all rows
}

// keepScopes keeps the scopes of the rows of a changeset.
func (x *tx) keepScopes(seq tidemark.Seq, rows []stamped) error {
	n, err := x.s.scopingFor(x.schema)
	if err != nil {
		return err
	}
	f := &follower{x: x, n: n, seq: seq, changed: make(map[rowID]*stamped, len(rows))}
	for i := range rows {
		f.note(&rows[i])
	}
	if err := x.concernOf(n, rows); err != nil {
		return err
	}
	if !x.fed {
		made, err := meta.Get(x.db, keyFeed)
		if err != nil {
			return err
		}
		if made != n.feed {
			return f.remake()
		}
		x.fed = true
	}
	for i := range rows {
		if r := &rows[i]; f.changed[rowID{r.t.ID, r.id}] == r {
			if err := f.effect(r); err != nil {
				return err
			}
		}
	}
	for i := range rows {
		if err := f.dependants(&rows[i]); err != nil {
			return err
		}
	}
	if f.anew {
		return f.remake()
	}
	return f.conflicts()
}

// note takes what happened to one row together where it occurs twice.
func (f *follower) note(r *stamped) {
	id := rowID{r.t.ID, r.id}
	if first := f.changed[id]; first != nil {
		first.is = r.is
		first.again = append(first.again, r.c)
		return
	}
	f.changed[id] = r
}

// effect keeps the scopes of a row that the changeset changed.
func (f *follower) effect(r *stamped) error {
	if r.t.Name == tidemark.ConflictsTable {
		return nil // in the end, when it is known where the rows are that they speak of
	}
	if r.was.live != r.is.live {
		f.about = append(f.about, rowID{r.t.ID, r.id})
	}
	switch {
	case f.n.plan.Tables[r.t.ID] == nil:
		return nil
	case f.stays(r):
		return f.bump(r)
	}
	now, err := f.scopesNow(r.t, r.id)
	if err != nil {
		return err
	}
	return f.move(r.t, r.id, now, r.was, r.is, true)
}

// stays reports whether nothing that an update changed decides where a row is.
func (f *follower) stays(r *stamped) bool {
	own := f.n.own[r.t.ID]
	return r.c.Op == tidemark.Update && len(r.again) == 0 && r.was.live && r.is.live &&
		!slices.ContainsFunc(r.c.Cols, func(c int) bool { return own[c] })
}

// bump notes a change of a row that is where it was. One statement that returns
// the scopes takes twice as long as these.
func (f *follower) bump(r *stamped) error {
	var in [8]int64
	list := in[:0]
	err := f.x.db.Each("SELECT s FROM main._tm_feed WHERE t = ?1 AND key = ?2 AND live = 1", func(s *lite.Stmt) error {
		list = append(list, s.Int(0))
		return nil
	}, tidemark.Int(int64(r.t.ID)), tidemark.BlobString(r.id))
	if err != nil {
		return err
	}
	for _, i := range list {
		a, err := f.x.s.book.numbered(f.x.db, i)
		if err != nil {
			return err
		}
		if err := f.stay(r.t, r.id, a); err != nil {
			return err
		}
		f.x.s.book.add(a, r.is.hash-r.was.hash)
	}
	return nil
}

// stay gives a row that is where it was the seq of its change.
func (f *follower) stay(t *tidemark.Table, id string, a *account) error {
	return f.x.db.Run("UPDATE main._tm_feed SET seq = ?4 WHERE t = ?1 AND key = ?2 AND s = ?3", f.at(t, id, a)...)
}

// scopesNow asks which scopes a row is in. Where the data make a condition fail
// it is in none.
func (f *follower) scopesNow(t *tidemark.Table, id string) ([]*account, error) {
	m := f.n.plan.Tables[t.ID]
	if m == nil {
		return nil, nil
	}
	key, err := tidemark.ParseKeyID(id)
	if err != nil {
		return nil, err
	}
	names, err := f.x.db.Get(m.One, key...)
	if err != nil {
		if lite.Environment(err) {
			return nil, err
		}
		f.x.s.opts.Warn("a row of " + t.Name + " is in no scope, because what is declared fails for it: " + err.Error())
		return nil, nil
	}
	return f.accounts(names)
}

// accounts makes accounts of names, among which NULL stands for none.
func (f *follower) accounts(names []tidemark.Value) ([]*account, error) {
	var list []*account
	for _, name := range names {
		if name.IsNull() {
			continue
		}
		a, err := f.x.s.book.named(f.x.db, name.Str())
		if err != nil {
			return nil, err
		}
		list = append(list, a)
	}
	return list, nil
}

// standing is what _tm_feed says of a row and a scope.
type standing struct {
	s    int64
	live int64
	seq  tidemark.Seq
}

func (x *tx) standings(t int, id string) (list []standing, err error) {
	err = x.db.Each("SELECT s, live, seq FROM main._tm_feed WHERE t = ?1 AND key = ?2", func(s *lite.Stmt) error {
		list = append(list, standing{s.Int(0), s.Int(1), tidemark.Seq(s.Int(2))})
		return nil
	}, tidemark.Int(int64(t)), tidemark.BlobString(id))
	return list, err
}

// move brings a row from the scopes that it was in to those that it is in now.
// changed: the row itself is another, and not only where it is.
func (f *follower) move(t *tidemark.Table, id string, now []*account, was, is record, changed bool) error {
	var before []standing
	if was.live || was.seq > 0 {
		var err error
		if before, err = f.x.standings(t.ID, id); err != nil {
			return err
		}
	}
	b := f.x.s.book
	moved := false
	for _, st := range before {
		if st.live != rowIn {
			continue
		}
		a, err := b.numbered(f.x.db, st.s)
		if err != nil {
			return err
		}
		switch {
		case !slices.Contains(now, a):
			how := int64(rowLeft)
			if !is.live {
				how = rowDied
			}
			moved = true
			if !planted.Is(planted.SumKeepsLeft) {
				b.add(a, -was.hash)
			}
			err = f.x.db.Run("UPDATE main._tm_feed SET seq = ?4, live = ?5 WHERE t = ?1 AND key = ?2 AND s = ?3", f.at(t, id, a, tidemark.Int(how))...)
		case changed:
			b.add(a, is.hash-was.hash)
			err = f.stay(t, id, a)
		}
		if err != nil {
			return err
		}
	}
	for _, a := range now {
		if slices.ContainsFunc(before, func(st standing) bool { return st.s == a.i && st.live == rowIn }) {
			continue
		}
		moved = true
		if err := f.enter(t, id, a, is); err != nil {
			return err
		}
	}
	if moved {
		f.about = append(f.about, rowID{t.ID, id})
	}
	return nil
}

func (f *follower) enter(t *tidemark.Table, id string, a *account, is record) error {
	f.x.s.book.add(a, is.hash)
	return f.x.db.Run(`INSERT INTO main._tm_feed (t, key, s, seq, live, joined) VALUES (?1, ?2, ?3, ?4, 1, ?4)
		ON CONFLICT (t, key, s) DO UPDATE SET seq = ?4, live = 1, joined = ?4`, f.at(t, id, a)...)
}

// at are the parameters that every statement of one row and scope begins with.
func (f *follower) at(t *tidemark.Table, id string, a *account, more ...tidemark.Value) []tidemark.Value {
	return append([]tidemark.Value{tidemark.Int(int64(t.ID)), tidemark.BlobString(id), tidemark.Int(a.i), tidemark.Int(int64(f.seq))}, more...)
}

// dependants looks at the rows whose path leads through a changed row, or led.
// A row whose path changed in several places is found from the changed row that
// is nearest to it, since those between are as they were.
func (f *follower) dependants(r *stamped) error {
	if planted.Is(planted.MissDependants) {
		return nil
	}
	for _, st := range f.n.plan.Steps[r.t.ID] {
		if r.c.Op == tidemark.Update && !slices.ContainsFunc(r.c.Cols, func(c int) bool { return slices.Contains(st.Watch, c) }) {
			continue
		}
		old, now, known, err := f.referred(r, st.By)
		if err != nil {
			return err
		}
		f.anew = f.anew || !known
		if err := f.dependantsOn(st, now); err != nil {
			return err
		}
		if slices.Equal(old, now) {
			continue
		}
		if err := f.dependantsOn(st, old); err != nil {
			return err
		}
	}
	return nil
}

// referred returns what the columns by held by which others refer to a row, and
// what they hold now; nil where there was no row, or is none.
func (f *follower) referred(r *stamped, by []int) (old, now []tidemark.Value, known bool, err error) {
	c, t := r.c, r.t
	after := c.New
	if c.Op == tidemark.Update {
		if after, err = row.Get(f.x.db, t, c.Key); err != nil {
			return nil, nil, false, err
		}
	}
	if c.Op != tidemark.Delete && after != nil {
		now = valuesAt(after, by)
	}
	switch {
	case c.Op == tidemark.Update && after != nil:
		old = slices.Clone(now)
		for i, col := range by {
			if k := slices.Index(c.Cols, col); k >= 0 {
				old[i] = valueAt(c.Old, k)
			}
		}
		return old, now, true, nil
	case len(c.Old) == len(t.Columns):
		return valuesAt(c.Old, by), now, true, nil
	case !r.was.live:
		return nil, now, true, nil
	}
	// A change that capture missed: nothing is known of the row but its key.
	for _, col := range by {
		k := slices.Index(t.Key, col)
		if k < 0 {
			return nil, now, false, nil
		}
		old = append(old, c.Key[k])
	}
	return old, now, true, nil
}

func valuesAt(values []tidemark.Value, columns []int) []tidemark.Value {
	out := make([]tidemark.Value, len(columns))
	for i, c := range columns {
		out[i] = valueAt(values, c)
	}
	return out
}

// dependantsOn looks at the rows that come to a row with these values.
func (f *follower) dependantsOn(st *scope.Step, values []tidemark.Value) error {
	if len(values) == 0 || slices.ContainsFunc(values, tidemark.Value.IsNull) {
		return nil
	}
	var keys [][]tidemark.Value
	err := f.x.db.Each(st.SQL, func(s *lite.Stmt) error {
		keys = append(keys, s.Row(0))
		return nil
	}, values...)
	if err != nil {
		return err
	}
	for _, key := range keys {
		if slices.ContainsFunc(key, tidemark.Value.IsNull) {
			continue
		}
		if err := f.look(st.Table, st.Table.KeyID(key)); err != nil {
			return err
		}
	}
	return nil
}

// look looks at a row that only may be elsewhere.
func (f *follower) look(t *tidemark.Table, id string) error {
	is, err := record{}, error(nil)
	if r := f.changed[rowID{t.ID, id}]; r == nil {
		is, err = f.x.recordOf(t, id)
	} else if f.stays(r) {
		is = r.is // what it was is booked
	}
	if err != nil || !is.live {
		return err // nobody knows of it yet, or it was looked at
	}
	now, err := f.scopesNow(t, id)
	if err != nil {
		return err
	}
	return f.move(t, id, now, is, is, false)
}
