package oracle

import (
	"encoding/hex"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/tidemarkdb/tidemark"
)

// Scope is a kind of scope, said in Go: who is in it and who may read it.
type Scope struct {
	Name  string
	Keyed bool
	// Tables says by table which scope of this kind a row is in: its key, NULL
	// for none. Where the kind is not keyed, whatever is not NULL stands for it.
	Tables map[string]func(s State, r Row) tidemark.Value
	// Grant gives the keys that somebody may read; nil: nobody may. Where the
	// kind is not keyed any key does.
	Grant func(s State, who string) []tidemark.Value
}

// Scoped reports whether replicas hold some scopes, and not everything.
func (m *Model) Scoped() bool { return len(m.Scopes) > 0 }

// declared is the entry of a State that holds which declaration of scopes is in
// force, for those that change. No table has that name.
const declared = " declared"

// Declared returns the number of the declaration of scopes that is in force.
func (s State) Declared() int {
	if r := s[declared][""]; r != nil {
		return int(r[0].Int64())
	}
	return 0
}

// Declare returns the state in which the declaration n is in force.
func (s State) Declare(n int) State {
	if n == 0 {
		return s
	}
	out := s.Clone()
	out[declared] = map[string]Row{"": {tidemark.Int(int64(n))}}
	return out
}

// id names a scope of the kind, "" for a key that is NULL.
func (k *Scope) id(key tidemark.Value) string {
	switch {
	case key.IsNull():
		return ""
	case !k.Keyed:
		return k.Name
	case key.Kind() == tidemark.KindInt:
		return k.Name + "/" + strconv.FormatInt(key.Int64(), 10)
	case key.Kind() == tidemark.KindBlob:
		return k.Name + "/x" + strings.ToUpper(hex.EncodeToString([]byte(key.Str())))
	}
	return k.Name + "/" + key.Str()
}

// In lists the scopes that a row is in, sorted.
func (m *Model) In(s State, table string, r Row) []string {
	var list []string
	for _, k := range m.Scopes {
		if of := k.Tables[table]; of != nil {
			if id := k.id(of(s, r)); id != "" {
				list = append(list, id)
			}
		}
	}
	slices.Sort(list)
	return list
}

// Granted lists the scopes that somebody may read, sorted.
func (m *Model) Granted(s State, who string) []string {
	ids := map[string]bool{}
	for _, k := range m.Scopes {
		if k.Grant == nil {
			continue
		}
		for _, key := range k.Grant(s, who) {
			if id := k.id(key); id != "" {
				ids[id] = true
			}
		}
	}
	return slices.Sorted(maps.Keys(ids))
}

// Cut returns what of a state is in at least one of some scopes.
func (m *Model) Cut(s State, scopes []string) State {
	out := State{}
	for _, t := range m.Tables {
		out[t.Name] = map[string]Row{}
		for key, r := range s[t.Name] {
			if overlap(m.In(s, t.Name, r), scopes) {
				out[t.Name][key] = r
			}
		}
	}
	return out
}

// Held is the model of a replica: without the references that it may hold one
// side of.
func (m *Model) Held() *Model {
	out := &Model{Scopes: m.Scopes, Tables: make([]*Table, len(m.Tables))}
	for i, t := range m.Tables {
		c := *t
		c.Refs = slices.DeleteFunc(slices.Clone(t.Refs), func(r Ref) bool { return r.Loose })
		out.Tables[i] = &c
	}
	return out
}

// hidden reports whether changes touch a row that somebody may not see, or one
// that is not there and that he never saw go. What his own rejected changeset
// would have made is another matter.
func (m *Model) hidden(by string, s State, changes []Change, past Past) bool {
	granted := m.Granted(s, by)
	return slices.ContainsFunc(changes, func(c Change) bool {
		key := m.Table(c.Table).KeyOf(c.Key)
		if c.Op == tidemark.Insert || past.Refused(c.Table, key) {
			return false
		}
		if row, there := s[c.Table][key]; there {
			return !overlap(m.In(s, c.Table, row), granted)
		}
		return !overlap(past.Went(c.Table, key), granted)
	})
}

// covered reports whether changes insert a row where one is that their author
// may not see: even if it is the same, he must not learn what it is.
func (m *Model) covered(by string, s State, changes []Change) bool {
	granted := m.Granted(s, by)
	return slices.ContainsFunc(changes, func(c Change) bool {
		row, there := s[c.Table][m.Table(c.Table).KeyOf(c.Key)]
		return c.Op == tidemark.Insert && there && !overlap(m.In(s, c.Table, row), granted)
	})
}

func overlap(a, b []string) bool {
	return slices.ContainsFunc(a, func(x string) bool { return slices.Contains(b, x) })
}
