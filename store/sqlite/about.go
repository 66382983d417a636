package sqlite

import (
	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/lite"
	"github.com/tidemarkdb/tidemark/internal/wire"
)

// conflicts keeps the scopes of conflicts: each is where the row is that it
// speaks of, or was when that row went. A conflict may speak of another one; the
// list grows until nothing moves any more.
func (f *follower) conflicts() error {
	t := conflictsIn(f.x.schema)
	if t == nil {
		return nil
	}
	for id, r := range f.changed {
		if id.table == t.ID {
			if err := f.conflict(t, r); err != nil {
				return err
			}
		}
	}
	return f.followers(t)
}

// conflict keeps what a changed conflict speaks of, and its scopes.
func (f *follower) conflict(t *tidemark.Table, r *stamped) error {
	if err := f.speaksOf(t, r.id, r.is.live); err != nil {
		return err
	}
	var now []*account
	if r.is.live {
		var err error
		if now, err = f.scopesOfSubject(r.id); err != nil {
			return err
		}
	}
	if r.was.live != r.is.live {
		f.about = append(f.about, rowID{t.ID, r.id})
	}
	return f.move(t, r.id, now, r.was, r.is, true)
}

// followers lets conflicts follow the rows that they speak of.
func (f *follower) followers(t *tidemark.Table) error {
	for len(f.about) > 0 {
		subject := f.about[0]
		f.about = f.about[1:]
		ids, err := f.x.conflictsAbout(subject)
		if err != nil {
			return err
		}
		for _, id := range ids {
			is, err := f.x.recordOf(t, id)
			if err != nil {
				return err
			}
			if !is.live {
				continue
			}
			now, err := f.scopesOfSubject(id)
			if err != nil {
				return err
			}
			if err := f.move(t, id, now, is, is, false); err != nil {
				return err
			}
		}
	}
	return nil
}

func (x *tx) conflictsAbout(subject rowID) (ids []string, err error) {
	err = x.db.Each("SELECT id FROM main._tm_about WHERE t = ?1 AND key = ?2 ORDER BY id", func(s *lite.Stmt) error {
		ids = append(ids, string(s.Blob(0)))
		return nil
	}, tidemark.Int(int64(subject.table)), tidemark.BlobString(subject.key))
	return ids, err
}

// speaksOf keeps in _tm_about what a conflict speaks of. One that cannot be
// understood speaks of nothing.
func (f *follower) speaksOf(t *tidemark.Table, id string, live bool) error {
	subject, err := rowID{}, error(nil)
	if live {
		if subject, err = f.subject(t, id); err != nil {
			return err
		}
	}
	if subject.table == 0 {
		return f.x.db.Run("DELETE FROM main._tm_about WHERE id = ?1", tidemark.BlobString(id))
	}
	return f.x.db.Run("INSERT OR REPLACE INTO main._tm_about (id, t, key) VALUES (?1, ?2, ?3)",
		tidemark.BlobString(id), tidemark.Int(int64(subject.table)), tidemark.BlobString(subject.key))
}

// subject reads the row that a conflict speaks of.
func (f *follower) subject(t *tidemark.Table, id string) (rowID, error) {
	key, err := tidemark.ParseKeyID(id)
	if err != nil {
		return rowID{}, err
	}
	r, err := f.x.db.Get("SELECT tbl, row FROM main."+tidemark.ConflictsTable+" WHERE id = ?1", key...)
	if err != nil || r == nil {
		return rowID{}, err
	}
	about := f.x.schema.Named(r[0].Str())
	of, err := wire.DecodeValues([]byte(r[1].Str()))
	if about == nil || err != nil || len(of) != len(about.Key) {
		return rowID{}, nil
	}
	return rowID{about.ID, about.KeyID(of)}, nil
}

// scopesOfSubject returns the scopes of the row that a conflict speaks of: those
// that it is in, or, when it is gone, those in which it went.
func (f *follower) scopesOfSubject(id string) ([]*account, error) {
	r, err := f.x.db.Get("SELECT t, key FROM main._tm_about WHERE id = ?1", tidemark.BlobString(id))
	if err != nil || r == nil {
		return nil, err
	}
	t := f.x.schema.Table(int(r[0].Int64()))
	if t == nil || t.Out != "" {
		return nil, nil
	}
	is, err := f.x.recordOf(t, r[1].Str())
	if err != nil {
		return nil, err
	}
	all, err := f.x.standings(t.ID, r[1].Str())
	if err != nil {
		return nil, err
	}
	var now []*account
	for _, st := range all {
		if st.live == rowIn || !is.live && st.live == rowDied && st.seq == is.seq {
			a, err := f.x.s.book.numbered(f.x.db, st.s)
			if err != nil {
				return nil, err
			}
			now = append(now, a)
		}
	}
	return now, nil
}

// remakeConflicts reads all conflicts anew.
func (f *follower) remakeConflicts() error {
	t := conflictsIn(f.x.schema)
	if t == nil {
		return f.x.db.Run("DELETE FROM main._tm_about")
	}
	ids, err := f.x.liveKeys(t.ID)
	if err != nil {
		return err
	}
	if err := f.x.db.Run("DELETE FROM main._tm_about"); err != nil {
		return err
	}
	for _, k := range ids {
		if err := f.speaksOf(t, k.id, true); err != nil {
			return err
		}
	}
	for _, k := range ids {
		f.about = append(f.about, rowID{t.ID, k.id}) // some may speak of it
		now, err := f.scopesOfSubject(k.id)
		if err != nil {
			return err
		}
		is, err := f.x.recordOf(t, k.id)
		if err != nil {
			return err
		}
		if err := f.move(t, k.id, now, is, is, f.changed[rowID{t.ID, k.id}] != nil); err != nil {
			return err
		}
	}
	return f.followers(t)
}
