package oracle

import (
	"slices"

	"github.com/tidemarkdb/tidemark"
)

// Verdict is what a changeset does to a state.
type Verdict struct {
	State   State           // the next state; the same one when refused
	Refused []tidemark.Code // every constraint that is broken; empty: accepted
	Lost    int             // what of the changeset did not survive: cells, and updates of rows that were deleted
	Over    int             // concurrent edits that it overwrote
	Untold  bool            // whether rules allow it: it has too many changes
	Hidden  bool            // it touches what its author may not see
	Unsure  bool            // whether it met others depends on clocks
	Losers  []Loser
	Choices []Choice // cells of State that are not foretold: they hold what was there
}

// Judge says what must become of a changeset at state s. past nil: nothing is
// concurrent. ever reports whether the space had a row at any time: who
// updates one that never was depends on a changeset that was rejected. nil: it
// had every row once.
func (m *Model) Judge(s State, changes []Change, past Past, ever func(table, key string) bool) Verdict {
	if past == nil {
		past = nobody{}
	}
	j := &judgement{model: m, before: s, after: s.Clone(), set: map[cell]bool{}, ever: ever, past: past}
	j.strangers(changes)
	j.write(changes)
	j.followUpdates()
	j.followDeletes()
	j.hooked()
	j.constraints()
	if len(j.refused) > 0 {
		return Verdict{State: s, Refused: j.refused, Lost: j.lost}
	}
	return Verdict{State: j.after, Lost: j.lost, Over: j.over, Unsure: j.unsure, Losers: j.losers, Choices: j.choices}
}

// Apply does what the changes say and nothing else: no foreign-key action, no
// constraint but the primary key, as a replica shows a pending changeset. It
// reports false when a row that is inserted or moved finds its key taken.
func (m *Model) Apply(s State, changes []Change) (State, bool) {
	j := &judgement{model: m, before: s, after: s.Clone(), set: map[cell]bool{}}
	j.write(changes)
	return j.after, len(j.refused) == 0
}

// Violations lists the codes of what is broken in the difference between two states.
func (m *Model) Violations(before, after State) []tidemark.Code {
	j := &judgement{model: m, before: before, after: after}
	j.constraints()
	return j.refused
}

// judgement is one changeset on its way.
type judgement struct {
	model   *Model
	before  State
	after   State
	ever    func(table, key string) bool
	past    Past          // nil: only what the changes say is done
	set     map[cell]bool // cells that the changeset itself sets
	moved   []moved
	deleted []moved
	// Rows that arrived as new ones, for rules.
	inserted []moved
	refused  []tidemark.Code
	lost     int
	over     int
	unsure   bool
	losers   []Loser
	choices  []Choice
}

type cell struct {
	table, key string
	column     int
}

// moved is a row that referencing rows may have to follow; to is nil when it is gone.
type moved struct {
	table    *Table
	from, to Row
}

func (j *judgement) refuse(code tidemark.Code) {
	if !slices.Contains(j.refused, code) {
		j.refused = append(j.refused, code)
	}
}

// arrival is a row that a change brings, under whatever key.
type arrival struct {
	t   *Table
	row Row
	ins bool
	c   Change
}

// write does what the changes say, all at once: rows leave first, then they arrive.
func (j *judgement) write(changes []Change) {
	var arrivals []arrival
	for _, c := range changes {
		arrivals = append(arrivals, j.leave(c)...)
	}
	for _, a := range arrivals {
		j.arrive(a)
	}
}

// leave takes away the row that a change deletes or replaces, and returns the
// one that comes for it, if any.
func (j *judgement) leave(c Change) []arrival {
	t := j.model.Table(c.Table)
	key := t.KeyOf(c.Key)
	old, there := j.before[t.Name][key]
	switch c.Op {
	case tidemark.Insert:
		return []arrival{{t: t, row: t.pad(c.New, j.before.Width(t)), ins: true, c: c}}
	case tidemark.Delete:
		if there && j.mayDelete(t, key) {
			delete(j.after[t.Name], key)
			j.deleted = append(j.deleted, moved{table: t, from: old})
		}
	case tidemark.Update:
		if !there {
			if row := j.missing(t, key, c); row != nil {
				return []arrival{{t: t, row: row, c: c}}
			}
			return nil
		}
		row := j.updated(t, key, old, c)
		delete(j.after[t.Name], key)
		j.moved = append(j.moved, moved{table: t, from: old, to: row})
		return []arrival{{t: t, row: row, c: c}}
	}
	return nil
}

func (j *judgement) arrive(a arrival) {
	key := a.t.KeyOfRow(a.row)
	if held, taken := j.after[a.t.Name][key]; taken {
		switch {
		case a.ins && a.t.MergeInserts && j.past != nil && slices.Equal(held, j.before[a.t.Name][key]):
			j.mergeInsert(a.t, key, held, a.row)
		case !a.ins || !slices.Equal(held[:len(a.c.New)], a.c.New):
			j.refuse(tidemark.CodeUnique)
		}
		return
	}
	j.model.Put(j.after, a.t.Name, a.row)
	if a.ins {
		j.inserted = append(j.inserted, moved{table: a.t, to: a.row})
	}
	cols := a.c.Cols
	if a.ins {
		cols = allColumns(a.row)
	}
	for _, col := range cols {
		j.set[cell{a.t.Name, key, col}] = true
	}
}

// updated is what an update makes of a row.
func (j *judgement) updated(t *Table, key string, old Row, c Change) Row {
	if j.past != nil {
		if t.AppendOnly {
			j.refuse(tidemark.CodeForbidden)
		}
		if j.past.Refused(t.Name, key) {
			j.refuse(tidemark.CodeDependsOn)
		}
		return j.meet(t, key, old, c)
	}
	row := slices.Clone(old)
	for i, col := range c.Cols {
		row[col] = c.New[i]
	}
	return row
}

