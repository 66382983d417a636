package sqlite

import (
	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/policy"
	"github.com/tidemarkdb/tidemark/internal/schema"
)

// declared lays the policies over a schema that was read from the database.
// Where something declared does not fit it returns an error and what fits.
func (s *Store) declared(sc *tidemark.Schema) (*tidemark.Schema, error) {
	if s.policies == nil {
		return policy.Overlay(nil, sc), nil
	}
	return s.policies(sc)
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
	return s.setPolicies(policies)
}

// Declare is SetPolicies and SetRules in one: either both hold, or nothing changed.
func (s *Store) Declare(policies func(*tidemark.Schema) (*tidemark.Schema, error), rules func(*tidemark.Schema) (*tidemark.Rules, error)) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	before, armed := s.declaredRules, s.armed
	if err := s.setRules(rules); err != nil {
		return err
	}
	err := s.setPolicies(policies)
	if err != nil {
		s.declaredRules, s.armed = before, armed
	}
	return err
}

func (s *Store) setPolicies(policies func(*tidemark.Schema) (*tidemark.Schema, error)) error {
	before := s.policies
	s.policies = policies
	err := s.redeclare()
	if err != nil {
		s.policies = before
	}
	return err
}

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
	}
	return nil
}

// movePolicies takes over policies that were declared anew.
func (x *tx) movePolicies() (*tidemark.SchemaMove, error) {
	to := x.s.declaredLater(x.schema)
	if to.Hash == x.schema.Hash {
		return nil, nil
	}
	to.Hash = schema.HashOf(to)
	if err := install(x.db, to); err != nil {
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
		for i := range was.ForeignKeys[:min(len(was.ForeignKeys), len(t.ForeignKeys))] {
			t.ForeignKeys[i].SetNull = was.ForeignKeys[i].SetNull
		}
	}
	return to
}
