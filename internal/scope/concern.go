package scope

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/lite"
	"github.com/tidemarkdb/tidemark/internal/schema"
)

// Concern says whom a change of the rows that a grant reads can concern: whose
// scopes may be others than before. It may name too many, never too few.
//
// # Why it is enough
//
// What a grant says to a principal u is put together from what its SELECTs say. A
// reading with Users is one where everywhere that the query reads the table the row
// must have u in such a column. So u's answer hangs on the rows with u in them
// alone, and whoever stands in none of the changed rows, as they were and as they
// are, has the answer of before.
//
// A Search is made of a SELECT that is one of the query's own, mentions the principal
// once, as u = k.c for one of its sources k, and :claims never. What it says to u
// comes of the combinations of rows, one of each source, that meet its conditions
// and have u in k.c, whatever it makes of them (a list, a sum, the first few).
// Take a combination that there is now and was not before, or the reverse. Some
// of its rows are not the same before and after; let Q be their sources. If k is in
// Q, u stands in a changed row, and the reading of k's table has c among its Users.
// If not, the search for Q finds it: there the sources of Q read the changed rows, as
// they were and as they are, and all others, whose rows are the same, what there is
// now. It asks the same conditions but u = k.c, and for k.c. One search for each
// set of sources that may be Q, and no guess about which rows changed together.
//
// This holds for sources whose rows only ever add combinations: not for the right
// side of a LEFT JOIN, where a row also takes one away, and not for what sub-queries
// and views read. A change there concerns everybody, unless a reading has Users.
type Concern struct {
	Readings map[int]*Reading // by the table's ID
	Searches []*Search

	db    *lite.DB
	grant *Grant
}

// Reading is what a grant reads of a table.
type Reading struct {
	Table   *tidemark.Table
	Columns map[int]bool // an update of others concerns nobody
	// Users are columns with the names of principals: those in a row that changes are concerned.
	Users []int
	// Everybody says why everybody is concerned, as a clause for people; "" where
	// Users and Searches find all.
	Everybody string
}

// Search finds the principals whom changed rows concern.
type Search struct {
	Tables []int // whose changed rows it reads: it need not run where one has none
	SQL    string
}

// mostSources bounds how many sources of one SELECT are searched for: there is a
// search for each set of them.
const mostSources = 4

// Concern finds out whom changes of what the grant reads concern. It is asked on
// the connection db.
func (g *Grant) Concern(db *lite.DB, s *tidemark.Schema) (*Concern, error) {
	k := &Concern{Readings: map[int]*Reading{}, db: db, grant: g}
	for _, t := range s.Tables {
		names, ok := g.Reads[schema.Fold(t.Name)]
		if !ok || t.Out != "" {
			continue
		}
		r := &Reading{Table: t, Columns: map[int]bool{}}
		for name := range names {
			r.Columns[t.Place(name)] = true
		}
		if r.Columns[-1] {
			for c := range t.Columns {
				r.Columns[c] = true
			}
		}
		k.Readings[t.ID] = r
	}
	q, ok := takeApart(s, g.SQL)
	if !ok {
		k.everybody("the query has WITH, VALUES or something else that is not followed")
		return k, nil
	}
	k.users(q)
	for _, n := range q.all {
		k.searches(q, n)
	}
	return k, k.compile()
}

func (k *Concern) everybody(why string) {
	for _, r := range k.Readings {
		r.unknown(why)
	}
	k.Searches = nil
}

// unknown has everybody concerned. The first reason stays.
func (r *Reading) unknown(why string) {
	if r.Everybody == "" {
		r.Everybody = why
	}
}

// users finds the columns with principals, and what neither they nor searches cover.
func (k *Concern) users(q *selects) {
	hidden := q.hidden()
	seen := map[int]bool{}
	for _, n := range q.all {
		key, _ := q.invertible(n)
		for _, src := range n.sources {
			if src.table == nil || k.Readings[src.table.ID] == nil {
				continue
			}
			r := k.Readings[src.table.ID]
			seen[src.table.ID] = true
			c, _ := src.compared(q)
			switch {
			case c >= 0 && !comparesExactly(&src.table.Columns[c]):
				r.unknown("its column " + src.table.Columns[c].Name + " may equal the names of several people")
			case c >= 0:
				if !slices.Contains(r.Users, c) {
					r.Users = append(r.Users, c)
				}
			case key == nil:
				r.unknown("no row of it names :user, and the SELECT that reads it cannot be turned around")
			case src.right:
				r.unknown("it is the right side of a LEFT JOIN")
			case r.Columns[-1]:
				r.unknown("the query reads a rowid or a generated column of it")
			}
		}
	}
	for id, r := range k.Readings {
		if name := schema.Fold(r.Table.Name); !seen[id] || q.in[name] || hidden[name] {
			r.unknown("it is read by a view or behind IN")
		}
	}
}

