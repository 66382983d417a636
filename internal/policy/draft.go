package policy

import (
	"fmt"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/merge"
)

// Draft writes a file for the tables of a schema that declares nothing yet:
// every setting stands there as a comment with the value that holds without
// it, so that one takes the # away and changes it.
func Draft(database string, s *tidemark.Schema) []byte {
	s = Overlay(nil, s)
	var b strings.Builder
	fmt.Fprintf(&b, `# How concurrent edits of %s merge.
#
# Everything here is a comment, and says what holds without it. Take the # in
# front of a setting away and change it; then tidemark check says what holds.

tables:
`, printable(database))
	for _, t := range s.Tables {
		if t.Out == "" && !own(t.Name) {
			draftTable(&b, t)
		}
	}
	draftScopes(&b, s)
	return []byte(b.String())
}

func draftTable(b *strings.Builder, t *tidemark.Table) {
	fmt.Fprintf(b, "\n  %s:\n", quoted(t.Name))
	set := func(key, value, why string) { fmt.Fprintf(b, "    #%s: %s # %s\n", key, value, why) }
	set("policy", "last-write", "of columns that do not say otherwise; append-only: rows are never changed")
	var mergeable []int
	for c := range t.Columns {
		if !slices.Contains(t.Key, c) {
			mergeable = append(mergeable, c)
		}
	}
	if len(mergeable) > 0 {
		b.WriteString("    columns:\n")
	}
	for _, c := range mergeable {
		fmt.Fprintf(b, "      #%s: last-write # %s\n", quoted(t.Columns[c].Name), draftNote(t, c))
	}
	draftRows(t, set)
	if t.Autoinc {
		b.WriteString("    # lease: 100 would give each copy so many ids in advance\n")
	}
	if len(t.ForeignKeys) > 0 {
		b.WriteString("    references:\n")
	}
	drafted := map[int]bool{}
	for _, fk := range t.ForeignKeys {
		for _, c := range fk.Columns {
			if c >= 0 && !drafted[c] {
				fmt.Fprintf(b, "      #%s: reject # when its row of %s was deleted meanwhile%s\n", quoted(t.Columns[c].Name), printable(fk.Parent), orNull(t, &fk))
				drafted[c] = true
			}
		}
	}
}

// orNull offers set-null where it is possible.
func orNull(t *tidemark.Table, fk *tidemark.ForeignKey) string {
	for _, c := range fk.Columns {
		if c < 0 || t.Columns[c].NotNull || slices.Contains(t.Key, c) {
			return ""
		}
	}
	return "; or set-null"
}

// draftRows writes what is declared for whole rows.
func draftRows(t *tidemark.Table, set func(key, value, why string)) {
	set("on_delete", "delete-wins", "or update-wins, manual")
	insert := or(t.Policy.OnInsert, tidemark.InsertReject)
	var others []tidemark.InsertPolicy
	for _, p := range insertPolicies {
		if p != insert && (p != tidemark.InsertRenumber || unrenumberable(t) == "") {
			others = append(others, p)
		}
	}
	set("on_insert", string(insert), "two rows of one key; or "+join(others))
	if len(t.Uniques) > 0 {
		set("on_unique", "reject", "or { function: NAME }")
	}
	set("keep", tidemark.KeepLosers, "values that lose, in tm_conflicts; or nothing")
	set("keep_for", FormatDuration(tidemark.DefaultKeepFor), "how long")
}

// draftNote lists what else a column could have.
func draftNote(t *tidemark.Table, c int) string {
	kinds := []tidemark.Policy{tidemark.PolicyCounter, tidemark.PolicyText, tidemark.PolicySet, tidemark.PolicyJSON, tidemark.PolicyMax, tidemark.PolicyMin}
	note := printable(t.Columns[c].Type)
	if note != "" {
		note += "; "
	}
	note += "or latest-edit, first-write, reject, manual"
	for _, p := range kinds {
		if merge.Carries(t, c, p) == nil {
			note += ", " + string(p)
		}
	}
	return note
}

// quoted writes a name as YAML takes it back.
func quoted(name string) string {
	if plainName(name) {
		return name
	}
	text, err := yaml.MarshalWithOptions(name, yaml.JSON())
	if err != nil {
		return fmt.Sprintf("%q", name)
	}
	return strings.TrimSpace(string(text))
}

// plainName reports whether a name means itself in YAML without quotes.
func plainName(name string) bool {
	switch strings.ToLower(name) {
	case "", "null", "true", "false", "yes", "no", "on", "off", "y", "n":
		return false
	}
	for i, r := range name {
		letter := 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || r == '_'
		if !letter && (i == 0 || r < '0' || r > '9') {
			return false
		}
	}
	return true
}