// mayDelete reports whether a delete is done, by the policy of rows.
func (j *judgement) mayDelete(t *Table, key string) bool {
	if j.past == nil {
		return true
	}
	if t.AppendOnly {
		j.refuse(tidemark.CodeForbidden)
	}
	if j.past.Refused(t.Name, key) {
		return false
	}
	if !j.past.Touched(t.Name, key) {
		return true
	}
	if t.UpdateWins {
		j.lost++
		j.losers = append(j.losers, Loser{Table: t.Name, Key: key, Column: -1, Winner: "theirs", Policy: "update-wins"})
		return false
	}
	j.over++
	j.losers = append(j.losers, Loser{Table: t.Name, Key: key, Column: -1, Winner: "mine", Policy: "delete-wins"})
	return true
}

// missing judges an update of a row that is gone; it returns the row that comes back.
func (j *judgement) missing(t *Table, key string, c Change) Row {
	if j.ever != nil && !j.ever(t.Name, key) {
		j.refuse(tidemark.CodeDependsOn)
	}
	if j.past == nil {
		j.lost++
		return nil
	}
	if t.AppendOnly {
		j.refuse(tidemark.CodeForbidden)
	}
	if j.past.Refused(t.Name, key) {
		j.refuse(tidemark.CodeDependsOn)
	}
	if was := j.past.Buried(t.Name, key); t.UpdateWins && was != nil {
		row := slices.Clone(was)
		for i, col := range c.Cols {
			row[col] = c.New[i]
		}
		j.over++
		j.losers = append(j.losers, Loser{Table: t.Name, Key: key, Column: -1, Winner: "mine", Policy: "update-wins"})
		return row
	}
	j.lost++
	j.losers = append(j.losers, Loser{Table: t.Name, Key: key, Column: -1, Winner: "theirs", Policy: "delete-wins"})
	return nil
}

// mergeInsert makes one row of two that were inserted under one key.
func (j *judgement) mergeInsert(t *Table, key string, held, row Row) {
	next := slices.Clone(held)
	for col := range row {
		if slices.Contains(t.Key, col) || row[col] == held[col] {
			continue
		}
		e := edit{t: t, key: key, col: col, theirs: held[col], new: row[col], concurrent: true, unit: len(t.groupOf(col)) > 1}
		r := j.decide(e)
		next[col] = r.value
		j.note(e, r)
	}
	j.model.Put(j.after, t.Name, next)
	j.moved = append(j.moved, moved{table: t, from: held, to: next})
}

func allColumns(r Row) []int {
	cols := make([]int, len(r))
	for i := range cols {
		cols[i] = i
	}
	return cols
}

// followUpdates carries ON UPDATE actions out for rows whose referenced columns changed.
func (j *judgement) followUpdates() {
	for i := 0; i < len(j.moved); i++ {
		m := j.moved[i]
		j.eachRef(m, func(child *Table, ref Ref, key string, row Row) {
			to := pick(m.to, ref.To)
			if ref.OnUpdate == NoAction || ref.same(pick(m.from, ref.To), to) {
				return
			}
			j.point(child, ref, key, row, to, ref.OnUpdate)
		})
	}
}

// followDeletes carries ON DELETE actions out for what referenced a row that is
// gone, also when another row has its key now: only what the changeset itself
// pointed there means that one.
func (j *judgement) followDeletes() {
	for i := 0; i < len(j.deleted); i++ {
		m := j.deleted[i]
		j.eachRef(m, func(child *Table, ref Ref, key string, row Row) {
			if j.set[cell{child.Name, key, ref.Columns[0]}] {
				return
			}
			switch ref.OnDelete {
			case Cascade:
				delete(j.after[child.Name], key)
				j.deleted = append(j.deleted, moved{table: child, from: row})
			case SetNull, SetDefault:
				j.point(child, ref, key, row, nil, ref.OnDelete)
			}
		})
	}
}

// eachRef finds the rows that reference m.from as it was.
func (j *judgement) eachRef(m moved, fn func(child *Table, ref Ref, key string, row Row)) {
	for _, child := range j.model.Tables {
		for _, ref := range child.Refs {
			if ref.Parent != m.table.Name {
				continue
			}
			was := pick(m.from, ref.To)
			for _, key := range sortedKeys(j.after[child.Name]) {
				row := j.after[child.Name][key]
				if row != nil && ref.same(pick(row, ref.Columns), was) {
					fn(child, ref, key, row)
				}
			}
		}
	}
}

// point makes a child reference something else, unless the changeset itself said what.
func (j *judgement) point(child *Table, ref Ref, key string, row Row, to []tidemark.Value, action Action) {
	next := slices.Clone(row)
	for i, col := range ref.Columns {
		if j.set[cell{child.Name, key, col}] {
			return
		}
		switch action {
		case SetNull:
			next[col] = tidemark.Null
		case SetDefault:
			next[col] = ref.Default[i]
		default:
			next[col] = to[i]
		}
	}
	delete(j.after[child.Name], key)
	key = child.KeyOfRow(next)
	for _, col := range ref.Columns {
		j.set[cell{child.Name, key, col}] = true
	}
	if _, taken := j.after[child.Name][key]; taken {
		j.refuse(tidemark.CodeUnique)
	}
	j.model.Put(j.after, child.Name, next)
	j.moved = append(j.moved, moved{table: child, from: row, to: next})
}
