package sqlite

import (
	"slices"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/lite"
	"github.com/tidemarkdb/tidemark/internal/meta"
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
