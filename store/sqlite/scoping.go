package sqlite

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/lite"
	"github.com/tidemarkdb/tidemark/internal/meta"
	"github.com/tidemarkdb/tidemark/internal/schema"
	"github.com/tidemarkdb/tidemark/internal/scope"
)

// scoping is a declaration of scopes made ready for a schema. It is shared by
// all connections and must not be changed.
type scoping struct {
	declared *tidemark.Scopes
	plan     *scope.Plan
	own      map[int]map[int]bool // columns of a table that decide where its rows are
	feed     string               // names what the feed is made by
	grants   []*grant
}

// lay lays the declared scopes over a schema, and takes the hash anew. Where
// something declared does not fit it returns an error and what fits. A
// declaration that cannot be had is never taken for none: the one before holds.
func (s *Store) lay(sc *tidemark.Schema) (*tidemark.Schema, error) {
	if s.scopes == nil {
		return sc, nil
	}
	d, err := s.scopes(sc)
	if err != nil && d == nil {
		d = s.lastScopes
	}
	plan, misfits := scope.Fit(sc, d)
	if err == nil && len(misfits) > 0 {
		err = &tidemark.Error{Code: tidemark.CodeUsage, Op: "scopes", Space: s.opts.Space, Msg: misfits[0].Error(), Hint: misfits[0].Hint}
	}
	s.lastScopes = d
	to := *sc
	to.Tables = make([]*tidemark.Table, len(sc.Tables))
	for i, t := range sc.Tables {
		c := *t
		c.ForeignKeys = slices.Clone(t.ForeignKeys)
		to.Tables[i] = &c
	}
	scope.Lay(&to, d, plan)
	to.Hash = schema.HashOf(&to)
	return &to, err
}

// scopingFor makes the declaration that a schema was laid over with ready, on the
// writing connection.
func (s *Store) scopingFor(sc *tidemark.Schema) (*scoping, error) {
	if !sc.Scoped() {
		return nil, nil
	}
	if all := s.scopings.Load(); all != nil && (*all)[sc.Hash] != nil {
		return (*all)[sc.Hash], nil
	}
	d, err := s.declarationOf(sc)
	if err != nil {
		return nil, err
	}
	plan, _ := scope.Fit(sc, d)
	if plan == nil {
		plan = &scope.Plan{}
		s.opts.Warn("the declaration of the scopes in use is not known: nobody has a scope")
	}
	n := &scoping{declared: d, plan: plan, own: map[int]map[int]bool{}, feed: feedName(sc, plan)}
	for id, t := range plan.Tables {
		if n.own[id], err = ownColumns(s.db, t); err != nil {
			return nil, err
		}
	}
	if n.grants, err = s.prepareGrants(sc, plan); err != nil {
		return nil, err
	}
	s.keepScoping(sc.Hash, n)
	return n, nil
}

// keepScoping lets readers find a declaration, beside the one in use before:
// they may see the state before the next commit for a while.
func (s *Store) keepScoping(hash string, n *scoping) {
	next := map[string]*scoping{hash: n}
	if all, now := s.scopings.Load(), s.last.Load(); all != nil && now != nil && (*all)[now.schema.Hash] != nil {
		next[now.schema.Hash] = (*all)[now.schema.Hash]
	}
	s.scopings.Store(&next)
}

// declarationOf finds the declaration that a schema names by its hash.
func (s *Store) declarationOf(sc *tidemark.Schema) (*tidemark.Scopes, error) {
	if scope.Hash(s.lastScopes) == sc.Declared {
		return s.lastScopes, nil
	}
	d, err := storedScopes(s.db)
	if err != nil || scope.Hash(d) != sc.Declared {
		return nil, err
	}
	return d, nil
}

// storedScopes reads the declaration by which the feed was made.
func storedScopes(db *lite.DB) (*tidemark.Scopes, error) {
	body, err := meta.Get(db, keyScopes)
	if err != nil || body == "" {
		return nil, err
	}
	var d tidemark.Scopes
	if err := json.Unmarshal([]byte(body), &d); err != nil {
		return nil, fmt.Errorf("the declaration of scopes in the file cannot be read: %w", err)
	}
	return &d, nil
}

func storeDeclaration(db *lite.DB, d *tidemark.Scopes) error {
	body, err := json.Marshal(d)
	if err != nil {
		return err
	}
	return meta.Set(db, keyScopes, string(body))
}

func storeScopes(db *lite.DB, n *scoping) error {
	if err := storeDeclaration(db, n.declared); err != nil {
		return err
	}
	return meta.Set(db, keyFeed, n.feed)
}

// feedName names everything that decides which rows are in which scopes.
func feedName(sc *tidemark.Schema, plan *scope.Plan) string {
	var b strings.Builder
	for _, id := range slices.Sorted(maps.Keys(plan.Tables)) {
		fmt.Fprintf(&b, "%d %s\n", id, plan.Tables[id].One)
	}
	if t := conflictsIn(sc); t != nil {
		fmt.Fprintf(&b, "%d %s\n", t.ID, t.Name)
	}
	sum := sha256.Sum256([]byte(b.String()))
	return hex.EncodeToString(sum[:8])
}

// conflictsIn returns the table of conflicts while it syncs, or nil.
func conflictsIn(sc *tidemark.Schema) *tidemark.Table {
	if t := sc.Named(tidemark.ConflictsTable); t != nil && t.Out == "" {
		return t
	}
	return nil
}

// ownColumns learns from SQLite which columns of a table decide where its rows
// are. Other tables on the way may be the same one: too many do no harm.
func ownColumns(db *lite.DB, t *scope.Table) (map[int]bool, error) {
	own := map[int]bool{}
	for _, c := range t.Key {
		own[c] = true
	}
	err := db.CompileWithin(t.One, func(w lite.Want) bool {
		if w.Kind == lite.WantRead && tidemark.SameName(w.Table, t.Name) {
			own[t.Place(w.Column)] = true
		}
		return true
	})
	if err != nil && lite.Environment(err) {
		return nil, err
	}
	if own[-1] { // a generated column, which is made of any others
		for c := range t.Columns {
			own[c] = true
		}
	}
	return own, nil // a query that does not compile puts no row anywhere
}
