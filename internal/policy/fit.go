package policy

import (
	"slices"
	"strings"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/merge"
	"github.com/tidemarkdb/tidemark/internal/schema"
)

// fitter holds what a file declares for one table against the table.
type fitter struct {
	*log
	d *Table
	t *tidemark.Table
	f Functions

	skipped bool // a policy was declared and did not fit: its absence is no further problem
}

// fitTable writes what fits into the table of s.
func fitTable(l *log, s *tidemark.Schema, d *Table, f Functions) {
	t := findTable(l, s, d)
	if t == nil || t.Out != "" {
		return // a table that left keeps the policies with which it left
	}
	x := &fitter{log: l, d: d, t: t, f: f}
	x.policy()
	x.columns()
	x.groups()
	x.capacity()
	x.rows()
	x.unique()
	x.references()
	x.keeping()
	x.clock()
	x.lease()
}

func findTable(l *log, s *tidemark.Schema, d *Table) *tidemark.Table {
	name := d.Name.Value
	if own(name) {
		l.add(d.Name.At, "take it out: its rules are fixed", "%s is a table of Tidemark's own", name)
		return nil
	}
	var names []string
	for _, t := range s.Tables {
		if schema.Fold(t.Name) == schema.Fold(name) {
			return t
		}
		if !own(t.Name) {
			names = append(names, t.Name)
		}
	}
	for _, o := range s.Objects {
		switch {
		case schema.Fold(o.Name) != schema.Fold(name):
		case o.Type == "table":
			l.add(d.Name.At, "tidemark check FILE says why, and what to do; or take it out here", "table %s does not sync", o.Name)
			return nil
		case o.Type == "view":
			l.add(d.Name.At, "declare policies for the tables that it reads", "%s is a view", o.Name)
			return nil
		}
	}
	if len(names) > 0 {
		hint := meant(name, names, "the tables are")
		if nearest(name, names) == "" {
			hint += "; policies for one of several databases in a folder stand in NAME." + FileName + " beside it"
		}
		l.add(d.Name.At, hint, "the database has no table %s", name)
	}
	return nil // a database without tables is to get them yet
}

// own reports whether a name belongs to Tidemark.
func own(name string) bool {
	n := schema.Fold(name)
	return n == tidemark.ConflictsTable || strings.HasPrefix(n, "_tm_")
}

// policy takes the policy of the table.
func (x *fitter) policy() {
	p := x.d.Policy
	switch {
	case !p.Declared():
		return
	case p.Value == tidemark.PolicyCustom:
		x.skipped = true
		x.add(p.At, "declare it for the columns: COLUMN: { policy: custom, function: NAME }", "custom is a policy of columns: each needs a function of its own")
		return
	}
	x.t.Policy.Columns = p.Value
	if p.Value == tidemark.PolicyAppendOnly {
		x.appendOnly()
	}
}

// appendOnly refuses what can never matter in a table whose rows never change.
func (x *fitter) appendOnly() {
	const hint = "take one of the two out"
	for _, c := range x.d.Columns {
		x.add(c.Name.At, hint, "table %s is append-only: no column of it is ever edited", x.t.Name)
	}
	for _, g := range x.d.Groups {
		x.add(g.At, hint, "table %s is append-only: no column of it is ever edited", x.t.Name)
	}
	if x.d.OnDelete.Declared() {
		x.add(x.d.OnDelete.At, hint, "table %s is append-only: no row of it is ever deleted", x.t.Name)
	}
}

// columns takes the policies of single columns.
func (x *fitter) columns() {
	if x.t.AppendOnly() {
		return
	}
	for i := range x.d.Columns {
		d := &x.d.Columns[i]
		c, ok := x.column(d.Name)
		if !ok || !x.mergeable(c, d.Name.At) {
			x.skipped = true
			continue
		}
		if x.fits(c, d.Rule.Value.Policy, d.Rule.At) && x.function(d.Rule.Value) {
			x.t.Columns[c].Policy, x.t.Columns[c].Custom = d.Rule.Value.Policy, d.Rule.Value.Function.Value
		} else {
			x.skipped = true
		}
	}
}

