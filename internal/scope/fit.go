package scope

import (
	"fmt"
	"slices"
	"strings"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/schema"
)

// What a Misfit is about.
const (
	OnTable = "table"
	OnPath  = "path"
	OnWhere = "where"
	OnGrant = "grant"
)

// Misfit is a part of a declaration that does not fit the schema. A member that
// does not fit is left out; a grant that does not grants nothing.
type Misfit struct {
	Kind  string
	Table string // of a member; "" for the kind itself
	What  string // OnTable, OnPath, OnWhere, OnGrant
	Step  int    // which column of the path
	Err   error
	Hint  string
	// Word is a name that does not exist, one of Known may be meant; What they
	// are is Of, such as "its columns are".
	Word  string
	Known []string
	Of    string
}

func (m Misfit) Error() string {
	where := "scope " + m.Kind
	if m.Table != "" {
		where += ", table " + m.Table
	}
	return where + ": " + m.Err.Error()
}

// fitter makes a plan.
type fitter struct {
	s       *tidemark.Schema
	plan    *Plan
	members []*member
	misfits []Misfit
}

// member is a table in a kind, with the way from its rows to the key.
type member struct {
	kind  *Kind
	t     *tidemark.Table
	route *route // nil: the kind has no key
	where string
}

// Fit makes a declaration fit a schema. It looks at names alone; what SQLite has
// to say of conditions and grants Check finds. Without a declaration the plan is nil.
func Fit(s *tidemark.Schema, d *tidemark.Scopes) (*Plan, []Misfit) {
	if d == nil || len(d.List) == 0 {
		return nil, nil
	}
	f := &fitter{s: s, plan: &Plan{Tables: map[int]*Table{}, Steps: map[int][]*Step{}}}
	for i := range d.List {
		f.kind(&d.List[i])
	}
	slices.SortFunc(f.plan.Kinds, func(a, b *Kind) int { return strings.Compare(a.Name, b.Name) })
	slices.SortStableFunc(f.members, func(a, b *member) int { return strings.Compare(a.kind.Name, b.kind.Name) })
	f.tables()
	f.steps()
	f.loose()
	return f.plan, f.misfits
}

func (f *fitter) kind(d *tidemark.Scope) {
	k := &Kind{Name: d.Name, Keyed: d.Keyed, Grant: d.Grant}
	f.plan.Kinds = append(f.plan.Kinds, k)
	var seen []*tidemark.Table
	for i := range d.Members {
		m := &d.Members[i]
		t := f.table(k, m.Table)
		if t == nil || t.Out != "" {
			continue // a table that left is in no scope
		}
		if slices.Contains(seen, t) {
			f.misfit(Misfit{
				Kind: k.Name, Table: m.Table, What: OnTable, Err: fmt.Errorf("table %s is in the scope twice", t.Name),
				Hint: "a table is in a kind of scope by one path: make another kind for the other",
			})
			continue
		}
		seen = append(seen, t)
		x := &member{kind: k, t: t, where: m.Where}
		if k.Keyed {
			if x.route = f.route(k, t, m); x.route == nil {
				continue
			}
		}
		f.members = append(f.members, x)
	}
}

func (f *fitter) misfit(m Misfit) { f.misfits = append(f.misfits, m) }

// table finds the table of a member.
func (f *fitter) table(k *Kind, name string) *tidemark.Table {
	m := Misfit{Kind: k.Name, Table: name, What: OnTable}
	if schema.Fold(name) == tidemark.ConflictsTable {
		m.Err, m.Hint = fmt.Errorf("%s is in scopes by itself", name), "take it out: its rows are where the rows are that they speak of"
		f.misfit(m)
		return nil
	}
	for _, t := range f.s.Tables {
		if schema.Fold(t.Name) == schema.Fold(name) {
			return t
		}
		if t.Out == "" && t.Name != tidemark.ConflictsTable {
			m.Known = append(m.Known, t.Name)
		}
	}
	m.Err = fmt.Errorf("the database has no table %s", name)
	m.Word, m.Of = name, "the tables are"
	for _, o := range f.s.Objects {
		switch {
		case schema.Fold(o.Name) != schema.Fold(name):
		case o.Type == "table":
			m.Err, m.Hint, m.Word = fmt.Errorf("table %s does not sync", o.Name), "tidemark check FILE says why, and what to do", ""
		case o.Type == "view":
			m.Err, m.Hint, m.Word = fmt.Errorf("%s is a view", o.Name), "name the tables that it reads", ""
		}
	}
	f.misfit(m)
	return nil
}

// tables writes the queries that say which scopes rows are in.
func (f *fitter) tables() {
	for _, m := range f.members {
		t := f.plan.Tables[m.t.ID]
		if t == nil {
			t = &Table{Table: m.t}
			f.plan.Tables[m.t.ID] = t
		}
		t.Kinds, t.Where = append(t.Kinds, m.kind.Name), append(t.Where, m.where)
	}
	for _, t := range f.plan.Tables {
		var names []string
		for _, m := range f.members {
			if m.t.ID == t.ID {
				names = append(names, m.name())
			}
		}
		t.One, t.All = oneQuery(t.Table, names), allQuery(t.Table, names)
	}
}
