package oracle

import (
	"slices"

	"github.com/tidemarkdb/tidemark"
)

// Keys are other keys that rows of a table got, by the keys that their author gave them.
type Keys map[string]map[tidemark.Value]tidemark.Value

// Add notes one.
func (ks Keys) Add(table string, from, to int64) {
	if ks[table] == nil {
		ks[table] = map[tidemark.Value]tidemark.Value{}
	}
	ks[table][tidemark.Int(from)] = tidemark.Int(to)
}

// Follow says what changes mean once rows have other keys than their author
// gave them: the rows themselves, and what refers to them.
func (m *Model) Follow(changes []Change, keys Keys) []Change {
	out := make([]Change, len(changes))
	for i, c := range changes {
		t := m.Table(c.Table)
		c.Key, c.New, c.Old = slices.Clone(c.Key), slices.Clone(c.New), slices.Clone(c.Old)
		for col := range t.Columns {
			to := keys[t.means(col)]
			if to == nil {
				continue
			}
			at := col
			if c.Op == tidemark.Update {
				at = slices.Index(c.Cols, col)
			}
			rename(c.Key, slices.Index(t.Key, col), to)
			rename(c.New, at, to)
			rename(c.Old, at, to)
		}
		out[i] = c
	}
	return out
}

func rename(vs []tidemark.Value, at int, to map[tidemark.Value]tidemark.Value) {
	if at < 0 || at >= len(vs) {
		return
	}
	if v, ok := to[vs[at]]; ok {
		vs[at] = v
	}
}

// means returns the table whose keys a column holds: its own, when the key is
// one column, or one that it refers to.
func (t *Table) means(col int) string {
	for _, ref := range t.Refs {
		if len(ref.Columns) == 1 && ref.Columns[0] == col {
			return ref.Parent
		}
	}
	if len(t.Key) == 1 && t.Key[0] == col {
		return t.Name
	}
	return ""
}

// strangers refuses a changeset that names rows which its author cannot mean:
// what it does mean was rejected.
func (j *judgement) strangers(changes []Change) {
	made := map[rowKey]bool{}
	for _, c := range changes {
		if t := j.model.Table(c.Table); c.Op == tidemark.Insert {
			made[rowKey{t.Name, t.KeyOf(c.Key)}] = true
		}
	}
	for _, c := range changes {
		t := j.model.Table(c.Table)
		if c.Op != tidemark.Insert {
			j.strange(t, c.Key[:1], made)
		}
		for _, ref := range t.Refs {
			at := ref.Columns[0]
			if c.Op == tidemark.Update {
				at = slices.Index(c.Cols, at)
			}
			if parent := j.model.Table(ref.Parent); len(ref.Columns) == 1 && ref.To[0] == parent.Key[0] && at >= 0 && at < len(c.New) {
				j.strange(parent, c.New[at:at+1], made)
			}
		}
	}
}

type rowKey struct{ table, key string }

func (j *judgement) strange(t *Table, key []tidemark.Value, made map[rowKey]bool) {
	name := rowKey{t.Name, t.KeyOf(key)}
	if _, there := j.before[t.Name][name.key]; t.Renumber && there && !made[name] && j.past.Strange(name.table, name.key) {
		j.refuse(tidemark.CodeDependsOn)
	}
}
