package hub

import (
	"slices"

	"github.com/tidemarkdb/tidemark"
)

// rowID names a row of a space.
type rowID struct {
	table int
	key   string
}

// net folds the effects of several changesets into one change per row: what
// turns the state before them into the state after them.
type net struct {
	schema *tidemark.Schema
	rows   map[rowID]*tidemark.Change
	order  []rowID // by first touch
}

func newNet(s *tidemark.Schema) *net {
	return &net{schema: s, rows: map[rowID]*tidemark.Change{}}
}

// add folds in effects that hold no moves. It copies what it changes later.
func (n *net) add(effects []tidemark.Change) {
	for _, c := range effects {
		t := n.schema.Table(c.Table)
		if t == nil {
			continue
		}
		id := rowID{c.Table, t.KeyID(c.Key)}
		have := n.rows[id]
		if have == nil {
			c.Old, c.Cols, c.New, c.Edits = nil, slices.Clone(c.Cols), slices.Clone(c.New), downstream(&c)
			n.rows[id], n.order = &c, append(n.order, id)
			continue
		}
		fold(have, c)
	}
}

// fold puts a later change of the same row on top of an earlier one. A delete
// stays a delete although the row may not have been there before: it harms no
// one, and a replica that has the row in spite of the log loses it.
func fold(have *tidemark.Change, c tidemark.Change) {
	switch {
	case c.Op != tidemark.Update:
		*have = tidemark.Change{Table: c.Table, Op: c.Op, Key: c.Key, New: slices.Clone(c.New)}
	case have.Op == tidemark.Insert:
		for i, col := range c.Cols {
			if col < len(have.New) {
				have.New[col] = c.New[i]
			} else {
				// The row was inserted under a narrower schema.
				have.New = append(have.New, make([]tidemark.Value, col+1-len(have.New))...)
				have.New[col] = c.New[i]
			}
		}
		have.Key = spelled(have.Key, c)
	case have.Op == tidemark.Update:
		for i, col := range c.Cols {
			editColumn(have, col, c.New[i], c.EditOf(i))
		}
	default:
		// An update of a deleted row cannot be: effects are what really happened.
	}
}

// spelled returns the key as the last change of the row has it: keys that
// compare equal may be written differently.
func spelled(key []tidemark.Value, c tidemark.Change) []tidemark.Value {
	if c.Key == nil {
		return key
	}
	return c.Key
}

// setColumn sets one column of an update, keeping columns in order.
func setColumn(c *tidemark.Change, col int, v tidemark.Value) {
	editColumn(c, col, v, tidemark.Edit{})
}

// editColumn is setColumn for what may be an edit of a text: two of one text
// become one. Beside each of them New holds the whole value.
func editColumn(c *tidemark.Change, col int, v tidemark.Value, e tidemark.Edit) {
	i, found := slices.BinarySearch(c.Cols, col)
	if found {
		c.New[i] = v
		setEdit(c, i, composeEdits(c.EditOf(i), e, v))
		return
	}
	c.Cols = slices.Insert(c.Cols, i, col)
	c.New = slices.Insert(c.New, i, v)
	if len(c.Edits) > 0 {
		c.Edits = slices.Insert(c.Edits, i, tidemark.Edit{})
	}
	setEdit(c, i, withoutDeleted(e, v))
}

// setEdit sets the edit of the i-th column. An update without edits has no list of them.
func setEdit(c *tidemark.Change, i int, e tidemark.Edit) {
	if len(c.Edits) == 0 {
		if e.Kind == tidemark.EditSet {
			return
		}
		c.Edits = make([]tidemark.Edit, len(c.New))
	}
	c.Edits[i] = e
	if !slices.ContainsFunc(c.Edits, func(e tidemark.Edit) bool { return e.Kind != tidemark.EditSet }) {
		c.Edits = nil
	}
}

// downstream makes the edits of an effect what replicas get.
func downstream(c *tidemark.Change) []tidemark.Edit {
	out := tidemark.Change{New: c.New}
	for i := range c.Edits {
		setEdit(&out, i, withoutDeleted(c.Edits[i], c.New[i]))
	}
	return out.Edits
}

// changes lists deletes, updates, inserts, each in the order of first touch.
func (n *net) changes() []tidemark.Change {
	out := make([]tidemark.Change, 0, len(n.order))
	for _, op := range []tidemark.Op{tidemark.Delete, tidemark.Update, tidemark.Insert} {
		for _, id := range n.order {
			if c := n.rows[id]; c.Op == op {
				out = append(out, *c)
			}
		}
	}
	return out
}

// size estimates the bytes of the changes on the wire.
func (n *net) size() int {
	size := 0
	for _, c := range n.rows {
		size += sizeOf(c)
	}
	return size
}
