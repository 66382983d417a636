package scope

import (
	"fmt"
	"slices"
	"strings"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/schema"
)

// route is the way from a row to the key: over foreign keys from table to table,
// and at last a column.
type route struct {
	hops []hop
	last int // column of the last table that holds the key
}

// hop is one foreign key on the way.
type hop struct {
	child, parent *tidemark.Table
	fk            int   // place in child.ForeignKeys
	from, to      []int // the columns that refer, and those of the parent that they refer to
}

// at returns the table behind so many hops.
func (r *route) at(base *tidemark.Table, n int) *tidemark.Table {
	if n == 0 {
		return base
	}
	return r.hops[n-1].parent
}

// leaving returns the columns by which the way leaves the table behind so many hops.
func (r *route) leaving(n int) []int {
	if n == len(r.hops) {
		return []int{r.last}
	}
	return r.hops[n].from
}

// maxPath is how many columns a path may have: SQLite bounds the depth of a query.
const maxPath = 32

// route follows the path of a member. It returns nil where the path does not fit.
func (f *fitter) route(k *Kind, base *tidemark.Table, d *tidemark.Member) *route {
	r, t := &route{}, base
	problem := func(i int, hint, format string, args ...any) *route {
		f.misfit(Misfit{Kind: k.Name, Table: d.Table, What: OnPath, Step: i, Err: fmt.Errorf(format, args...), Hint: hint})
		return nil
	}
	if len(d.Path) == 0 {
		return problem(0, "write the column that holds the key, or COLUMN.COLUMN where the first is a foreign key", "the path to the key is missing")
	}
	if len(d.Path) > maxPath {
		return problem(maxPath, "keep the key in a column that is nearer", "the path has %d columns, more than %d", len(d.Path), maxPath)
	}
	for i, name := range d.Path {
		c := column(t, name)
		if c < 0 {
			f.noColumn(k, d, i, t, name)
			return nil
		}
		if i == len(d.Path)-1 {
			r.last = c
			break
		}
		fk, msg := referring(t, c)
		if fk < 0 {
			hint := "declare REFERENCES on it, or end the path there: " + strings.Join(d.Path[:i+1], ".")
			if msg == "" {
				msg = fmt.Sprintf("column %s of %s is no foreign key, so the path cannot go on to %s", t.Columns[c].Name, t.Name, strings.Join(d.Path[i+1:], "."))
			} else {
				hint = "name another column of the foreign key that is meant"
			}
			return problem(i, hint, "%s", msg)
		}
		h, msg := f.hop(t, fk)
		if msg != "" {
			return problem(i, "put the column that holds the key into a table that syncs, and let the path end there", "%s", msg)
		}
		r.hops = append(r.hops, h)
		t = h.parent
	}
	return r
}

// hop makes a foreign key a part of a way, or says why it cannot be.
func (f *fitter) hop(t *tidemark.Table, fk int) (hop, string) {
	k := &t.ForeignKeys[fk]
	h := hop{child: t, fk: fk, from: k.Columns, parent: f.s.Named(k.Parent)}
	if h.parent == nil || h.parent.Out != "" {
		return h, fmt.Sprintf("the path leads through %s, which does not sync: nobody would notice what changes there", k.Parent)
	}
	for i, name := range k.To {
		p := column(h.parent, name)
		if p < 0 || k.Columns[i] < 0 {
			return h, fmt.Sprintf("the foreign key of %s to %s has a generated column, which cannot be part of a path", t.Name, k.Parent)
		}
		h.to = append(h.to, p)
	}
	return h, ""
}

// noColumn tells of a column that is not there.
func (f *fitter) noColumn(k *Kind, d *tidemark.Member, i int, t *tidemark.Table, name string) {
	m := Misfit{Kind: k.Name, Table: d.Table, What: OnPath, Step: i}
	if schema.Declares(t.SQL, name) {
		m.Err = fmt.Errorf("%s is no stored column of table %s", name, t.Name)
		m.Hint = "a path goes over stored columns: every copy computes the generated ones itself"
	} else {
		m.Err = fmt.Errorf("table %s has no column %s", t.Name, name)
		m.Word, m.Of = name, "its columns are"
		for _, c := range t.Columns {
			m.Known = append(m.Known, c.Name)
		}
	}
	f.misfit(m)
}

// referring finds the foreign key that a column belongs to: the one that is this
// column alone, else the only one that has it. -1 and "": there is none.
func referring(t *tidemark.Table, c int) (fk int, msg string) {
	var alone, among []int
	for i, k := range t.ForeignKeys {
		switch {
		case !slices.Contains(k.Columns, c):
		case len(k.Columns) == 1:
			alone = append(alone, i)
		default:
			among = append(among, i)
		}
	}
	for _, found := range [][]int{alone, among} {
		switch len(found) {
		case 0:
			continue
		case 1:
			return found[0], ""
		}
		var parents []string
		for _, i := range found {
			parents = append(parents, t.ForeignKeys[i].Parent)
		}
		return -1, fmt.Sprintf("column %s of %s belongs to foreign keys to %s: which one the path takes is not clear", t.Columns[c].Name, t.Name, strings.Join(parents, " and "))
	}
	return -1, ""
}

// column finds a stored column by its name, or returns -1.
func column(t *tidemark.Table, name string) int {
	return slices.IndexFunc(t.Columns, func(c tidemark.Column) bool { return schema.Fold(c.Name) == schema.Fold(name) })
}
