package scope

import (
	"fmt"
	"slices"

	"github.com/tidemarkdb/tidemark"
)

// Lay writes into a schema which kinds of scopes there are, and which foreign
// keys replicas do without. The plan is of that schema and that declaration, or
// nil. It leaves the schema's hash alone.
func Lay(s *tidemark.Schema, d *tidemark.Scopes, p *Plan) {
	s.Scopes, s.Public, s.Declared = nil, nil, Hash(d)
	for _, t := range s.Tables {
		for i := range t.ForeignKeys {
			t.ForeignKeys[i].Loose = false
		}
	}
	if p == nil {
		return
	}
	for _, k := range p.Kinds {
		s.Scopes = append(s.Scopes, k.Name)
		if !k.Keyed && k.Grant == tidemark.GrantPublic {
			s.Public = append(s.Public, k.Name)
		}
	}
	for _, x := range p.Loose {
		s.Table(x.Table.ID).ForeignKeys[x.Key].Loose = true
	}
}

// loose finds the foreign keys that replicas cannot honour.
func (f *fitter) loose() {
	for _, t := range f.s.Tables {
		for i := range t.ForeignKeys {
			if why := f.whyLoose(t, i); why != "" {
				f.plan.Loose = append(f.plan.Loose, Loose{Table: t, Key: i, Why: why})
			}
		}
	}
}

// whyLoose says why a replica may hold a row without the one that it refers to by
// a foreign key; "" where it cannot. A parent that does not sync is in no
// replica in any case.
func (f *fitter) whyLoose(t *tidemark.Table, fk int) string {
	parent := f.s.Named(t.ForeignKeys[fk].Parent)
	if t.Out != "" || t.Name == tidemark.ConflictsTable || parent == nil || parent.Out != "" || f.everywhere(parent) {
		return ""
	}
	h, msg := f.hop(t, fk)
	if msg != "" {
		return msg
	}
	in := false
	for _, m := range f.members {
		if m.t != t {
			continue
		}
		in = true
		if !f.together(m, h) {
			return fmt.Sprintf("a row of %s is in a scope %s also where its row of %s is not", t.Name, m.kind.Name, parent.Name)
		}
	}
	if !in {
		return fmt.Sprintf("%s is in no scope", t.Name)
	}
	return ""
}

// everywhere reports whether every replica has all rows of a table: such scopes
// cannot be left out.
func (f *fitter) everywhere(t *tidemark.Table) bool {
	return slices.ContainsFunc(f.members, func(m *member) bool {
		return m.t == t && !m.kind.Keyed && m.kind.Grant == tidemark.GrantPublic && m.where == ""
	})
}

// together reports whether the row that a member's row refers to is in the same
// scope, always.
func (f *fitter) together(m *member, h hop) bool {
	for _, p := range f.members {
		if p.kind != m.kind || p.t != h.parent || p.where != "" {
			continue
		}
		switch {
		case m.route == nil:
			return true // the kind has no key, and all rows of the parent
		case len(m.route.hops) > 0:
			return m.route.hops[0].fk == h.fk && m.route.tail(p.route)
		default:
			return handsOn(h, m.route, p.route)
		}
	}
	return false
}

// tail reports whether a way is another one behind its first hop.
func (r *route) tail(p *route) bool {
	return r.last == p.last && slices.EqualFunc(r.hops[1:], p.hops, func(a, b hop) bool { return a.child == b.child && a.fk == b.fk })
}

// handsOn reports whether a row's own column holds the same text as the column
// of the parent that it refers to, and both are the keys.
func handsOn(h hop, m, p *route) bool {
	if len(p.hops) > 0 {
		return false
	}
	i := slices.Index(h.from, m.last)
	if i < 0 || h.to[i] != p.last {
		return false
	}
	a, b := &h.child.Columns[m.last], &h.parent.Columns[p.last]
	return a.Collation == "BINARY" && b.Collation == "BINARY" && sameText(a, b)
}

// sameText reports whether values that are equal have the same text in both
// columns. In others 1 and 1.0 are equal, or 0.0 and -0.0, and have not.
func sameText(a, b *tidemark.Column) bool {
	whole := func(c *tidemark.Column) bool {
		return c.Affinity == tidemark.AffinityInteger || c.Affinity == tidemark.AffinityNumeric
	}
	return a.Affinity == tidemark.AffinityText && b.Affinity == tidemark.AffinityText || whole(a) && whole(b)
}
