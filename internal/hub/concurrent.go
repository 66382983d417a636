package hub

import (
	"slices"
	"sort"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/merge"
	"github.com/tidemarkdb/tidemark/internal/planted"
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

// question says what somebody wants to know of a row's past.
type question struct {
	all    bool    // everything
	units  [][]int // who wrote each of these last; a unit is a cell, or the cells of a group
	others bool    // also what others wrote before that
}

var everything = question{all: true}

// past reads what happened to a row behind cs.Seen, as far as the question
// goes: units that turn out to be the author's own need not be followed. Unless
// everything is wanted it begins where the author was last found to be alone
// with them.
func (j *trial) past(t *tidemark.Table, key []tidemark.Value, row tidemark.RowState, q question) (*past, error) {
	p := &past{t: t, row: row}
	if row.Writer != j.cs.Replica {
		p.by = row.Writer
	}
	r := &pastReader{j: j, p: p, open: slices.Clone(q.units), follow: q.all || q.others}
	after, solo := j.cs.Seen, &j.g.hub.solo
	if !q.all {
		after = solo.since(j.cs, t, key, q.units)
	}
	whole, err := j.g.tx.History(t.ID, key, after, r.take)
	if err == nil {
		err = r.err
	}
	p.whole = whole && !r.cut
	if !q.all && p.whole && !r.stopped && err == nil {
		solo.note(j.cs, p, key, j.g.commit.From)
	}
	return p, err
}

// pastReader takes the effects on a row, newest first.
type pastReader struct {
	j       *trial
	p       *past
	open    [][]int // units whose last writer is not found yet
	follow  bool    // to the end: somebody else wrote a unit last, whose base is needed
	cut     bool
	stopped bool
	err     error
}

func (r *pastReader) take(e tidemark.RowEffect) bool {
	own, err := r.j.own(e.Name, e.Seq)
	if err != nil {
		r.err = err
		return false
	}
	p := r.p
	p.effects, p.own = append(p.effects, e), append(p.own, own)
	r.cut = len(p.effects) == maxPast
	before := len(r.open)
	r.open = slices.DeleteFunc(r.open, func(unit []int) bool { return touchesAny(&e.Change, unit) })
	r.follow = r.follow || len(r.open) < before && !own
	r.stopped = r.cut || !r.follow && len(r.open) == 0
	return !r.stopped
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
	if planted.Is(planted.SeeNothing) {
		return false, ""
	}
	for i := range p.effects {
		if touchesAny(&p.effects[i].Change, unit) {
			return !p.own[i], p.effects[i].Name.Replica
		}
	}
	return !p.whole, p.by
}

// touchedByOthers reports whether anybody else wrote a cell, and who did last.
func (p *past) touchedByOthers(col int) (yes bool, by string) {
	for i := range p.effects {
		if !p.own[i] && touches(&p.effects[i].Change, col) {
			return true, p.effects[i].Name.Replica
		}
	}
	return !p.whole, p.by
}

// foreign lists what others made of a cell.
func (p *past) foreign(col int) []merge.Foreign {
	out := []merge.Foreign{}
	row := slices.Clone(p.row.Values)
	for i := range p.effects {
		c := &p.effects[i].Change
		after, _ := valueAt(row, col)
		row = undone(row, c)
		if !p.own[i] && touches(c, col) {
			before, _ := valueAt(row, col)
			out = append(out, merge.Foreign{Old: before, New: after})
		}
	}
	return out
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
