package replica

import (
	"slices"
	"strings"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/lite"
	"github.com/tidemarkdb/tidemark/internal/meta"
	"github.com/tidemarkdb/tidemark/internal/wire"
)

// scopeBookkeeping keeps the scopes that the server listed (held: all their
// rows are here), those that are wanted by name, and which confirmed rows are in
// which scope. _tm_lost names rows that left while pending touches them, as long
// as it does; _tm_left counts, by table, rows that left, for other processes.
const scopeBookkeeping = `
CREATE TABLE main._tm_scope (i INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, held INTEGER NOT NULL DEFAULT 0,
  sum INTEGER NOT NULL DEFAULT 0);
CREATE TABLE main._tm_want (name TEXT PRIMARY KEY, priority INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE main._tm_member (t INTEGER NOT NULL, key BLOB NOT NULL, s INTEGER NOT NULL,
  PRIMARY KEY (t, key, s)) WITHOUT ROWID;
CREATE INDEX main._tm_member_s ON _tm_member (s);
CREATE TABLE main._tm_lost (t INTEGER NOT NULL, key BLOB NOT NULL, PRIMARY KEY (t, key)) WITHOUT ROWID;
CREATE TABLE main._tm_left (t INTEGER PRIMARY KEY, n INTEGER NOT NULL);
`

// ScopeStatus is a scope that the replica wants by name, or that the server
// listed when they last spoke.
type ScopeStatus struct {
	Scope    string `json:"scope"`
	Listed   bool   `json:"granted"` // in the server's last list
	Wanted   bool   `json:"wanted"`  // by name, or because the replica takes all
	Ready    bool   `json:"ready"`   // all its rows are here
	Priority int64  `json:"priority"`
	Rows     int64  `json:"rows"`
}

// Scopes lists the scopes by name; nil where none are declared.
func (r *Replica) Scopes() (list []ScopeStatus, err error) {
	if !r.server.Scoped() {
		return nil, nil
	}
	err = r.db.View(func() error {
		list, err = r.scopes()
		return err
	})
	return list, failureOrNil("scopes", err)
}

func (r *Replica) scopes() ([]ScopeStatus, error) {
	only, want, err := r.wants()
	if err != nil {
		return nil, err
	}
	all := map[string]ScopeStatus{}
	for _, w := range want {
		all[w.Scope] = ScopeStatus{Scope: w.Scope, Wanted: true, Priority: w.Priority}
	}
	const query = `SELECT name, held, (SELECT count(*) FROM main._tm_member WHERE s = i) FROM main._tm_scope`
	err = r.db.Each(query, func(s *lite.Stmt) error {
		st := all[s.Text(0)]
		st.Scope, st.Listed, st.Ready, st.Rows = s.Text(0), true, s.Int(1) != 0, s.Int(2)
		st.Wanted = st.Wanted || !only
		all[st.Scope] = st
		return nil
	})
	list := make([]ScopeStatus, 0, len(all))
	for _, st := range all {
		list = append(list, st)
	}
	slices.SortFunc(list, func(a, b ScopeStatus) int { return strings.Compare(a.Scope, b.Scope) })
	return list, err
}

// Wants returns what the replica subscribes to: those scopes and no others, or,
// when only is false, all that it may read, those of the list by their priority.
func (r *Replica) Wants() (only bool, want []wire.Want, err error) {
	err = r.db.View(func() error {
		only, want, err = r.wants()
		return err
	})
	return only, want, failureOrNil("scopes", err)
}

func (r *Replica) wants() (only bool, want []wire.Want, err error) {
	n, err := meta.Int(r.db, keyOnly)
	if err != nil {
		return false, nil, err
	}
	err = r.db.Each("SELECT name, priority FROM main._tm_want ORDER BY priority, name", func(s *lite.Stmt) error {
		want = append(want, wire.Want{Scope: s.Text(0), Priority: s.Int(1)})
		return nil
	})
	return n != 0, want, err
}

// Subscribe replaces what the replica wants. Rows come and go when the server
// has been told.
func (r *Replica) Subscribe(only bool, want []wire.Want) error {
	return r.transaction("subscribe", 0, func() error {
		if !r.server.Scoped() {
			return &tidemark.Error{Code: tidemark.CodeUsage, Msg: "this space has no scopes: every copy holds all of it",
				Hint: "declare scopes in tidemark.yaml on the server, then clone again"}
		}
		n, err := meta.Int(r.db, keyWants)
		if err != nil {
			return err
		}
		if err := saveWants(r.db, only, want); err != nil {
			return err
		}
		return meta.SetInt(r.db, keyWants, n+1)
	})
}

func saveWants(db *lite.DB, only bool, want []wire.Want) error {
	if err := db.Run("DELETE FROM main._tm_want"); err != nil {
		return err
	}
	for _, w := range want {
		err := db.Run("INSERT OR REPLACE INTO main._tm_want (name, priority) VALUES (?1, ?2)", tidemark.Text(w.Scope), tidemark.Int(w.Priority))
		if err != nil {
			return err
		}
	}
	return store(db, flag(keyOnly, only))
}

// wanted counts how often what is wanted changed; 0 where no scopes are declared.
func (r *Replica) wanted() (int64, error) {
	if !r.server.Scoped() {
		return 0, nil
	}
	n, err := meta.Int(r.db, keyWants)
	return n, failureOrNil("subscribe", err)
}

// answered notes that the server listed what is granted of what was wanted when
// wanted returned n.
func (r *Replica) answered(n int64) error {
	known, err := meta.Int(r.db, keyAnswered)
	if err != nil || known == n {
		return failureOrNil("scopes", err)
	}
	return r.transaction("scopes", 0, func() error { return meta.SetInt(r.db, keyAnswered, n) })
}

// filling reports whether scopes that the server listed are not whole here.
func (r *Replica) filling() (bool, error) {
	if !r.server.Scoped() {
		return false, nil
	}
	n, err := r.db.Int("SELECT EXISTS (SELECT 1 FROM main._tm_scope WHERE held = 0)")
	return n != 0, failureOrNil("scopes", err)
}

// heldScopes lists the scopes that are whole here, by name.
func heldScopes(db *lite.DB) (list []string, err error) {
	err = db.Each("SELECT name FROM main._tm_scope WHERE held = 1 ORDER BY name", func(s *lite.Stmt) error {
		list = append(list, s.Text(0))
		return nil
	})
	return list, err
}

// otherKind refuses to go on with a server whose space got scopes, or lost
// them, since this copy was cloned.
func otherKind(scoped bool) error {
	e := &tidemark.Error{Code: tidemark.CodeSchema, Err: errOtherKind,
		Msg:  "scopes are declared on the server now, and this copy was made when there were none",
		Hint: "clone again beside this copy; what is pending here stays here"}
	if !scoped {
		e.Msg = "no scopes are declared on the server any more, and this copy was made of some"
	}
	return e
}