// column finds a column of the table.
func (x *fitter) column(name Setting[string]) (int, bool) {
	c := columnOf(x.t, name.Value)
	if c >= 0 {
		return c, true
	}
	if schema.Declares(x.t.SQL, name.Value) {
		x.add(name.At, "only stored columns merge; every copy computes the generated ones itself", "%s is no stored column of table %s", name.Value, x.t.Name)
		return 0, false
	}
	var names []string
	for _, c := range x.t.Columns {
		names = append(names, c.Name)
	}
	x.add(name.At, meant(name.Value, names, "its columns are"), "table %s has no column %s", x.t.Name, name.Value)
	return 0, false
}

// mergeable refuses key columns: what they hold says which row it is.
func (x *fitter) mergeable(c int, at At) bool {
	if !slices.Contains(x.t.Key, c) {
		return true
	}
	x.add(at, "on_insert says what becomes of two rows of one key, on_delete of a row that one deletes and another changes",
		"column %s belongs to the primary key of %s, which does not merge by column", x.t.Columns[c].Name, x.t.Name)
	return false
}

// fits reports whether the column's type can carry the policy.
func (x *fitter) fits(c int, p tidemark.Policy, at At) bool {
	msg, hint := misfit(x.t, c, p)
	if msg != "" {
		x.add(at, hint, "%s", msg)
	}
	return msg == ""
}

// misfit says why a column cannot have a policy, and what to do.
func misfit(t *tidemark.Table, c int, p tidemark.Policy) (msg, hint string) {
	if err := merge.Carries(t, c, p); err != nil {
		return "table " + t.Name + ": " + err.Error(), "use " + instead(t, c)
	}
	return "", ""
}

// instead lists what a column can have.
func instead(t *tidemark.Table, c int) string {
	var list []string
	for _, p := range columnPolicies {
		if merge.Carries(t, c, p) == nil {
			list = append(list, string(p))
		}
	}
	return strings.Join(list[:len(list)-1], ", ") + " or " + list[len(list)-1]
}

// function makes sure that the function of a custom policy is registered.
func (x *fitter) function(r Rule) bool {
	return r.Policy != tidemark.PolicyCustom || x.registered(r.Function.Value, x.f.Merge, r.Function.At)
}

func (x *fitter) registered(name string, known []string, at At) bool {
	if x.f.Any || slices.Contains(known, name) {
		return true
	}
	hint := "functions are registered by a Go program that embeds the server; tidemark serve has none"
	if len(known) > 0 {
		hint = meant(name, known, "registered are")
	}
	x.add(at, hint, "no function %s is registered on this server", name)
	return false
}

// groups takes the columns that merge as one.
func (x *fitter) groups() {
	if x.t.AppendOnly() {
		return
	}
	for i := range x.d.Groups {
		x.group(&x.d.Groups[i])
	}
}

func (x *fitter) group(g *Group) {
	var places []int
	var names []string
	for _, name := range g.Columns {
		c, ok := x.column(name)
		ok = ok && x.mergeable(c, name.At) && x.ungrouped(c, name.At, places)
		if !ok || g.Policy.Declared() && !x.fits(c, g.Policy.Value, g.Policy.At) {
			x.skipped = true
			return
		}
		places, names = append(places, c), append(names, x.t.Columns[c].Name)
	}
	for _, c := range places {
		x.t.Columns[c].Group = strings.Join(names, "+")
		x.t.Columns[c].Policy = g.Policy.Value
	}
}

// ungrouped makes sure that a column is in one group only and has no policy of its own.
func (x *fitter) ungrouped(c int, at At, places []int) bool {
	col := &x.t.Columns[c]
	switch {
	case slices.Contains(places, c):
		x.add(at, "name it once", "column %s is in the group twice", col.Name)
	case col.Group != "":
		x.add(at, "make one group of both, or take the column out of one", "column %s is in the group %s already", col.Name, col.Group)
	case slices.ContainsFunc(x.d.Columns, func(d Column) bool { return columnOf(x.t, d.Name.Value) == c }):
		x.add(at, "take it out of columns: the policy of the group counts", "column %s has a policy of its own, and a group merges as one", col.Name)
	default:
		return true
	}
	return false
}

