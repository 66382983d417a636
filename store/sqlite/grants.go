package sqlite

import (
	"context"
	"slices"
	"sync"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/lite"
	"github.com/tidemarkdb/tidemark/internal/scope"
)

// grant is a kind of scope with what grants it.
type grant struct {
	kind    *scope.Kind
	query   *scope.Grant // nil: Kind.Grant is a word, or cannot be used and grants nothing
	concern *scope.Concern
	warn    sync.Once
}

// prepareGrants makes the grants of a plan ready. One that does not fit grants nothing.
func (s *Store) prepareGrants(sc *tidemark.Schema, plan *scope.Plan) ([]*grant, error) {
	var all []*grant
	for _, k := range plan.Kinds {
		g := &grant{kind: k}
		all = append(all, g)
		if k.Grant == tidemark.GrantNone || k.Grant == tidemark.GrantPublic {
			continue
		}
		q, err := scope.NewGrant(s.db, sc, k)
		if err != nil {
			if lite.Environment(err) {
				return nil, err
			}
			s.opts.Warn("the grant of scope " + k.Name + " does not fit, so it grants nothing: " + err.Error())
			continue
		}
		if g.concern, err = q.Concern(s.db, sc); err != nil {
			return nil, err
		}
		g.query = q
	}
	return all, nil
}

// Granted lists the scopes that a principal may read, see tidemark.View.
func (v *view) Granted(p tidemark.Principal) ([]string, error) {
	n, err := v.scoping()
	if err != nil || n == nil {
		return nil, err
	}
	var names []string
	for _, g := range n.grants {
		switch {
		case g.query != nil:
			some, err := v.ask(g, p)
			if err != nil {
				return nil, err
			}
			names = append(names, some...)
		case g.kind.Grant == tidemark.GrantPublic:
			names = append(names, g.kind.Name)
		}
	}
	slices.Sort(names)
	return slices.Compact(names), nil
}

// ask runs one grant. One that fails grants nothing; what is no fault of the
// grant's is an error.
func (v *view) ask(g *grant, p tidemark.Principal) ([]string, error) {
	below := v.db.SetContext(context.Background())
	v.db.SetContext(below)
	names, err := g.query.Ask(below, v.db, p, v.s.opts.RuleSteps)
	switch {
	case err == nil:
		return names, nil
	case below.Err() != nil || lite.Environment(err) && !lite.Interrupted(err) && !lite.NoMemory(err):
		return nil, err
	}
	g.warn.Do(func() {
		v.s.opts.Warn("the grant of scope " + g.kind.Name + " failed, so it granted nothing: " + err.Error())
	})
	return nil, nil
}

// scoping returns what is declared for the schema that the view sees, nil where
// everybody has everything.
func (v *view) scoping() (*scoping, error) {
	if !v.schema.Scoped() {
		return nil, nil
	}
	if all := v.s.scopings.Load(); all != nil && (*all)[v.schema.Hash] != nil {
		return (*all)[v.schema.Hash], nil
	}
	if v.db == v.s.db {
		return v.s.scopingFor(v.schema)
	}
	return nil, &tidemark.Error{Code: tidemark.CodeBusy, Op: "view", Space: v.s.opts.Space, Msg: "what is declared was not taken over yet"}
}
