package policy

import (
	"slices"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/schema"
)

// Overlay is Apply without what does not fit; functions are not looked at.
func Overlay(c *Config, s *tidemark.Schema) *tidemark.Schema {
	out, _ := Apply(c, s, Functions{Any: true})
	return out
}

// Check says what of a file does not fit a schema.
func Check(c *Config, s *tidemark.Schema, f Functions) error {
	_, err := Apply(c, s, f)
	return err
}

// For returns Apply as a function of the schema, as stores take it.
func For(c *Config, f Functions) func(*tidemark.Schema) (*tidemark.Schema, error) {
	return func(s *tidemark.Schema) (*tidemark.Schema, error) { return Apply(c, s, f) }
}

// Apply returns a copy of a schema that carries the policies of a file, and
// the defaults where it declares none. What does not fit is left out and is
// the error, whose cause is Problems; the schema is good in any case.
func Apply(c *Config, s *tidemark.Schema, f Functions) (*tidemark.Schema, error) {
	out := &tidemark.Schema{Objects: s.Objects, Tables: make([]*tidemark.Table, len(s.Tables))}
	for i, t := range s.Tables {
		out.Tables[i] = bare(t)
	}
	var l log
	if c != nil {
		l.file, l.lines = c.Name, c.lines
		for i := range c.Tables {
			fitTable(&l, out, &c.Tables[i], f)
		}
	}
	for _, t := range out.Tables {
		settle(t)
	}
	if c != nil && c.Scopes != nil {
		c.layScopes(&l, out)
	}
	out.Hash = schema.HashOf(out)
	return out, l.found.asError()
}

// bare copies a table without policies. One that no longer syncs stays as it left.
func bare(t *tidemark.Table) *tidemark.Table {
	b := *t
	if t.Out != "" {
		return &b
	}
	b.Policy = tidemark.TablePolicy{}
	b.Columns = slices.Clone(t.Columns)
	for i := range b.Columns {
		b.Columns[i].Policy, b.Columns[i].Custom, b.Columns[i].Group = "", "", ""
	}
	b.ForeignKeys = slices.Clone(t.ForeignKeys)
	for i := range b.ForeignKeys {
		b.ForeignKeys[i].SetNull, b.ForeignKeys[i].Loose = false, false
	}
	return &b
}

// settle makes explicit what was not declared.
func settle(t *tidemark.Table) {
	switch {
	case t.Out != "":
	case t.Name == tidemark.ConflictsTable:
		t.Policy = tidemark.TablePolicy{Keep: tidemark.KeepNothing}
	case t.Policy.OnInsert == "" && t.RowidAlias:
		t.Policy.OnInsert = tidemark.InsertMerge
		if unrenumberable(t) == "" {
			t.Policy.OnInsert = tidemark.InsertRenumber
		}
	}
}

// unrenumberable says why rows of a table cannot get other keys, or "".
func unrenumberable(t *tidemark.Table) string {
	if !t.RowidAlias {
		return "its primary key is not one INTEGER PRIMARY KEY column"
	}
	key := t.Key[0]
	name := t.Columns[key].Name
	for _, fk := range t.ForeignKeys {
		if slices.Contains(fk.Columns, key) {
			return "its key " + name + " is itself a reference to " + fk.Parent
		}
	}
	checked := schema.CheckNames(t.SQL)
	for _, n := range []string{schema.Fold(name), "rowid", "_rowid_", "oid"} {
		if c := columnOf(t, n); checked[n] && (c == key || c < 0) {
			return "its key " + name + " stands in a CHECK constraint"
		}
	}
	if len(t.Columns) == 1 {
		return "it has no column beside its key: two rows of one key are the same row"
	}
	return ""
}

// columnOf finds a stored column by its name, or returns -1.
func columnOf(t *tidemark.Table, name string) int {
	return slices.IndexFunc(t.Columns, func(c tidemark.Column) bool { return schema.Fold(c.Name) == schema.Fold(name) })
}
