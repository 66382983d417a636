package scope

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/lite"
)

// maxKey is how many bytes a key may have. Rows of a longer one are in no scope,
// and no grant gives it.
const maxKey = 500

// keyText is the text of a key, as SQL that mentions the value more than once.
func keyText(value string) string {
	return fmt.Sprintf("CASE WHEN octet_length(%[1]s) > %[2]d THEN NULL WHEN typeof(%[1]s) = 'blob' THEN 'x' || hex(%[1]s) ELSE CAST(%[1]s AS TEXT) END", value, maxKey)
}

// prefix is what the names of a kind's scopes begin with, as SQL.
func (k *Kind) prefix() string { return tidemark.Text(tidemark.ScopeID(k.Name, "")).String() }

// grantQuery wraps a grant into a query for names of scopes. The grant ends with
// a line of its own, so that a comment at its end ends there.
func grantQuery(k *Kind, sql string) string {
	if !k.Keyed {
		return "SELECT " + tidemark.Text(k.Name).String() + " WHERE EXISTS (" + sql + "\n)"
	}
	return "WITH _tm_grant (k) AS (" + sql + "\n) SELECT DISTINCT " + k.prefix() + " || " + keyText("k") + " FROM _tm_grant WHERE k IS NOT NULL"
}

// name is the name of the scope that a row is in, NULL for none, as SQL on the
// member's table without an alias.
func (m *member) name() string {
	name := tidemark.Text(m.kind.Name).String()
	if m.route != nil {
		name = m.kind.prefix() + " || " + m.key()
	}
	if m.where == "" {
		return name
	}
	return "CASE WHEN (" + m.where + "\n) THEN " + name + " END"
}

// key is the text of the key, from inside out: a scalar sub-query for each hop.
func (m *member) key() string {
	n := len(m.route.hops)
	sql := keyText(qualified(m.alias(n), m.route.at(m.t, n), m.route.last))
	for i := n - 1; i >= 0; i-- {
		h := m.route.hops[i]
		sql = "(SELECT " + sql + " FROM main." + lite.Quote(h.parent.Name) + " AS " + m.alias(i+1) +
			" WHERE " + refers(h, m.alias(i+1), m.alias(i)) + ")"
	}
	return sql
}

// alias names the table behind so many hops.
func (m *member) alias(n int) string {
	if n == 0 {
		return lite.Quote(m.t.Name)
	}
	return "_tm_" + strconv.Itoa(n)
}

func qualified(alias string, t *tidemark.Table, c int) string {
	return alias + "." + lite.Quote(t.Columns[c].Name)
}

// refers is the condition under which a row refers to one of the parent, exactly
// as SQLite judges foreign keys: the value of the child takes the affinity of
// the parent's column, and is compared by its collation.
func refers(h hop, parent, child string) string {
	parts := make([]string, len(h.to))
	for i := range h.to {
		parts[i] = qualified(parent, h.parent, h.to[i]) + " = +" + qualified(child, h.child, h.from[i])
	}
	return strings.Join(parts, " AND ")
}

// follows is the condition under which a row may refer to values: the other
// direction of refers. It is written for an index on the child's columns.
func follows(h hop, child string, values []string) string {
	parts := make([]string, len(h.from))
	for i, c := range h.from {
		parts[i] = mayEqual(qualified(child, h.child, c), &h.child.Columns[c], &h.parent.Columns[h.to[i]], values[i])
	}
	return strings.Join(parts, " AND ")
}

// mayEqual compares a column with a value that the parent's column holds. The
// value stands there without an affinity, so that the column lends it its own.
// Where the column keeps values in another form than the parent does, texts are
// looked at as numbers, and numbers as texts, all of them.
func mayEqual(child string, c, p *tidemark.Column, value string) string {
	if c.Collation != p.Collation {
		value = "(" + value + ") COLLATE " + p.Collation
	}
	equal := child + " = " + value
	if class(c) == class(p) || class(p) == classNone {
		return equal
	}
	return fmt.Sprintf("(%[1]s OR %[2]s < '' AND CAST(%[2]s AS TEXT) = %[3]s OR %[2]s >= '' AND %[2]s < x'' AND CAST(%[2]s AS NUMERIC) = %[3]s)",
		equal, child, value)
}

// Columns of one class keep a value in the same form.
type affinityClass uint8

const (
	classNone affinityClass = iota
	classText
	classNumber
)

func class(c *tidemark.Column) affinityClass {
	switch c.Affinity {
	case tidemark.AffinityBlob:
		return classNone
	case tidemark.AffinityText:
		return classText
	}
	return classNumber
}

func oneQuery(t *tidemark.Table, names []string) string {
	where := make([]string, len(t.Key))
	for i, c := range t.Key {
		where[i] = qualified(lite.Quote(t.Name), t, c) + " = ?" + strconv.Itoa(i+1)
	}
	return "SELECT " + strings.Join(names, ", ") + " FROM main." + lite.Quote(t.Name) + " WHERE " + strings.Join(where, " AND ")
}

func allQuery(t *tidemark.Table, names []string) string {
	return "SELECT " + strings.Join(append(keyColumns(lite.Quote(t.Name), t), names...), ", ") + " FROM main." + lite.Quote(t.Name)
}

func keyColumns(alias string, t *tidemark.Table) []string {
	columns := make([]string, len(t.Key))
	for i, c := range t.Key {
		columns[i] = qualified(alias, t, c)
	}
	return columns
}
