package oracle

import (
	"fmt"
	"slices"
	"sort"

	"github.com/tidemarkdb/tidemark"
)

// constraints judges the state after the changeset as a whole. What was broken
// before does not count: the rows that were there already stay as they are.
func (j *judgement) constraints() {
	for _, t := range j.model.Tables {
		for key, row := range j.after[t.Name] {
			if old, there := j.before[t.Name][key]; !there || !slices.Equal(old, row) {
				j.checkRow(t, row)
			}
		}
		if !equalRows(j.before[t.Name], j.after[t.Name]) {
			j.checkUnique(t)
		}
	}
	broken := j.model.Orphans(j.before)
	for orphan := range j.model.Orphans(j.after) {
		if !broken[orphan] {
			j.refuse(tidemark.CodeForeignKey)
		}
	}
	sort.Slice(j.refused, func(a, b int) bool { return j.refused[a] < j.refused[b] })
}

func (j *judgement) checkRow(t *Table, row Row) {
	for _, c := range t.NotNull {
		if row[c].IsNull() {
			j.refuse(tidemark.CodeNotNull)
		}
	}
	for _, check := range t.Check {
		if !check.Holds(row) {
			j.refuse(check.Code)
		}
	}
}

func (j *judgement) checkUnique(t *Table) {
	for _, value := range t.Unique {
		held := map[string]bool{}
		for _, row := range j.after[t.Name] {
			v, ok := value(row)
			if ok && held[v] {
				j.refuse(tidemark.CodeUnique)
			}
			if ok {
				held[v] = true
			}
		}
	}
}

func equalRows(a, b map[string]Row) bool {
	if len(a) != len(b) {
		return false
	}
	for key, row := range a {
		if other, ok := b[key]; !ok || !slices.Equal(row, other) {
			return false
		}
	}
	return true
}

// Orphans lists the rows that reference nothing, by table, key and values.
func (m *Model) Orphans(s State) map[string]bool {
	out := map[string]bool{}
	for _, t := range m.Tables {
		for i, ref := range t.Refs {
			parents := m.referenced(s, ref)
			for key, row := range s[t.Name] {
				child, refers := ref.tuple(pick(row, ref.Columns))
				if refers && !parents[child] {
					out[fmt.Sprintf("%s %d %s %s", t.Name, i, key, child)] = true
				}
			}
		}
	}
	return out
}

func (m *Model) referenced(s State, ref Ref) map[string]bool {
	out := map[string]bool{}
	for _, row := range s[ref.Parent] {
		if text, ok := ref.tuple(pick(row, ref.To)); ok {
			out[text] = true
		}
	}
	return out
}

func sortedKeys(rows map[string]Row) []string {
	keys := make([]string, 0, len(rows))
	for k := range rows {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	return keys
}
