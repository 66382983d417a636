package sqlite

import (
	"errors"
	"fmt"
	"strings"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/lite"
)

// isUnique reports whether a unique value is in the way.
func isUnique(err error) bool {
	return tidemark.CodeOf(err) == tidemark.CodeUnique
}

// refusal explains why a write failed: a constraint's refusal with table, key
// and columns, ErrTransactionGone when it took the group along, anything else
// as it is.
func (x *tx) refusal(err error, i *item) error {
	v := lite.Violation(err)
	if v == nil {
		var own *tidemark.Error
		if !errors.As(err, &own) {
			err = x.s.explain("write", err)
		}
	} else {
		x.locate(v, i)
		err = v
	}
	if !x.db.InTransaction() {
		return gone(err)
	}
	return err
}

// locate fills in where the violation is, with the names that the schema has.
func (x *tx) locate(v *tidemark.Error, i *item) {
	v.Space = x.s.opts.Space
	t := i.table
	if name, columns, ok := x.placesOf(v.Msg); ok {
		v.Table, v.Columns = name, columns
		t = x.schema.Named(name)
	} else if u, at := x.indexOf(v.Msg); u != nil {
		t, v.Columns = at, termNames(at, u)
	}
	if t == nil {
		return // a table that does not sync: a trigger or a cascade met it
	}
	v.Table = t.Name
	if t == i.table {
		v.Key = i.c.Key
		if i.c.Op == tidemark.Update {
			v.Key = keyAfter(i)
		}
		if v.Code == tidemark.CodeUnique && len(v.Columns) == 0 {
			v.Columns = t.ColumnNames(t.Key)
		}
		if v.Code == tidemark.CodeUnique {
			v.Other = x.holder(t, v.Columns, i)
		}
	}
	v.Msg = sentence(v)
}

// placesOf reads "table.column, table.column" at the end of SQLite's message.
// Names may hold dots and commas, so they are compared with those that exist.
func (x *tx) placesOf(msg string) (table string, columns []string, ok bool) {
	_, rest, found := strings.Cut(msg, "constraint failed: ")
	if !found {
		return "", nil, false
	}
	for _, t := range x.schema.Tables {
		if columns := x.columnsIn(t, rest); columns != nil {
			return t.Name, columns, true
		}
	}
	return "", nil, false
}

func (x *tx) columnsIn(t *tidemark.Table, rest string) []string {
	var found []string
	for rest != "" {
		var hit string
		for _, c := range t.Columns {
			place := t.Name + "." + c.Name
			after, ok := strings.CutPrefix(rest, place)
			if ok && (after == "" || strings.HasPrefix(after, ", "+t.Name+".")) && len(c.Name) >= len(hit) {
				hit = c.Name
			}
		}
		if hit == "" {
			return nil
		}
		found = append(found, hit)
		rest = strings.TrimPrefix(strings.TrimPrefix(rest, t.Name+"."+hit), ", ")
	}
	return found
}

// indexOf finds the index that SQLite names when it has expressions.
func (x *tx) indexOf(msg string) (*tidemark.Unique, *tidemark.Table) {
	_, rest, ok := strings.Cut(msg, "constraint failed: index '")
	if !ok {
		return nil, nil
	}
	name := strings.TrimSuffix(rest, "'")
	for _, t := range x.schema.Tables {
		for j := range t.Uniques {
			if t.Uniques[j].Name == name {
				return &t.Uniques[j], t
			}
		}
	}
	return nil, nil
}

func termNames(t *tidemark.Table, u *tidemark.Unique) []string {
	var out []string
	for _, term := range u.Terms {
		if term.Column >= 0 {
			out = append(out, t.Columns[term.Column].Name)
			continue
		}
		out = append(out, term.Expr)
	}
	return out
}

// sentence says it for a person.
func sentence(v *tidemark.Error) string {
	columns := strings.Join(v.Columns, ", ")
	switch v.Code {
	case tidemark.CodeUnique:
		return taken(v)
	case tidemark.CodeNotNull:
		return fmt.Sprintf("%s.%s must not be NULL", v.Table, columns)
	}
	return v.Msg
}
