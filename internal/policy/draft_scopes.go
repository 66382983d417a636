package policy

import (
	"fmt"
	"strings"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/scope"
)

// draftScopes shows what a kind of scope would look like, on tables of the
// schema. All of it is a comment: without scopes every copy has everything.
func draftScopes(b *strings.Builder, s *tidemark.Schema) {
	parent, child, column := example(s)
	if parent == nil {
		return
	}
	name := parent.Name
	if !scope.ValidName(name) {
		name = "part"
	}
	key := parent.Columns[parent.Key[0]].Name
	fmt.Fprintf(b, `
# Who holds which rows. Without scopes every copy has everything; with them a copy
# has what its owner is granted, and rows in no scope stay on the server. For one
# scope for each row of %s take the first # of these lines away:
#scopes:
#  %s:
#    grant: none # or a query for the keys that :user may read: SELECT project FROM member WHERE person = :user
#    tables:
#      %s: %s
`, printable(parent.Name), name, quoted(parent.Name), quoted(pathName(key)))
	if child != nil {
		fmt.Fprintf(b, "#      %s: %s # or %s: the column there that it refers to\n", quoted(child.Name), quoted(pathName(column)), printable(pathName(column)+"."+pathName(key)))
	}
}

// example finds a table and one that refers to it by a single column.
func example(s *tidemark.Schema) (parent, child *tidemark.Table, column string) {
	for _, t := range s.Tables {
		if t.Out != "" || own(t.Name) || len(t.Key) != 1 {
			continue
		}
		if parent == nil {
			parent = t
		}
		for _, c := range s.Tables {
			for _, fk := range c.ForeignKeys {
				key := t.Columns[t.Key[0]].Name
				if c != t && c.Out == "" && s.Named(fk.Parent) == t && len(fk.To) == 1 && fk.Columns[0] >= 0 && columnOf(t, fk.To[0]) == columnOf(t, key) {
					return t, c, c.Columns[fk.Columns[0]].Name
				}
			}
		}
	}
	return parent, nil, ""
}

// pathName writes a column as a path has it.
func pathName(name string) string {
	if path, ok := splitPath(name); ok && len(path) == 1 && path[0] == name && name != scope.All && closing(name) == 0 {
		return name
	}
	return `"` + strings.ReplaceAll(name, `"`, `""`) + `"`
}
