package server

import (
	"errors"
	"maps"
	"os"
	"slices"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/hub"
	"github.com/tidemarkdb/tidemark/internal/merge"
	"github.com/tidemarkdb/tidemark/internal/policy"
)

// MergeFunc decides a cell of a column whose policy is custom. It gets what
// both edits started from, what the server has and what arrives, and returns
// the cell's new value. It must be pure: the same arguments, the same result.
type MergeFunc = func(base, theirs, mine tidemark.Value) (tidemark.Value, error)

// UniqueFunc decides when a unique value is taken already, for tables whose
// on_unique names it. It must be pure. An error rejects the changeset and is
// its reason.
type UniqueFunc = func(Clash) (Resolution, error)

// Clash is a row that has a unique value which another row has already.
type Clash = hub.Clash

// Resolution says what to do about a Clash; the zero Resolution rejects.
type Resolution = hub.Resolution

// functions hands the registered functions to a hub.
func (s *Server) functions(o hub.Options) hub.Options {
	o.Merge, o.Unique = map[string]merge.Func{}, map[string]hub.UniqueFunc{}
	for name, f := range s.opts.Merge {
		o.Merge[name] = f
	}
	for name, f := range s.opts.Unique {
		o.Unique[name] = f
	}
	return o
}

// declaration is what holds for one database.
type declaration struct {
	file   string // "" when nothing is declared
	apply  func(*tidemark.Schema) (*tidemark.Schema, error)
	rules  func(*tidemark.Schema) (*tidemark.Rules, error)
	scopes func(*tidemark.Schema) (*tidemark.Scopes, error)
}

// declared reads the policies, the rules and the scopes of a database. Where principals are
// known, nobody may write what no rule allows.
func (s *Server) declared(database string) (declaration, error) {
	file := s.opts.Policies
	if file == "" {
		file = policy.Beside(database)
	}
	c, err := policy.Load(file)
	if err != nil {
		return declaration{}, err
	}
	if c == nil && s.opts.Policies != "" {
		return declaration{}, &tidemark.Error{
			Code: tidemark.CodeUsage, Op: "serve", Err: os.ErrNotExist, Msg: "there is no file " + file,
			Hint: "give the path of the file that declares how edits merge, or leave it out",
		}
	}
	if c == nil {
		file = ""
	}
	f := policy.Functions{Merge: slices.Sorted(maps.Keys(s.opts.Merge)), Unique: slices.Sorted(maps.Keys(s.opts.Unique))}
	return declaration{file, policy.For(c, f), policy.RulesFor(c, s.opts.Auth != nil), policy.ScopesFor(c)}, nil
}

// Reload reads the policies, rules and scopes of all open spaces again. Those that changed
// hold from the next changeset on; policies travel to every replica. Where they are
// invalid or do not fit, what was in force stays, and the error says why; the
// other spaces get theirs.
func (s *Server) Reload() error {
	s.mu.Lock()
	var open []*space
	for _, name := range slices.Sorted(maps.Keys(s.spaces)) {
		if sp := s.spaces[name].ready(); sp != nil {
			open = append(open, sp)
		}
	}
	s.mu.Unlock()
	var all []error
	for _, sp := range open {
		if err := sp.reload(); err != nil {
			all = append(all, &tidemark.Error{Code: tidemark.CodeOf(err), Space: sp.name, Err: err, Hint: tidemark.HintOf(err)})
		}
	}
	return errors.Join(all...)
}

func (sp *space) reload() error {
	d, err := sp.srv.declared(sp.path)
	if err != nil {
		return err
	}
	if err := sp.redeclare(d); err != nil {
		return err
	}
	sp.declaredIn.Store(&d.file)
	sp.log.Info("policies read", "file", d.file)
	sp.kick()
	return nil
}

// policies returns the file that declares what is in force, or "".
func (sp *space) policies() string {
	if file := sp.declaredIn.Load(); file != nil {
		return *file
	}
	return ""
}
