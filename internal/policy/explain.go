package policy

import (
	"slices"
	"strconv"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/schema"
)

// Origin says where a setting comes from.
type Origin string

// The origins.
const (
	FromDefault Origin = "default"
	FromTable   Origin = "table"
	FromColumn  Origin = "column"
	FromGroup   Origin = "group"
)

// TableFacts is what a table ended up with.
type TableFacts struct {
	Table   string       `json:"table"`
	Columns []ColumnFact `json:"columns"`
	Rows    []RowFact    `json:"rows"`
}

// ColumnFact is the effective policy of one column.
type ColumnFact struct {
	Column   string          `json:"column"`
	Policy   tidemark.Policy `json:"policy,omitempty"` // none: a key column, or the table is append-only
	Function string          `json:"function,omitempty"`
	Group    string          `json:"group,omitempty"`
	Key      bool            `json:"key,omitempty"`
	From     Origin          `json:"from,omitempty"`
	Line     int             `json:"line,omitempty"` // of the file; 0: not declared
}

// RowFact is a setting of a table's rows, by its name in the file.
type RowFact struct {
	Name  string `json:"name"`
	Value string `json:"value"`
	From  Origin `json:"from"`
	Line  int    `json:"line,omitempty"`
	Why   string `json:"why,omitempty"`
	// Loose says of a reference that copies do without it.
	Loose bool `json:"loose,omitempty"`
}

// Explain says what every synced table of a schema, as Apply returned it for
// the same file, ended up with. Tables of Tidemark's own are left out.
func Explain(c *Config, s *tidemark.Schema) []TableFacts {
	var all []TableFacts
	for _, t := range s.Tables {
		if t.Out != "" || own(t.Name) {
			continue
		}
		d := c.table(t.Name)
		all = append(all, TableFacts{Table: t.Name, Columns: columnFacts(d, t), Rows: rowFacts(d, t)})
	}
	return all
}

// table finds what is declared for a table; an empty Table when nothing is.
func (c *Config) table(name string) *Table {
	if c != nil {
		for i := range c.Tables {
			if schema.Fold(c.Tables[i].Name.Value) == schema.Fold(name) {
				return &c.Tables[i]
			}
		}
	}
	return &Table{}
}

func columnFacts(d *Table, t *tidemark.Table) []ColumnFact {
	facts := make([]ColumnFact, len(t.Columns))
	for _, k := range t.Key {
		facts[k].Key = true
	}
	for c := range t.Columns {
		f := &facts[c]
		f.Column = t.Columns[c].Name
		if f.Key || t.AppendOnly() {
			continue
		}
		f.Policy, f.Function, f.Group = t.PolicyOf(c), t.Columns[c].Custom, t.Columns[c].Group
		f.From, f.Line = origin(d, t, c)
	}
	return facts
}

// origin says what decided the policy of a column.
func origin(d *Table, t *tidemark.Table, c int) (Origin, int) {
	if t.Columns[c].Policy != "" {
		for _, col := range d.Columns {
			if columnOf(t, col.Name.Value) == c {
				return FromColumn, col.Rule.At.Line
			}
		}
		for _, g := range d.Groups {
			for _, name := range g.Columns {
				if columnOf(t, name.Value) == c {
					return FromGroup, g.Policy.At.Line
				}
			}
		}
		if t.Columns[c].Group != "" {
			return FromGroup, 0 // the file is elsewhere
		}
		return FromColumn, 0
	}
	if t.Policy.Columns != "" {
		return FromTable, d.Policy.At.Line
	}
	return FromDefault, 0
}

func rowFacts(d *Table, t *tidemark.Table) []RowFact {
	p, none := t.Policy, bare(t)
	settle(none)
	facts := []RowFact{}
	add := func(name, value string, at At, declared bool, why string) {
		f := RowFact{Name: name, Value: value, From: FromDefault, Line: at.Line, Why: why}
		if declared || at.Line > 0 {
			f.From = FromTable
		}
		facts = append(facts, f)
	}
	if t.AppendOnly() {
		add("policy", string(p.Columns), d.Policy.At, true, "rows can be added, never changed or removed")
	} else {
		add("on_delete", string(or(p.OnDelete, tidemark.DeleteWins)), d.OnDelete.At, p.OnDelete != "", "")
	}
	add("on_insert", string(or(p.OnInsert, tidemark.InsertReject)), d.OnInsert.At, p.OnInsert != none.Policy.OnInsert, whyInsert(d, t))
	if len(t.Uniques) > 0 {
		add("on_unique", or(p.OnUnique, "reject"), d.OnUnique.At, p.OnUnique != "", "")
	}
	for i := range t.ForeignKeys {
		fk := &t.ForeignKeys[i]
		value := "reject"
		if fk.SetNull {
			value = "set-null"
		}
		why := "to " + fk.Parent
		if fk.Loose {
			why += "; copies do without it, since they may hold a row without the one that it refers to"
		}
		add("references "+namesOf(t, fk.Columns), value, placeOf(d, t, fk), fk.SetNull, why)
		facts[len(facts)-1].Loose = fk.Loose
	}
	add("keep", or(p.Keep, tidemark.KeepLosers), d.Keep.At, p.Keep != "", whyKeep(p))
	if p.Keep != tidemark.KeepNothing {
		add("keep_for", FormatDuration(or(p.KeepFor, tidemark.DefaultKeepFor)), d.KeepFor.At, p.KeepFor > 0, "")
	}
	if clocked(t) {
		add("max_skew", FormatDuration(or(p.MaxSkew, tidemark.DefaultMaxSkew)), d.MaxSkew.At, p.MaxSkew > 0, "")
	}
	if p.Lease > 0 {
		add("lease", strconv.Itoa(p.Lease), d.Lease.At, true, "ids that a copy holds in advance")
	}
	return facts
}

// placeOf finds where it is declared what becomes of a reference.
func placeOf(d *Table, t *tidemark.Table, fk *tidemark.ForeignKey) (place At) {
	for _, r := range d.References {
		if slices.Contains(fk.Columns, columnOf(t, r.Column.Value)) {
			place = r.SetNull.At
		}
	}
	return place
}

// whyInsert explains what was chosen for an integer key.
func whyInsert(d *Table, t *tidemark.Table) string {
	why := unrenumberable(t)
	switch {
	case d.OnInsert.Declared() || !t.RowidAlias:
		return ""
	case t.Policy.OnInsert == tidemark.InsertRenumber:
		return "rows that two copies insert under one integer key are two rows"
	case why != "":
		return "not renumber: " + why
	}
	return ""
}

func whyKeep(p tidemark.TablePolicy) string {
	if p.Keep == tidemark.KeepNothing {
		return "values that lose are gone"
	}
	return ""
}

// clocked reports whether a clock decides in a column of the table.
func clocked(t *tidemark.Table) bool {
	for c := range t.Columns {
		if t.PolicyOf(c) == tidemark.PolicyLatestEdit {
			return true
		}
	}
	return false
}

func namesOf(t *tidemark.Table, columns []int) string {
	names := make([]string, 0, len(columns))
	for _, c := range columns {
		if c >= 0 {
			names = append(names, t.Columns[c].Name)
		}
	}
	return join(names)
}

func or[T comparable](v, otherwise T) T {
	var zero T
	if v == zero {
		return otherwise
	}
	return v
}
