package schema

import (
	"fmt"
	"slices"
	"strings"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/lite"
)

// notes tells what a person should know about a table that syncs.
func notes(t *tidemark.Table) []string {
	var out []string
	if mentions(t.SQL, "ON", "CONFLICT") {
		out = append(out, "it declares ON CONFLICT: that clause works where a program writes; Tidemark itself always lets the constraint judge")
	}
	for _, k := range t.Key {
		if !t.RowidAlias && !t.WithoutRowid && !t.Columns[k].NotNull {
			out = append(out, fmt.Sprintf("its key column %s takes NULL: rows without a key would not sync, declare it NOT NULL", t.Columns[k].Name))
		}
	}
	return out
}

// refuseBadReferences takes out tables whose foreign keys SQLite itself would
// refuse at the first write with foreign_keys on.
func refuseBadReferences(db *lite.DB, entries []entry, s *tidemark.Schema, r *Report) {
	bad := map[string]Verdict{}
	for _, t := range s.Tables {
		for _, fk := range t.ForeignKeys {
			reason := badReference(db, entries, fk)
			if reason == "" {
				continue
			}
			bad[lower(t.Name)] = refuse(t.Name, reason, "correct the REFERENCES clause, or give the parent a UNIQUE constraint on these columns")
			if s.Named(fk.Parent) != nil {
				if _, done := bad[lower(fk.Parent)]; !done {
					bad[lower(fk.Parent)] = refuse(s.Named(fk.Parent).Name, "table "+t.Name+" refers to it in a way that makes SQLite refuse writes: "+reason,
						"correct the REFERENCES clause of "+t.Name)
				}
			}
		}
	}
	if len(bad) == 0 {
		return
	}
	kept := s.Tables[:0]
	for _, t := range s.Tables {
		if _, out := bad[lower(t.Name)]; !out {
			kept = append(kept, t)
		}
	}
	s.Tables = kept
	for i := range r.Tables {
		if v, out := bad[lower(r.Tables[i].Table)]; out {
			r.Tables[i] = v
		}
	}
}

func lower(s string) string { return tidemark.FoldName(s) }

// badReference says what is wrong with a foreign key, or "".
func badReference(db *lite.DB, entries []entry, fk tidemark.ForeignKey) string {
	found := false
	for _, e := range entries {
		if e.kind != "table" || !tidemark.SameName(e.name, fk.Parent) {
			continue
		}
		found = true
		parent, at, err := readTable(db, e)
		if err != nil || at == nil {
			return "" // refused on its own account
		}
		if len(fk.To) != len(fk.Columns) || !uniqueOn(parent, fk.To) {
			return fmt.Sprintf("its foreign key to %s (%s) does not point at a unique key", fk.Parent, strings.Join(fk.To, ", "))
		}
	}
	if !found {
		return fmt.Sprintf("its foreign key refers to %s, which is not a table here", fk.Parent)
	}
	return ""
}

// uniqueOn reports whether the columns are the table's key or a full unique index of it.
func uniqueOn(t *tidemark.Table, names []string) bool {
	want := map[int]bool{}
	for _, n := range names {
		p := t.Place(n)
		if p < 0 {
			return true // a generated column: left to SQLite
		}
		want[p] = true
	}
	if sameColumns(want, t.Key) {
		return true
	}
	for _, u := range t.Uniques {
		var cols []int
		for _, term := range u.Terms {
			cols = append(cols, term.Column)
		}
		if u.Partial == "" && sameColumns(want, cols) {
			return true
		}
	}
	return false
}

func sameColumns(want map[int]bool, cols []int) bool {
	if len(cols) != len(want) {
		return false
	}
	for _, c := range cols {
		if !want[c] {
			return false
		}
	}
	return true
}

// noteReferences points out columns that look like references without being
// declared, and declared ones whose parent does not sync.
func noteReferences(s *tidemark.Schema, r *Report) {
	for i := range r.Tables {
		v := &r.Tables[i]
		t := s.Named(v.Table)
		if !v.Syncs || t == nil {
			continue
		}
		for _, fk := range t.ForeignKeys {
			if s.Named(fk.Parent) == nil {
				v.Notes = append(v.Notes, fmt.Sprintf("it refers to %s, which does not sync and is empty in a clone", fk.Parent))
			}
		}
		for c := range t.Columns {
			if parent := looksLikeReference(s, t, c); parent != "" {
				v.Notes = append(v.Notes, fmt.Sprintf("column %s looks like a reference to %s but is not declared as one", t.Columns[c].Name, parent))
			}
		}
	}
}

// Suspect is a column that looks like a reference without being declared as one.
type Suspect struct {
	Table  string `json:"table"`
	Column string `json:"column"`
	Parent string `json:"parent"`
}

// Suspects lists the columns of synced tables that look like references to
// other synced tables. Nothing follows them when a row of the parent gets
// another key.
func Suspects(s *tidemark.Schema) []Suspect {
	var out []Suspect
	for _, t := range s.Tables {
		for c := range t.Columns {
			if parent := looksLikeReference(s, t, c); t.Out == "" && parent != "" {
				out = append(out, Suspect{t.Name, t.Columns[c].Name, parent})
			}
		}
	}
	return out
}

// looksLikeReference goes by names: artist_id and ArtistId may mean artist,
// artists or a table whose key is called that.
func looksLikeReference(s *tidemark.Schema, t *tidemark.Table, c int) string {
	for _, fk := range t.ForeignKeys {
		if slices.Contains(fk.Columns, c) {
			return ""
		}
	}
	name := squeeze(t.Columns[c].Name)
	stem, ok := strings.CutSuffix(name, "id")
	if !ok || stem == "" {
		return ""
	}
	for _, other := range s.Tables {
		if other == t || len(other.Key) != 1 || other.Out != "" {
			continue
		}
		key := squeeze(other.Columns[other.Key[0]].Name)
		if slices.Contains(plurals(stem), squeeze(other.Name)) || key == name && !slices.Contains(t.Key, c) {
			return other.Name
		}
	}
	return ""
}

// plurals lists what a table of such things may be called.
func plurals(noun string) []string {
	out := []string{noun, noun + "s", noun + "es"}
	if stem, ok := strings.CutSuffix(noun, "y"); ok {
		out = append(out, stem+"ies")
	}
	return out
}

func squeeze(name string) string { return strings.ReplaceAll(lower(name), "_", "") }
