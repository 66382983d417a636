package hub

import (
	"slices"
	"sort"

	"github.com/tidemarkdb/tidemark"
)

// maxPast bounds how far back one row is followed. What lies further back
// counts as not known, as if the log had been cut there.
const maxPast = 10_000

// past is what accepted changesets did to one row behind the seq that the
// author of an edit had seen, newest first.
type past struct {
	t       *tidemark.Table
	row     tidemark.RowState // now
	effects []tidemark.RowEffect
	own     []bool // parallel to effects: by the author's own chain
	whole   bool   // nothing behind what the author had seen is missing
	by      string // who wrote what is missing, as far as that is known
}

// past reads what happened to a row behind cs.Seen. A unit is a cell, or the
// cells of a group. It ends early when each of the units turned out to be the
// author's own; nil reads all.
func (j *trial) past(t *tidemark.Table, key []tidemark.Value, row tidemark.RowState, units [][]int) (*past, error) {
	p := &past{t: t, row: row}
	if row.Writer != j.cs.Replica {
		p.by = row.Writer
	}
	open, all, cut := slices.Clone(units), units == nil, false
	var failed error
	whole, err := j.g.tx.History(t.ID, key, j.cs.Seen, func(e tidemark.RowEffect) bool {
		own, err := j.own(e.Name, e.Seq)
		if err != nil {
			failed = err
			return false
		}
		p.effects, p.own = append(p.effects, e), append(p.own, own)
		cut = len(p.effects) == maxPast
		before := len(open)
		open = slices.DeleteFunc(open, func(unit []int) bool { return touchesAny(&e.Change, unit) })
		all = all || len(open) < before && !own // somebody else's last: followed to its base
		return !cut && (all || len(open) > 0)
	})
	if err == nil {
		err = failed
	}
	p.whole = whole && !cut
	return p, err
}

// touches reports whether an effect wrote a column.
func touches(c *tidemark.Change, col int) bool {
	if c.Op != tidemark.Update {
		return true
	}
	_, ok := slices.BinarySearch(c.Cols, col)
	return ok
}

func touchesAny(c *tidemark.Change, unit []int) bool {
	return slices.ContainsFunc(unit, func(col int) bool { return touches(c, col) })
}

// concurrent reports whether somebody else wrote a unit last, and who: "" when
// that is not known.
func (p *past) concurrent(unit []int) (yes bool, by string) {
	for i := range p.effects {
		if touchesAny(&p.effects[i].Change, unit) {
			return !p.own[i], p.effects[i].Name.Replica
		}
	}
	return !p.whole, p.by
}

// anyConcurrent reports whether somebody else wrote a cell of the row that the
// author's own chain did not write after it.
func (p *past) anyConcurrent() (yes bool, by string) {
	for col := range p.t.Columns {
		if yes, by = p.concurrent([]int{col}); yes {
			return true, by
		}
	}
	return false, ""
}

// base returns what a column held before somebody else first changed it.
func (p *past) base(col int) (tidemark.Value, bool) {
	if !p.whole {
		return tidemark.Null, false
	}
	oldest := -1
	for i := range p.effects {
		if !p.own[i] && touches(&p.effects[i].Change, col) {
			oldest = i
		}
	}
	if oldest < 0 {
		return valueAt(p.row.Values, col)
	}
	return valueAt(p.before(oldest), col)
}

// before returns the row as it was before the i-th effect, nil when it was not
// there or is not known.
func (p *past) before(i int) []tidemark.Value {
	row := slices.Clone(p.row.Values)
	for k := 0; k <= i; k++ {
		row = undone(row, &p.effects[k].Change)
	}
	return row
}

// seen returns the row as the author had seen it, nil when it was not there or
// is not known.
func (p *past) seen() []tidemark.Value {
	if !p.whole {
		return nil
	}
	if len(p.effects) == 0 {
		return p.row.Values
	}
	return p.before(len(p.effects) - 1)
}

// deleted returns the row as it was when it was last deleted, and by whom.
func (p *past) deleted() (row []tidemark.Value, by string) {
	for i := range p.effects {
		if c := &p.effects[i].Change; c.Op == tidemark.Delete {
			return undone(nil, c), p.effects[i].Name.Replica
		}
	}
	return nil, p.row.Writer
}

// birth returns the place of the newest effect that inserted the row, or -1.
func (p *past) birth() int {
	for i := range p.effects {
		if p.effects[i].Change.Op == tidemark.Insert {
			return i
		}
	}
	return -1
}

// undone takes an effect back from the row that it left. It returns nil when
// there was no row before, or it is not known.
func undone(row []tidemark.Value, c *tidemark.Change) []tidemark.Value {
	switch c.Op {
	case tidemark.Insert:
		return nil
	case tidemark.Delete:
		return slices.Clone(c.Old) // nil where capture had missed the row
	}
	for i, col := range c.Cols {
		if col >= len(row) {
			continue
		}
		old, ok := cellBefore(row[col], c, i)
		if !ok {
			return nil
		}
		row[col] = old
	}
	return row
}

// cellBefore takes the effect on one cell back.
func cellBefore(now tidemark.Value, c *tidemark.Change, i int) (tidemark.Value, bool) {
	if c.EditOf(i).Kind == tidemark.EditText {
		return unpatched(now, c.Edits[i].Body)
	}
	if i >= len(c.Old) {
		return tidemark.Null, false
	}
	return c.Old[i], true
}

// valueAt reads a row that may have been written under a narrower schema.
func valueAt(row []tidemark.Value, col int) (tidemark.Value, bool) {
	if row == nil || col >= len(row) {
		return tidemark.Null, false
	}
	return row[col], true
}

// own reports whether a changeset belongs to the chain of the one that is
// judged: its replica's, or what its replica's file had sealed under another
// name before it was found to be a copy.
func (j *trial) own(name tidemark.Name, seq tidemark.Seq) (bool, error) {
	switch name.Replica {
	case j.cs.Replica:
		return true, nil
	case tidemark.FileReplica:
		return false, nil
	}
	if own, known := j.chain[seq]; known {
		return own, nil
	}
	own, err := j.inherited(name.Hash, seq)
	if j.chain == nil {
		j.chain = map[tidemark.Seq]bool{}
	}
	j.chain[seq] = own
	return own, err
}

// inherited reports whether the replica has an outcome for the content that
// was accepted at seq under another name. Outcomes follow one another as their
// seqs do, so it is looked for by halves, beginning at the end: nearly always
// the newest outcome is older already.
func (j *trial) inherited(hash tidemark.Hash, seq tidemark.Seq) (bool, error) {
	var failed error
	at := func(n int64) tidemark.Outcome {
		o, err := j.g.tx.Outcome(j.cs.Replica, n)
		if err != nil {
			failed = err
		}
		if o == nil {
			return tidemark.Outcome{} // pruned: older than all that are there
		}
		return *o
	}
	last := j.cs.N - 1
	if last < 1 || at(last).Seq < seq {
		return false, failed
	}
	n := int64(sort.Search(int(last), func(i int) bool { return at(int64(i)+1).Seq >= seq })) + 1
	for ; n <= last && failed == nil; n++ {
		o := at(n)
		if o.Seq > seq {
			break
		}
		if o.Kind != tidemark.Rejected && o.Hash == hash {
			return true, nil
		}
	}
	return false, failed
}
