package scope

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/lite"
	"github.com/tidemarkdb/tidemark/internal/rules"
)

// Advise finds what reads whole tables for lack of an index: the search for the
// rows that depend on a changed one, and grants.
func Advise(s *tidemark.Schema, d *tidemark.Scopes) ([]rules.Advice, error) {
	f := &fitter{s: s, plan: &Plan{Tables: map[int]*Table{}, Steps: map[int][]*Step{}}}
	if d == nil {
		return nil, nil
	}
	for i := range d.List {
		f.kind(&d.List[i])
	}
	db, err := rules.Scratch(s)
	if err != nil {
		return nil, err
	}
	defer func() { _ = db.Close() }()
	var all []rules.Advice
	add := func(a rules.Advice) {
		if !slices.ContainsFunc(all, func(b rules.Advice) bool { return b.Create == a.Create }) {
			all = append(all, a)
		}
	}
	for _, m := range f.members {
		if m.route == nil {
			continue
		}
		for _, h := range m.route.hops {
			scans, err := h.scans(db)
			if err != nil {
				return nil, err
			}
			if scans {
				add(rules.Advice{Table: h.parent.Name, What: "scope " + m.kind.Name, Reads: h.child.Name, Create: h.index()})
			}
		}
	}
	for _, k := range f.plan.Kinds {
		if k.Grant == tidemark.GrantNone || k.Grant == tidemark.GrantPublic {
			continue
		}
		g, err := NewGrant(db, s, k)
		if err != nil {
			continue // Check says so
		}
		list, err := rules.Scans(db, s, g.SQL)
		if err != nil {
			return nil, err
		}
		for _, a := range list {
			a.What = "the grant of " + k.Name
			add(a)
		}
	}
	return all, nil
}

// Wide is a table of which every change has everybody's grants evaluated anew.
type Wide struct {
	Scope string `json:"scope"` // the kind that is granted
	Table string `json:"table"`
	Why   string `json:"why"` // a clause for people
}

// Widely finds what a grant reads in such a way that nobody can tell whom a
// change concerns, see Concern.
func Widely(s *tidemark.Schema, d *tidemark.Scopes) ([]Wide, error) {
	plan, _ := Fit(s, d)
	if plan == nil {
		return nil, nil
	}
	db, err := rules.Scratch(s)
	if err != nil {
		return nil, err
	}
	defer func() { _ = db.Close() }()
	var all []Wide
	for _, k := range plan.Kinds {
		if k.Grant == tidemark.GrantNone || k.Grant == tidemark.GrantPublic {
			continue
		}
		g, err := NewGrant(db, s, k)
		if err != nil {
			continue // Check says so
		}
		c, err := g.Concern(db, s)
		if err != nil {
			return nil, err
		}
		for _, t := range s.Tables {
			if r := c.Readings[t.ID]; r != nil && r.Everybody != "" {
				all = append(all, Wide{k.Name, t.Name, r.Everybody})
			}
		}
	}
	return all, nil
}

// scans reports whether the whole table of the child is read to find the rows
// that refer to one of the parent.
func (h *hop) scans(db *lite.DB) (scans bool, err error) {
	const alias = "_tm_child"
	values := make([]string, len(h.to))
	for i := range values {
		values[i] = "?" + strconv.Itoa(i+1)
	}
	sql := "EXPLAIN QUERY PLAN SELECT 1 FROM main." + lite.Quote(h.child.Name) + " AS " + alias + " WHERE " + follows(*h, alias, values)
	err = db.Each(sql, func(s *lite.Stmt) error {
		scans = scans || strings.HasPrefix(s.Text(3), "SCAN "+alias)
		return nil
	})
	return scans, err
}

// index is the statement that makes the index which is missing.
func (h *hop) index() string {
	names, terms := []string{h.child.Name}, []string{}
	for i, c := range h.from {
		name := h.child.Columns[c].Name
		term := rules.Bare(name)
		if p := h.parent.Columns[h.to[i]].Collation; p != h.child.Columns[c].Collation {
			term += " COLLATE " + p
		}
		names, terms = append(names, name), append(terms, term)
	}
	return fmt.Sprintf("CREATE INDEX %s ON %s (%s);", rules.Bare(strings.Join(names, "_")), rules.Bare(h.child.Name), strings.Join(terms, ", "))
}
