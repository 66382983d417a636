package replica

import (
	"errors"
	"slices"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/lite"
	"github.com/tidemarkdb/tidemark/internal/meta"
	"github.com/tidemarkdb/tidemark/internal/planted"
	"github.com/tidemarkdb/tidemark/internal/wire"
)

// errOtherKind says that coming back does not help: one side has scopes, the other has none.
var errOtherKind = errors.New("one side has scopes, the other has none")

// What happened to a scope.
const (
	ScopeGained = "gained" // the server lists it now
	ScopeReady  = "ready"  // all its rows are here
	ScopeLost   = "lost"   // the server lists it no more; its rows left
)

// ScopeNews is what happened to a scope of a replica.
type ScopeNews struct {
	Scope    string `json:"scope"`
	State    string `json:"state"`
	Rows     int    `json:"rows"`     // ready: that are in it; lost: that left the copy with it
	Unwanted bool   `json:"unwanted"` // lost: because the replica does not want it any more
}

// TakeScopes takes over the list of the scopes that the session has from here
// on. Rows of others leave, and chunks that were staged are worth nothing. It
// returns nil when no scope came or went.
func (r *Replica) TakeScopes(list []string, now int64) (*Applied, error) {
	return r.scrubbed(func() (*Applied, error) {
		var out *Applied
		err := r.transaction("scopes", now, func() (err error) {
			if !r.server.Scoped() {
				return otherKind(true)
			}
			if err := r.voidStage(); err != nil {
				return err
			}
			out, err = r.takeList(list)
			return err
		})
		return out, err
	})
}

// welcomeList takes over the list of a Welcome. An empty one under a schema that
// is still to come may mean that there are no scopes at all any more; then this
// copy stays as it is.
func (r *Replica) welcomeList(w *wire.Welcome) (*Applied, error) {
	if !r.server.Scoped() {
		if len(w.Scopes) > 0 {
			return nil, otherKind(true)
		}
		return nil, nil
	}
	put := len(w.Scopes) == 0 && w.Schema != r.server.Hash
	if err := store(r.db, flag(keyUnlisted, put)); err != nil || put {
		return nil, err
	}
	return r.takeList(w.Scopes)
}

// listedNothing drops what a Welcome did not list, once it is known that there are scopes.
func (r *Replica) listedNothing() (*Applied, error) {
	put, err := meta.Int(r.db, keyUnlisted)
	if err != nil || put == 0 {
		return nil, err
	}
	if err := store(r.db, flag(keyUnlisted, false)); err != nil {
		return nil, err
	}
	return r.takeList(nil)
}

// listed is a scope of the server's last list.
type listed struct {
	i    int64
	name string
	held bool
}

func (r *Replica) listed() (all []listed, err error) {
	err = r.db.Each("SELECT i, name, held FROM main._tm_scope ORDER BY name", func(s *lite.Stmt) error {
		all = append(all, listed{s.Int(0), s.Text(1), s.Int(2) != 0})
		return nil
	})
	return all, err
}

func (r *Replica) takeList(list []string) (*Applied, error) {
	known, err := r.listed()
	if err != nil {
		return nil, err
	}
	is, was := map[string]bool{}, map[string]bool{}
	for _, name := range list {
		is[name] = true
	}
	var lost []listed
	for _, s := range known {
		if was[s.name] = true; !is[s.name] {
			lost = append(lost, s)
		}
	}
	var news []ScopeNews
	for _, name := range slices.Sorted(slices.Values(list)) {
		if was[name] {
			continue
		}
		was[name] = true
		news = append(news, ScopeNews{Scope: name, State: ScopeGained})
		if err := r.db.Run("INSERT INTO main._tm_scope (name) VALUES (?1)", tidemark.Text(name)); err != nil {
			return nil, err
		}
	}
	if len(lost) > 0 {
		return r.drop(lost, news)
	}
	if len(news) == 0 {
		return nil, nil
	}
	seq, err := meta.Int(r.db, meta.KeySeq)
	return &Applied{Seq: tidemark.Seq(seq), Scopes: news}, err
}

// drop takes scopes off, and the rows that are in no other. What is pending on
// them waits, suspended, for the server's word.
func (r *Replica) drop(lost []listed, news []ScopeNews) (*Applied, error) {
	if err := r.checkFence(); err != nil {
		return nil, err
	}
	only, want, err := r.wants()
	if err != nil {
		return nil, err
	}
	seq, err := meta.Int(r.db, meta.KeySeq)
	if err != nil {
		return nil, err
	}
	j := &job{seq: tidemark.Seq(seq)}
	for _, s := range lost {
		rows, err := r.dropScope(s)
		if err != nil {
			return nil, err
		}
		if !planted.Is(planted.KeepLost) {
			j.leave = append(j.leave, rows...)
		}
		wanted := !only || slices.ContainsFunc(want, func(w wire.Want) bool { return w.Scope == s.name })
		news = append(news, ScopeNews{Scope: s.name, State: ScopeLost, Rows: len(rows), Unwanted: !wanted})
	}
	a, err := r.advance(j)
	if err != nil {
		return nil, err
	}
	a.out.Seq, a.out.Scopes = j.seq, news
	return a.out, a.tally.save()
}

// dropScope takes a scope off and returns its rows that are in no scope now.
func (r *Replica) dropScope(s listed) (rows []rowID, err error) {
	i, name := tidemark.Int(s.i), tidemark.Text(s.name)
	staged, err := r.db.Int("SELECT EXISTS (SELECT 1 FROM main._tm_stage WHERE scope = ?1)", name)
	if err != nil {
		return nil, err
	}
	if s.held || staged != 0 {
		if err := r.voidStage(); err != nil {
			return nil, err
		}
	}
	err = r.db.Each(`SELECT t, key FROM main._tm_member m WHERE s = ?1 AND NOT EXISTS (
		SELECT 1 FROM main._tm_member o WHERE o.t = m.t AND o.key = m.key AND o.s <> ?1)`, func(s *lite.Stmt) error {
		rows = append(rows, rowID{int(s.Int(0)), string(s.Blob(1))})
		return nil
	}, i)
	if err != nil {
		return nil, err
	}
	if err := r.db.Run("DELETE FROM main._tm_member WHERE s = ?1", i); err != nil {
		return nil, err
	}
	return rows, r.db.Run("DELETE FROM main._tm_scope WHERE i = ?1", i)
}
