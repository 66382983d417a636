package oracle

import (
	"slices"

	"github.com/tidemarkdb/tidemark"
)

// Rule says whether somebody may write a change to a state that does not hold it
// yet; old is nil for an insert, row for a delete.
type Rule func(by string, s State, old, row Row) bool

// mostOrdered bounds the changes among which an order is looked for: all sets of
// them are tried.
const mostOrdered = 12

// JudgeAs is Judge for a changeset of somebody whom the tables' rules judge.
func (m *Model) JudgeAs(by string, s State, changes []Change, past Past, ever func(table, key string) bool) Verdict {
	v := m.Judge(s, changes, past, ever)
	if past == nil {
		past = nobody{}
	}
	j := &judgement{model: m, before: s, after: s.Clone(), set: map[cell]bool{}, ever: ever, past: past}
	j.write(changes)
	allowed, told := j.allowed(by)
	v.Untold, v.Hidden = !told, m.Scoped() && m.hidden(by, s, changes, past)
	if m.Scoped() && m.covered(by, s, changes) {
		v.State = s
		v.Refused = append(slices.Clone(v.Refused), tidemark.CodeUnique)
	}
	if !allowed || v.Hidden {
		v.State = s
		v.Refused = append(slices.Clone(v.Refused), tidemark.CodeForbidden)
	}
	return v
}

// step is one row that a changeset writes.
type step struct {
	t        *Table
	old, row Row
}

// allowed reports whether there is an order in which each row may be written on
// the state that those before it left. A set of rows leaves one state in
// whatever order they are written, so it is enough to look at sets. No rule reads
// a table that has none, nor one whose rows foreign keys change.
func (j *judgement) allowed(by string) (allowed, told bool) {
	steps := slices.DeleteFunc(j.steps(), func(st step) bool { return st.t.Rule == nil })
	if len(steps) > mostOrdered {
		return true, false
	}
	reached := map[int]bool{0: true}
	for set := range 1 << len(steps) {
		if !reached[set] {
			continue
		}
		s := j.leaves(steps, set)
		for i, st := range steps {
			if set&(1<<i) == 0 && (st.t.Rule(by, s, st.old, st.row) || caused(steps, set, st)) {
				reached[set|1<<i] = true
			}
		}
	}
	return reached[1<<len(steps)-1], true
}

// caused reports whether a step is what a foreign key does because of a delete in
// the set.
func caused(steps []step, set int, of step) bool {
	if of.old == nil {
		return false
	}
	for i, p := range steps {
		if set&(1<<i) == 0 || p.row != nil {
			continue
		}
		for _, ref := range of.t.Refs {
			if ref.Parent == p.t.Name && ref.same(pick(of.old, ref.Columns), pick(p.old, ref.To)) && ref.does(of) {
				return true
			}
		}
	}
	return false
}

// does reports whether a step is the ON DELETE action.
func (r Ref) does(of step) bool {
	if of.row == nil {
		return r.OnDelete == Cascade
	}
	next := slices.Clone(of.old)
	for _, col := range r.Columns {
		next[col] = tidemark.Null
	}
	return r.OnDelete == SetNull && slices.Equal(next, of.row)
}

// steps lists what the changeset itself writes.
func (j *judgement) steps() []step {
	var steps []step
	for _, m := range j.deleted {
		steps = append(steps, step{m.table, m.from, nil})
	}
	for _, m := range j.moved {
		if !slices.Equal(m.from, m.to) {
			steps = append(steps, step{m.table, m.from, m.to})
		}
	}
	for _, m := range j.inserted {
		steps = append(steps, step{m.table, nil, m.to})
	}
	return steps
}

// leaves is the state after some of the steps.
func (j *judgement) leaves(steps []step, set int) State {
	s := j.before.Clone()
	for i, st := range steps {
		if set&(1<<i) != 0 && st.old != nil {
			delete(s[st.t.Name], st.t.KeyOfRow(st.old))
		}
	}
	for i, st := range steps {
		if set&(1<<i) != 0 && st.row != nil {
			j.model.Put(s, st.t.Name, st.row)
		}
	}
	return s
}
