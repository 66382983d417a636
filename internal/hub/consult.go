package hub

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/merge"
	"github.com/tidemarkdb/tidemark/internal/planted"
)

// ErrWait is what Options.Hook returns while it has no verdict yet. The
// changeset comes back in Commit.Retry, with all that its replica sent after
// it, and should be handed in again once there is one.
var ErrWait = errors.New("hub: the hook has not answered yet")

// Proposal is what a changeset is about to write, after policies were applied,
// for a hook to judge. Nothing in it may be changed.
type Proposal struct {
	Name      tidemark.Name
	Principal tidemark.Principal
	MadeAt    int64 // by the replica's clock
	Schema    *tidemark.Schema
	Changes   []Proposed
}

// Proposed is one row of a Proposal.
type Proposed struct {
	Table *tidemark.Table
	Op    tidemark.Op
	Key   []tidemark.Value // before the change, or after it for Insert
	Old   []tidemark.Value // the whole row as it is; nil for Insert
	New   []tidemark.Value // the whole row as it would be; nil for Delete
	Cols  []int            // Update: what is written
}

// Same reports whether two proposals would write the same over the same rows.
func (p *Proposal) Same(q *Proposal) bool {
	if planted.Is(planted.StaleVerdict) {
		return p.Name == q.Name
	}
	return p.Name == q.Name && p.Schema.Hash == q.Schema.Hash &&
		slices.EqualFunc(p.Changes, q.Changes, func(a, b Proposed) bool {
			return a.Table.ID == b.Table.ID && a.Op == b.Op && slices.Equal(a.Key, b.Key) &&
				slices.Equal(a.Old, b.Old) && slices.Equal(a.New, b.New)
		})
}

// RowOf names a row of a Proposal.
type RowOf struct {
	Table  int
	Key    string // KeyID of Proposed.Key
	Insert bool   // a row may leave the key that another one takes
}

// Row returns the name of the row.
func (c *Proposed) Row() RowOf {
	return RowOf{c.Table.ID, c.Table.KeyID(c.Key), c.Op == tidemark.Insert}
}

// Verdict accepts a Proposal, with what a hook amended. Rows that the
// changeset does not write any more are passed over.
type Verdict struct {
	Drop map[RowOf]bool                   // are not written
	Set  map[RowOf]map[int]tidemark.Value // columns, none of them of the key
	Add  []tidemark.Change                // on top; the key of an Insert may be left NULL where it is a rowid
}

// Amends reports whether the verdict changes anything.
func (v *Verdict) Amends() bool { return len(v.Drop)+len(v.Set)+len(v.Add) > 0 }

// byHook stands where the policy of a finding does.
const byHook = tidemark.Policy("hook")

// consult has the hook judge what is about to be written.
func (j *trial) consult() error {
	hook := j.g.hub.opts.Hook
	if hook == nil || len(j.write) == 0 {
		return nil
	}
	p, err := j.proposal()
	if err != nil {
		return err
	}
	v, err := hook(p)
	if err != nil || !v.Amends() || planted.Is(planted.ForgetAmended) {
		return err
	}
	return j.amend(v)
}

func (j *trial) proposal() (*Proposal, error) {
	p := &Proposal{
		Name: j.cs.Name, Principal: j.principal, MadeAt: j.cs.MadeAt, Schema: j.schema,
		Changes: make([]Proposed, 0, len(j.write)),
	}
	for i := range j.write {
		c := &j.write[i]
		d := Proposed{Table: j.schema.Table(c.Table), Op: c.Op, Key: c.Key, Cols: c.Cols}
		if c.Op == tidemark.Insert {
			d.New = c.New
		} else {
			row, err := j.g.tx.Row(c.Table, c.Key)
			if err != nil {
				return nil, err
			}
			if d.Old = row.Values; c.Op == tidemark.Update {
				d.New = changed(d.Old, c)
			}
		}
		p.Changes = append(p.Changes, d)
	}
	return p, nil
}

// changed is a row with what an update sets.
func changed(row []tidemark.Value, c *tidemark.Change) []tidemark.Value {
	row = slices.Clone(row)
	for i, col := range c.Cols {
		if col < len(row) {
			row[col] = c.New[i]
		}
	}
	return row
}

// amend puts into force what the hook decided. What it takes from the author
// is noted as lost.
func (j *trial) amend(v *Verdict) error {
	write := j.write
	j.write = make([]tidemark.Change, 0, len(write)+len(v.Add))
	for i := range write {
		c := &write[i]
		t := j.schema.Table(c.Table)
		id := RowOf{t.ID, t.KeyID(c.Key), c.Op == tidemark.Insert}
		if v.Drop[id] {
			if err := j.drop(t, c); err != nil {
				return err
			}
			continue
		}
		if set := v.Set[id]; len(set) > 0 && c.Op != tidemark.Delete {
			if err := j.set(t, c, set); err != nil {
				return err
			}
		}
		j.write = append(j.write, *c)
	}
	return j.add(v.Add)
}

// drop leaves a change out.
func (j *trial) drop(t *tidemark.Table, c *tidemark.Change) error {
	f := finding{col: wholeRow, policy: byHook, verdict: merge.Verdict{Lost: true}}
	if c.Op == tidemark.Update {
		f.verdict.Mine = columnsObject(t, c.Cols, c.New)
	} else if c.Op == tidemark.Insert {
		f.verdict.Mine = rowObject(t, c.New)
	}
	if c.Op != tidemark.Insert {
		row, err := j.g.tx.Row(t.ID, c.Key)
		if err != nil {
			return err
		}
		f.theirs, f.by = rowObject(t, row.Values), row.Writer
	}
	j.note(t, c, f)
	to := movedTo(t, c)
	if c.Op == tidemark.Delete || c.Op == tidemark.Update && t.KeyID(to) == t.KeyID(c.Key) {
		return nil
	}
	// Later edits of the row mean one that never came to be.
	return j.g.tx.SaveRefused(j.cs.Replica, j.cs.N, t.ID, to)
}

