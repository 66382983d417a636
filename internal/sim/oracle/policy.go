package oracle

import (
	"fmt"
	"slices"

	"github.com/tidemarkdb/tidemark"
)

// Past is what the oracle must know of the space to judge edits that met others.
type Past interface {
	// Concurrent reports whether somebody else wrote last in some columns,
	// behind what the author of the changeset had seen.
	Concurrent(table, key string, columns []int) bool
	// Touched reports whether somebody else wrote any cell of the row last.
	Touched(table, key string) bool
	// Strange reports whether somebody else made a row behind what the author
	// had seen, so that he cannot mean it.
	Strange(table, key string) bool
	// Refused reports whether the author means a row that a rejected changeset
	// of his would have made, and not the one that is there or was.
	Refused(table, key string) bool
	// Buried returns the last image of a row that is gone, or nil.
	Buried(table, key string) Row
	// Seen returns the row as the author had seen it confirmed, or nil.
	Seen(table, key string) Row
	// Went lists the scopes that a row was in when it went.
	Went(table, key string) []string
}

// nobody is the past in which nothing is concurrent.
type nobody struct{}

func (nobody) Concurrent(string, string, []int) bool { return false }
func (nobody) Touched(string, string) bool           { return false }
func (nobody) Strange(string, string) bool           { return false }
func (nobody) Refused(string, string) bool           { return false }
func (nobody) Buried(string, string) Row             { return nil }
func (nobody) Seen(string, string) Row               { return nil }
func (nobody) Went(string, string) []string          { return nil }

// Loser is a value that a merge threw away, or that waits for a decision.
type Loser struct {
	Table  string
	Key    string
	Column int // -1: the whole row
	Winner string
	Theirs tidemark.Value
	Mine   tidemark.Value
	Unit   bool // one of several columns that merge as one
	Policy string
}

// Choice is a cell whose value the oracle does not foretell, only judge.
type Choice struct {
	Table  string
	Key    string
	Column int
	Judge  func(got tidemark.Value) error
}

// edit is one cell of an update on its way.
type edit struct {
	t                 *Table
	key               string
	col               int
	base, theirs, new tidemark.Value
	concurrent        bool
	unit              bool
}

// result is what becomes of one.
type result struct {
	value      tidemark.Value
	lost, over bool
	open       bool
}

// policyOf names the policy of a column.
func (t *Table) policyOf(col int) string {
	if p := t.Policy[col]; p != "" {
		return p
	}
	return "last-write"
}

// groupOf lists the columns that merge as one with col.
func (t *Table) groupOf(col int) []int {
	for _, g := range t.Groups {
		if slices.Contains(g, col) {
			return g
		}
	}
	return []int{col}
}

// meet lets the cells of an update meet what is there.
func (j *judgement) meet(t *Table, key string, old Row, c Change) Row {
	row := slices.Clone(old)
	for i, col := range c.Cols {
		group := t.groupOf(col)
		e := edit{t: t, key: key, col: col, theirs: old[col], new: c.New[i], unit: len(group) > 1}
		if i < len(c.Old) {
			e.base = c.Old[i]
		}
		e.concurrent = j.past.Concurrent(t.Name, key, group)
		r := j.decide(e)
		row[col] = r.value
		j.note(e, r)
	}
	return row
}

func (j *judgement) note(e edit, r result) {
	if r.lost {
		j.lost++
	}
	if r.over {
		j.over++
	}
	if !r.lost && !r.over && !r.open {
		return
	}
	winner := "mine"
	if r.lost || r.open {
		winner = "theirs"
	}
	j.losers = append(j.losers, Loser{
		Table: e.t.Name, Key: e.key, Column: e.col, Winner: winner, Theirs: e.theirs, Mine: e.new, Unit: e.unit,
		Policy: e.t.policyOf(e.col),
	})
}

// decide is the table of policies.
func (j *judgement) decide(e edit) result {
	mine := result{value: e.new}
	differ := e.concurrent && e.theirs != e.new
	switch e.t.policyOf(e.col) {
	case "counter":
		theirs := e.theirs
		if theirs.IsNull() {
			theirs, j.unsure = tidemark.Int(0), true // as no number yet
		}
		if n, ok := add(theirs, e.base, e.new); ok {
			return result{value: n}
		}
	case "set":
		if v, ok := mergeSets(e.base, e.theirs, e.new); ok {
			return j.union(e, v)
		}
	case "json":
		if e.base == e.theirs {
			return mine
		}
		if v, over, ok := mergeObjects(e.base, e.theirs, e.new); ok {
			j.unsure = j.unsure || over // what the author saw may be its own that was rejected
			j.choose(e, func(got tidemark.Value) error { return sameObject(v, got) })
			return result{value: e.theirs, over: over}
		}
	case "text":
		if e.base.Kind() == tidemark.KindText && e.theirs.Kind() == tidemark.KindText {
			return j.text(e)
		}
	case "max", "min":
		if !differ {
			return mine
		}
		return further(e)
	case "latest-edit":
		if differ {
			return j.latest(e)
		}
	case "first-write":
		if differ {
			return result{value: e.theirs, lost: true}
		}
	case "manual":
		if differ {
			return result{value: e.theirs, lost: true, open: true}
		}
	case "custom":
		if differ {
			v := Longer(tidemark.Null, e.theirs, e.new)
			return result{value: v, lost: v != e.new, over: v != e.theirs}
		}
	case "reject":
		if e.concurrent {
			j.refuse(tidemark.CodeStale)
		}
		return mine
	}
	mine.over = differ
	return mine
}

// choose leaves to a check what a cell comes to hold.
func (j *judgement) choose(e edit, check func(got tidemark.Value) error) {
	j.choices = append(j.choices, Choice{e.t.Name, e.key, e.col, check})
}

// union merges sets to the one that has v's members, in an order of its own.
func (j *judgement) union(e edit, v tidemark.Value) result {
	j.unsure = true
	j.choose(e, func(got tidemark.Value) error {
		if e.base == e.theirs && got == e.new {
			return nil // to the byte
		}
		return sameSet(v, e.theirs, got)
	})
	return result{value: e.theirs}
}

// text merges two texts.
func (j *judgement) text(e edit) result {
	if e.base == e.theirs {
		return result{value: e.new}
	}
	j.unsure = true // a copy that knows that it differs sets the text as a whole
	j.choose(e, func(got tidemark.Value) error {
		if got == e.new {
			return nil
		}
		return mergedText(e.base.Str(), e.theirs.Str(), e.new.Str(), got.Str())
	})
	return result{value: e.theirs}
}

// further takes the larger or the smaller of two values that differ.
func further(e edit) result {
	larger := compare(e.new, e.theirs) > 0
	if e.theirs.IsNull() || !e.new.IsNull() && larger == (e.t.policyOf(e.col) == "max") {
		return result{value: e.new, over: true}
	}
	return result{value: e.theirs, lost: true}
}

// latest takes one of the two: clocks say which.
func (j *judgement) latest(e edit) result {
	j.unsure = true
	j.choose(e, func(got tidemark.Value) error {
		if got != e.new && got != e.theirs {
			return fmt.Errorf("%v is neither %v nor %v", got, e.new, e.theirs)
		}
		return nil
	})
	return result{value: e.theirs}
}
