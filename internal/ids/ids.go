// Package ids follows integer keys through a schema: it knows which columns
// hold the ids of which table, by the declared references, and gives the rows
// in changes other ids.
//
// Of looks at a schema once. Each names the ids that a change mentions, Rename
// gives them other names. Both are pure.
//
// A column holds the ids of a table when it is the table's integer key, or when
// a foreign key declares that it refers to a column that does; so also through
// several tables, in keys, and in the table itself. A number that no declaration
// says to be an id is never touched.
package ids

import (
	"slices"
	"strconv"
	"strings"

	"github.com/tidemarkdb/tidemark"
)

// Columns are the columns of a schema that hold ids.
type Columns struct {
	tables map[int]*tidemark.Table
	places map[int][]place // by table
	given  bool            // some table gives its rows other ids
}

// place says that a column holds ids of a table.
type place struct {
	col int
	of  *tidemark.Table
}

// Of finds the columns that hold ids.
func Of(s *tidemark.Schema) *Columns {
	c := &Columns{tables: map[int]*tidemark.Table{}, places: map[int][]place{}}
	for _, t := range s.Tables {
		if t.Out == "" {
			c.tables[t.ID] = t
		}
	}
	for _, t := range s.Tables {
		if t.Out == "" && t.RowidAlias {
			c.given = c.given || Renumbers(t)
			c.spread(s, t, t, t.Key[0])
		}
	}
	return c
}

// Renumbers reports whether rows of a table get other ids when theirs are taken.
func Renumbers(t *tidemark.Table) bool {
	return t.Out == "" && t.RowidAlias && t.Policy.OnInsert == tidemark.InsertRenumber
}

// Given reports whether some table gives its rows other ids.
func (c *Columns) Given() bool { return c.given }

// In lists the places of a table's columns that hold ids.
func (c *Columns) In(t *tidemark.Table) []int {
	var cols []int
	for _, p := range c.places[t.ID] {
		cols = append(cols, p.col)
	}
	return cols
}

// spread notes that a column holds ids of a table, and all columns that refer to it.
func (c *Columns) spread(s *tidemark.Schema, of, t *tidemark.Table, col int) {
	p := place{col, of}
	if slices.Contains(c.places[t.ID], p) {
		return
	}
	c.places[t.ID] = append(c.places[t.ID], p)
	for _, child := range s.Tables {
		if child.Out != "" {
			continue
		}
		for i := range child.ForeignKeys {
			if at := referring(&child.ForeignKeys[i], t, col); at >= 0 {
				c.spread(s, of, child, at)
			}
		}
	}
}

// referring returns the child's column that a foreign key ties to a column of
// the parent, or -1.
func referring(fk *tidemark.ForeignKey, parent *tidemark.Table, col int) int {
	if !tidemark.SameName(fk.Parent, parent.Name) {
		return -1
	}
	for i, name := range fk.To {
		if i < len(fk.Columns) && tidemark.SameName(name, parent.Columns[col].Name) {
			return fk.Columns[i]
		}
	}
	return -1
}

// Each calls fn for the ids that a change says: those of its key and those
// among its values.
func (c *Columns) Each(ch *tidemark.Change, fn func(of *tidemark.Table, id int64)) {
	t := c.tables[ch.Table]
	if t == nil {
		return
	}
	for _, p := range c.places[t.ID] {
		if ch.Op != tidemark.Insert {
			tell(ch.Key, slices.Index(t.Key, p.col), p.of, fn)
		}
		tell(ch.New, valueAt(ch, p.col), p.of, fn)
	}
}

func tell(values []tidemark.Value, at int, of *tidemark.Table, fn func(*tidemark.Table, int64)) {
	if at < 0 || at >= len(values) {
		return
	}
	if id, ok := idOf(values[at]); ok {
		fn(of, id)
	}
}

// valueAt is the place of a column among the new values of a change, or -1.
func valueAt(ch *tidemark.Change, col int) int {
	switch ch.Op {
	case tidemark.Insert:
		return col
	case tidemark.Update:
		at, found := slices.BinarySearch(ch.Cols, col)
		if found && ch.EditOf(at).Kind == tidemark.EditSet {
			return at
		}
	}
	return -1
}

// Rename gives ids other names: to returns the name of an id, and whether it
// has another one. It returns copies of the changes that change, in their
// order, and whether any did. All names are given at once: an id that one row
// loses and another gets is no trouble.
func (c *Columns) Rename(changes []tidemark.Change, to func(of *tidemark.Table, id int64) (int64, bool)) ([]tidemark.Change, bool) {
	var out []tidemark.Change
	for i := range changes {
		renamed, changed := c.rename(changes[i], to)
		if changed && out == nil {
			out = slices.Clone(changes)
		}
		if changed {
			out[i] = renamed
		}
	}
	if out == nil {
		return changes, false
	}
	return out, true
}

func (c *Columns) rename(ch tidemark.Change, to func(*tidemark.Table, int64) (int64, bool)) (tidemark.Change, bool) {
	t := c.tables[ch.Table]
	if t == nil {
		return ch, false
	}
	key, values := ch.Key, ch.New
	for _, p := range c.places[t.ID] {
		key = set(key, ch.Key, slices.Index(t.Key, p.col), p.of, to)
		values = set(values, ch.New, valueAt(&ch, p.col), p.of, to)
	}
	changed := differ(key, ch.Key) || differ(values, ch.New)
	ch.Key, ch.New = key, values
	return ch, changed
}

// differ reports whether set made a copy.
func differ(a, b []tidemark.Value) bool { return len(a) > 0 && &a[0] != &b[0] }

// set gives the id at a place of values another name. It copies before it writes; was
// are the values as they came, so that no id is renamed twice.
func set(values, was []tidemark.Value, at int, of *tidemark.Table, to func(*tidemark.Table, int64) (int64, bool)) []tidemark.Value {
	if at < 0 || at >= len(was) {
		return values
	}
	id, ok := idOf(was[at])
	if !ok {
		return values
	}
	name, ok := to(of, id)
	if !ok || name == id {
		return values
	}
	if !differ(values, was) {
		values = slices.Clone(values)
	}
	values[at] = like(was[at], name)
	return values
}

// idOf reads an id. A referring column may be of any type: SQLite compares by
// the type of the column that it refers to.
func idOf(v tidemark.Value) (int64, bool) {
	switch v.Kind() {
	case tidemark.KindInt:
		return v.Int64(), true
	case tidemark.KindReal:
		f := v.Float64()
		if f >= -1<<53 && f <= 1<<53 && f == float64(int64(f)) {
			return int64(f), true
		}
	case tidemark.KindText:
		id, err := strconv.ParseInt(strings.TrimSpace(v.Str()), 10, 64)
		return id, err == nil
	}
	return 0, false
}

// like writes an id in the form of another.
func like(v tidemark.Value, id int64) tidemark.Value {
	switch v.Kind() {
	case tidemark.KindReal:
		return tidemark.Real(float64(id))
	case tidemark.KindText:
		return tidemark.Text(strconv.FormatInt(id, 10))
	}
	return tidemark.Int(id)
}

// Arrival returns the id that a change gives to a row of a table that
// renumbers: by an insert, or by a move.
func Arrival(t *tidemark.Table, ch *tidemark.Change) (id int64, ok bool) {
	at := valueAt(ch, t.Key[0])
	if at < 0 || at >= len(ch.New) {
		return 0, false
	}
	v := ch.New[at]
	if v.Kind() != tidemark.KindInt || ch.Op == tidemark.Update && v == ch.Key[0] {
		return 0, false
	}
	return v.Int64(), true
}