// hidden lists every name in the views that a query reads, folded: each may be
// a table's.
func (q *selects) hidden() map[string]bool {
	names := map[string]bool{}
	var visit func(name string)
	visit = func(name string) {
		for _, o := range q.s.Objects {
			if o.Type != "view" || schema.Fold(o.Name) != name {
				continue
			}
			for _, x := range schema.Lex(o.SQL) {
				is := schema.Fold(x.Name)
				if x.Kind == schema.LexString {
					is = schema.Fold(strings.Trim(x.Text, "'")) // SQLite takes it for a name where it wants one
				}
				if is != "" && !names[is] {
					names[is] = true
					visit(is)
				}
			}
		}
	}
	for name := range q.in {
		visit(name)
	}
	for _, n := range q.all {
		for _, src := range n.sources {
			if src.table == nil {
				visit(src.name)
			}
		}
	}
	return names
}

// invertible returns the source that names the principal, where a SELECT can be
// turned around, and the place of the condition by which it does.
func (q *selects) invertible(n *selection) (key *source, conjunct int) {
	if !n.arm || !n.plain() || q.mentions("1", n.begin, n.end) != 1 || q.mentions("2", n.begin, n.end) != 0 {
		return nil, -1
	}
	for _, src := range n.sources {
		if src.table == nil {
			continue
		}
		if c, i := src.compared(q); c >= 0 && comparesExactly(&src.table.Columns[c]) {
			return src, i
		}
	}
	return nil, -1
}

// comparesExactly reports whether a text equals what is in a column only when it
// is the same.
func comparesExactly(c *tidemark.Column) bool {
	return c.Collation == "BINARY" && (c.Affinity == tidemark.AffinityText || c.Affinity == tidemark.AffinityBlob)
}

// compile makes sure that the searches can run, within the bounds of the grant.
// What one is for that does not concerns everybody.
func (k *Concern) compile() error {
	for _, id := range slices.Sorted(maps.Keys(k.Readings)) {
		r := k.Readings[id]
		if r.Everybody != "" || !k.searched(id) {
			continue
		}
		if err := k.db.Run(makeMoved(r.Table)); err != nil {
			if lite.Environment(err) {
				return err
			}
			r.unknown("a copy of its columns cannot be made")
		}
	}
	var fit []*Search
	for _, s := range k.Searches {
		if slices.ContainsFunc(s.Tables, func(id int) bool { return k.Readings[id].Everybody != "" }) {
			continue
		}
		err := k.db.CompileWithin(s.SQL, k.allows)
		switch {
		case err == nil:
			fit = append(fit, s)
		case lite.Environment(err):
			return err
		default:
			for _, id := range s.Tables {
				k.Readings[id].unknown("the SELECT that reads it cannot be turned around")
			}
		}
	}
	k.Searches = fit
	return nil
}

func (k *Concern) searched(id int) bool {
	return slices.ContainsFunc(k.Searches, func(s *Search) bool { return slices.Contains(s.Tables, id) })
}

// allows lets a search read what the grant reads, and changed rows.
func (k *Concern) allows(w lite.Want) bool {
	if w.Kind != lite.WantRead {
		return w.Kind != lite.WantOther
	}
	if w.Schema == "temp" {
		return slices.ContainsFunc(slices.Collect(maps.Values(k.Readings)), func(r *Reading) bool { return movedName(r.Table) == w.Table })
	}
	return k.grant.Reads[schema.Fold(w.Table)] != nil
}

// Searching reports whether changed rows of these tables are to be searched for.
func (k *Concern) Searching(moved func(table int) bool) bool {
	return slices.ContainsFunc(k.Searches, func(s *Search) bool { return s.of(moved) })
}

func (s *Search) of(moved func(table int) bool) bool {
	return !slices.ContainsFunc(s.Tables, func(id int) bool { return !moved(id) })
}

// Find calls name with the principals whom changed rows concern, beside those
// that stand in them: moved are the rows by table, as they were and as they are now.
// It is cut off after so many steps; 0 stands for DefaultSteps.
func (k *Concern) Find(below context.Context, moved map[int][][]tidemark.Value, steps int, name func(principal string)) error {
	if steps <= 0 {
		steps = DefaultSteps
	}
	filled := map[int]bool{}
	budget := lite.NewBudget(below, steps)
	before := k.db.SetContext(budget)
	defer k.db.SetContext(before)
	for _, s := range k.Searches {
		if !s.of(func(id int) bool { return len(moved[id]) > 0 }) {
			continue
		}
		for _, id := range s.Tables {
			if filled[id] {
				continue
			}
			filled[id] = true
			if err := fillMoved(k.db, k.Readings[id].Table, moved[id]); err != nil {
				return err
			}
		}
		err := k.db.Each(s.SQL, func(st *lite.Stmt) error {
			if v := st.Value(0); v.Kind() == tidemark.KindText {
				name(v.Str())
			}
			return nil
		})
		if err != nil {
			if budget.Spent() {
				err = errors.Join(errors.New("to find whom a change concerns takes too long"), err)
			}
			return err
		}
	}
	return nil
}
