package schema

import "strings"

// JoinedNames returns every name that stands in a query and in the views that it
// reads, folded, when USING or NATURAL joins tables in one of them; nil otherwise.
// SQLite's authorizer does not hear of the columns by which these join, and not of a
// table of which nothing else is read: whoever learns from it what a query reads must
// take all that is named here for read as well. view returns the definition of a
// view, "" for a name that is none.
func JoinedNames(sql string, view func(name string) string) map[string]bool {
	names, joins := map[string]bool{}, false
	var visit func(sql string)
	visit = func(sql string) {
		for _, x := range Lex(sql) {
			if x.Kind == LexSign {
				continue
			}
			word := strings.ToUpper(x.Text)
			joins = joins || x.Kind == LexWord && (word == "USING" || word == "NATURAL")
			name := Fold(x.Name)
			if x.Kind == LexString {
				name = Fold(strings.Trim(x.Text, "'")) // SQLite takes it for a name where it wants one
			}
			if name == "" || names[name] {
				continue
			}
			names[name] = true
			visit(view(name))
		}
	}
	visit(sql)
	if !joins {
		return nil
	}
	return names
}
