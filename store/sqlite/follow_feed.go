package sqlite

import (
	"slices"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/lite"
	"github.com/tidemarkdb/tidemark/internal/planted"
)

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
	moved, err := f.keep(t, id, before, now, was, is, changed)
	if err != nil {
		return err
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

// keep takes a row out of the scopes that it is not in any more, and notes its
// change in those that it is still in. It reports whether it left one.
func (f *follower) keep(t *tidemark.Table, id string, before []standing, now []*account, was, is record, changed bool) (moved bool, err error) {
	b := f.x.s.book
	for _, st := range before {
		if st.live != rowIn {
			continue
		}
		a, err := b.numbered(f.x.db, st.s)
		if err != nil {
			return false, err
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
			return false, err
		}
	}
	return moved, nil
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