// capacity looks whether the columns without a policy of their own can carry the table's.
func (x *fitter) capacity() {
	p := x.d.Policy
	if x.skipped || !p.Declared() || p.Value == tidemark.PolicyAppendOnly {
		return
	}
	for c := range x.t.Columns {
		col := &x.t.Columns[c]
		if col.Policy != "" || slices.Contains(x.t.Key, c) {
			continue
		}
		if msg, _ := misfit(x.t, c, p.Value); msg != "" {
			x.add(p.At, "give "+col.Name+" or its group a policy of its own, or the table another", "%s", msg)
			x.t.Policy.Columns = ""
			return
		}
	}
}

// rows takes what is declared for whole rows.
func (x *fitter) rows() {
	if !x.t.AppendOnly() {
		x.t.Policy.OnDelete = x.d.OnDelete.Value
	}
	if p := x.d.OnInsert; p.Declared() {
		if why := unrenumberable(x.t); p.Value == tidemark.InsertRenumber && why != "" {
			x.add(p.At, "use reject or merge", "rows of %s cannot be renumbered: %s", x.t.Name, why)
			return
		}
		x.t.Policy.OnInsert = p.Value
	}
}

func (x *fitter) unique() {
	u := x.d.OnUnique
	switch {
	case !u.Declared():
	case len(x.t.Uniques) == 0:
		x.add(u.At, "take on_unique out; of two rows of one primary key on_insert says what becomes", "table %s has no UNIQUE constraint", x.t.Name)
	case u.Value == "" || x.registered(u.Value, x.f.Unique, u.At):
		x.t.Policy.OnUnique = u.Value
	}
}

// references takes what becomes of references to rows that were deleted.
func (x *fitter) references() {
	for _, r := range x.d.References {
		c, ok := x.column(r.Column)
		if !ok {
			continue
		}
		found := false
		for i := range x.t.ForeignKeys {
			fk := &x.t.ForeignKeys[i]
			if !slices.Contains(fk.Columns, c) {
				continue
			}
			found = true
			if r.SetNull.Value && x.nullable(fk, r.SetNull.At) {
				fk.SetNull = true
			}
		}
		if !found {
			x.add(r.Column.At, "only a column with REFERENCES or FOREIGN KEY is one", "column %s is no declared reference", x.t.Columns[c].Name)
		}
	}
}

// nullable reports whether every column of a foreign key may become NULL.
func (x *fitter) nullable(fk *tidemark.ForeignKey, at At) bool {
	for _, c := range fk.Columns {
		switch {
		case c < 0:
			x.add(at, "use reject", "the reference to %s has a generated column, which cannot become NULL", fk.Parent)
		case slices.Contains(x.t.Key, c):
			x.add(at, "use reject", "column %s belongs to the primary key and cannot become NULL", x.t.Columns[c].Name)
		case x.t.Columns[c].NotNull:
			x.add(at, "use reject, or make a table in which the column takes NULL", "column %s is NOT NULL", x.t.Columns[c].Name)
		default:
			continue
		}
		return false
	}
	return true
}

func (x *fitter) keeping() {
	x.t.Policy.Keep, x.t.Policy.KeepFor = x.d.Keep.Value, x.d.KeepFor.Value
	if x.d.Keep.Value == tidemark.KeepNothing && x.d.KeepFor.Declared() {
		x.t.Policy.KeepFor = 0
		x.add(x.d.KeepFor.At, "take one of the two out", "keep_for says how long losers are kept, and keep: nothing keeps none")
	}
}

// clock takes max_skew where a clock decides.
func (x *fitter) clock() {
	d := x.d.MaxSkew
	if !d.Declared() {
		return
	}
	if clocked(x.t) {
		x.t.Policy.MaxSkew = d.Value
		return
	}
	if !x.skipped {
		x.add(d.At, "take max_skew out, or give a column the policy latest-edit", "max_skew has no effect: no column of %s merges by latest-edit", x.t.Name)
	}
}

func (x *fitter) lease() {
	d := x.d.Lease
	switch {
	case !d.Declared():
	case !x.t.Autoinc:
		x.add(d.At, "take lease out: without AUTOINCREMENT SQLite gives ids of its own choice", "table %s has no AUTOINCREMENT key", x.t.Name)
	default:
		x.t.Policy.Lease = d.Value
	}
}