// set gives columns of a change other values.
func (j *trial) set(t *tidemark.Table, c *tidemark.Change, values map[int]tidemark.Value) error {
	c.Cols, c.New = slices.Clone(c.Cols), slices.Clone(c.New)
	for col := range t.Columns {
		v, ok := values[col]
		if !ok {
			continue
		}
		if c.Op == tidemark.Insert {
			if err := widen(t, c, col); err != nil {
				return err
			}
		}
		mine, written := valueOf(c, col)
		switch {
		case written && mine == v:
		case written && !unset(t, c, col, mine):
			j.loseCell(t, c, col, v, byHook, "")
		case c.Op == tidemark.Insert:
			c.New[col] = v
		default:
			setColumn(c, col, v)
		}
	}
	if n := rowBytes(c); n > j.g.hub.opts.Limits.Row {
		return fmt.Errorf("the hook made a row of %s of %d bytes, this server takes %d", t.Name, n, j.g.hub.opts.Limits.Row)
	}
	return nil
}

// unset reports whether an inserted value is none that the author gave.
func unset(t *tidemark.Table, c *tidemark.Change, col int, mine tidemark.Value) bool {
	if c.Op != tidemark.Insert {
		return false
	}
	d, ok := Constant(t.Columns[col].Default)
	return mine.IsNull() || ok && mine == d
}

// widen makes an inserted row that was made under an older schema reach a column.
func widen(t *tidemark.Table, c *tidemark.Change, col int) error {
	for at := len(c.New); at <= col; at++ {
		v, ok := Constant(t.Columns[at].Default)
		if !ok {
			return fmt.Errorf("the hook sets %s.%s of a row that lacks %s, whose default is computed: set that, too", t.Name, t.Columns[col].Name, t.Columns[at].Name)
		}
		c.New = append(c.New, v)
	}
	return nil
}

// add appends what the hook writes on top.
func (j *trial) add(changes []tidemark.Change) error {
	if len(changes) == 0 {
		return nil
	}
	taken := rowSet{}
	for i := range j.write {
		c := &j.write[i]
		t := j.schema.Table(c.Table)
		taken[rowID{t.ID, t.KeyID(c.Key)}], taken[rowID{t.ID, t.KeyID(movedTo(t, c))}] = true, true
	}
	next := map[int]int64{}
	for _, c := range changes {
		t := j.schema.Table(c.Table)
		if t == nil || t.Out != "" {
			return fmt.Errorf("the hook writes table %d, which does not sync", c.Table)
		}
		if c.Op == tidemark.Insert {
			c.New = slices.Clone(c.New)
			if err := j.number(t, &c, next); err != nil {
				return err
			}
		}
		if !taken.add(rowID{t.ID, t.KeyID(c.Key)}) {
			return fmt.Errorf("the hook adds a change of a row of %s that the changeset writes already: set columns of that change instead", t.Name)
		}
		if n := rowBytes(&c); n > j.g.hub.opts.Limits.Row {
			return fmt.Errorf("the hook adds a row of %s of %d bytes, this server takes %d", t.Name, n, j.g.hub.opts.Limits.Row)
		}
		j.write = append(j.write, c)
	}
	return nil
}

// number gives an added row the integer key that the hook left open.
func (j *trial) number(t *tidemark.Table, c *tidemark.Change, next map[int]int64) error {
	if t.RowidAlias && c.New[t.Key[0]].IsNull() {
		id, err := j.g.tx.NextID(t.ID)
		if err != nil {
			return err
		}
		for i := range j.write {
			if w := &j.write[i]; w.Table == t.ID && w.Op != tidemark.Delete {
				id = max(id, movedTo(t, w)[0].Int64()+1)
			}
		}
		id = max(id, next[t.ID])
		next[t.ID] = id + 1
		c.New[t.Key[0]] = tidemark.Int(id)
	}
	c.Key = t.KeyOf(c.New)
	return notNull(t, c.Key)
}

// Constant reads a column's default where it says a plain value: nothing, NULL,
// a number or a text.
func Constant(text string) (tidemark.Value, bool) {
	text = strings.TrimSpace(text)
	for len(text) > 1 && text[0] == '(' && text[len(text)-1] == ')' {
		text = strings.TrimSpace(text[1 : len(text)-1])
	}
	switch {
	case text == "" || strings.EqualFold(text, "NULL"):
		return tidemark.Null, true
	case strings.EqualFold(text, "TRUE"):
		return tidemark.Int(1), true
	case strings.EqualFold(text, "FALSE"):
		return tidemark.Int(0), true
	}
	if n, err := strconv.ParseInt(text, 10, 64); err == nil {
		return tidemark.Int(n), true
	}
	if strings.Trim(text, "+-.0123456789eE") == "" {
		f, err := strconv.ParseFloat(text, 64)
		return tidemark.Real(f), err == nil
	}
	if len(text) > 1 && text[0] == '\'' && text[len(text)-1] == '\'' {
		inner := text[1 : len(text)-1]
		if plain := strings.ReplaceAll(inner, "''", ""); !strings.Contains(plain, "'") {
			return tidemark.Text(strings.ReplaceAll(inner, "''", "'")), true
		}
	}
	return tidemark.Null, false
}
