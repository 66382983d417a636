package sqlite

import (
	"slices"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/guards"
	"github.com/tidemarkdb/tidemark/internal/policy"
	"github.com/tidemarkdb/tidemark/internal/schema"
)

// declared lays the policies and the scopes over a schema that was read from the
// database. Where something declared does not fit it returns an error and what fits.
func (s *Store) declared(sc *tidemark.Schema) (*tidemark.Schema, error) {
	to, err := policy.Overlay(nil, sc), error(nil)
	if s.policies != nil {
		to, err = s.policies(sc)
	}
	if to == nil {
		return nil, err
	}
	to, serr := s.lay(to)
	if err == nil {
		err = serr
	}
	return s.guarded(to), err
}

// guarded adds what copies can check of the rules by themselves. It is never a
// reason to refuse a file: without guards the server alone judges.
func (s *Store) guarded(sc *tidemark.Schema) *tidemark.Schema {
	if s.declaredRules == nil || s.opts.Amends {
		return sc
	}
	r, _ := s.declaredRules(sc) // arm tells of errors
	list, err := guards.Of(sc, r)
	if err != nil {
		s.opts.Warn("copies check nothing of the rules by themselves: " + err.Error())
	}
	if len(list) == 0 {
		return sc
	}
	to := *sc
	to.Guards = list
	to.Hash = schema.HashOf(&to)
	return &to
}

// unguarded is a schema as the served file has it: what is written there is not judged.
func unguarded(sc *tidemark.Schema) *tidemark.Schema {
	if len(sc.Guards) == 0 {
		return sc
	}
	to := *sc
	to.Guards = nil
	return &to
}

// declaredLater is declared for a schema that moved while it was served: the
// file cannot be refused any more, so what does not fit is only told.
func (s *Store) declaredLater(sc *tidemark.Schema) *tidemark.Schema {
	to, err := s.declared(sc)
	if err != nil {
		s.opts.Warn(err.Error())
	}
	return to
}

// SetPolicies declares other policies while the space is served, in the form of
// Options.Policies. When they do not fit the present schema it changes nothing
// and says why. They hold from the next group on, which sequences the move;
// until then Dirty is true.
func (s *Store) SetPolicies(policies func(*tidemark.Schema) (*tidemark.Schema, error)) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.setDeclared(policies, s.scopes)
}

// SetScopes declares other scopes while the space is served, in the form of
// Options.Scopes, as SetPolicies does with policies. The next group moves the
// rows between the scopes.
func (s *Store) SetScopes(scopes func(*tidemark.Schema) (*tidemark.Scopes, error)) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.setDeclared(s.policies, scopes)
}

// Declare is SetPolicies, SetRules and SetScopes in one: either all hold, or nothing changed.
func (s *Store) Declare(
	policies func(*tidemark.Schema) (*tidemark.Schema, error), rules func(*tidemark.Schema) (*tidemark.Rules, error),
	scopes func(*tidemark.Schema) (*tidemark.Scopes, error),
) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	before, armed := s.declaredRules, s.armed
	if err := s.setRules(rules); err != nil {
		return err
	}
	err := s.setDeclared(policies, scopes)
	if err != nil {
		s.declaredRules, s.armed = before, armed
	}
	return err
}

func (s *Store) setDeclared(policies func(*tidemark.Schema) (*tidemark.Schema, error), scopes func(*tidemark.Schema) (*tidemark.Scopes, error)) error {
	beforePolicies, beforeScopes, last := s.policies, s.scopes, s.lastScopes
	s.policies, s.scopes = policies, scopes
	if scopes == nil && beforeScopes != nil {
		s.scopes = unscoped
	}
	err := s.redeclare()
	if err != nil {
		s.policies, s.scopes, s.lastScopes = beforePolicies, beforeScopes, last
	}
	return err
}

// unscoped declares one scope that has everything.
func unscoped(*tidemark.Schema) (*tidemark.Scopes, error) { return nil, nil }

// redeclare has the next group look whether what is declared is what is in use.
func (s *Store) redeclare() error {
	now := s.last.Load().schema
	to, err := s.declared(now)
	if err != nil {
		return err
	}
	if to.Hash != now.Hash {
		s.version = -1
		s.relook.Store(true)
		s.rescope.Store(to.Declared != now.Declared)
		return nil
	}
	_, err = s.scopingFor(now)
	return err
}

// movePolicies takes over policies and scopes that were declared anew.
func (x *tx) movePolicies() (*tidemark.SchemaMove, error) {
	to := x.s.declaredLater(x.schema)
	if to.Hash == x.schema.Hash {
		return nil, nil
	}
	to.Hash = schema.HashOf(to)
	if err := install(x.db, to); err != nil {
		return nil, err
	}
	if err := x.moveScopes(x.schema, to); err != nil {
		return nil, err
	}
	x.schema = to
	x.s.forgetJudge()
	return &tidemark.SchemaMove{Schema: to, Out: map[string]string{}}, nil
}

// keepPolicies gives the tables of a schema that was only looked at what is in
// use for them, and new ones the defaults.
func keepPolicies(from, to *tidemark.Schema) *tidemark.Schema {
	to = policy.Overlay(nil, to)
	to.Scopes, to.Declared, to.Guards = from.Scopes, from.Declared, from.Guards
	for _, t := range to.Tables {
		was := from.Table(t.ID)
		if was == nil || was.Out != "" {
			continue
		}
		t.Policy = was.Policy
		for i := range was.Columns[:min(len(was.Columns), len(t.Columns))] {
			c := &t.Columns[i]
			c.Policy, c.Custom, c.Group = was.Columns[i].Policy, was.Columns[i].Custom, was.Columns[i].Group
		}
		for i := range t.ForeignKeys {
			if k := sameKey(was.ForeignKeys, &t.ForeignKeys[i]); k != nil {
				t.ForeignKeys[i].SetNull, t.ForeignKeys[i].Loose = k.SetNull, k.Loose
			}
		}
	}
	return to
}

// sameKey finds a foreign key among others. A copy may lack some, see ForeignKey.Loose.
func sameKey(keys []tidemark.ForeignKey, k *tidemark.ForeignKey) *tidemark.ForeignKey {
	for i := range keys {
		if slices.Equal(keys[i].Columns, k.Columns) && tidemark.SameName(keys[i].Parent, k.Parent) {
			return &keys[i]
		}
	}
	return nil
}
