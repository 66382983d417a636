package sqlite

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/lite"
	"github.com/tidemarkdb/tidemark/internal/planted"
	"github.com/tidemarkdb/tidemark/internal/row"
)

// A changeset tells what a transaction made of its rows, not in which order. If
// parents trade keys in it, or go while their children move, then SQLite's own
// foreign-key actions, one statement at a time, would do to a child what was
// meant for another parent. Such a changeset is therefore closed first: what its
// foreign keys' actions do to rows that it does not name is worked out from the
// state before and added to it. Then all of it is written with the actions off,
// and Settle looks the foreign keys up.

// uproots reports whether the batch takes parents away from under children: it
// has more than one change, and one that deletes a parent or changes what its
// children refer to. One change alone is SQLite's own business.
func (b *batch) uproots() bool {
	if len(b.items) < 2 && !(b.guard != nil && b.guard.effects) {
		return false
	}
	for _, i := range b.items {
		switch i.c.Op {
		case tidemark.Delete:
			if len(b.x.references().to(i.table)) > 0 {
				return true
			}
		case tidemark.Update:
			if b.x.references().concerns(i.table, i.c.Cols) {
				return true
			}
		}
	}
	return false
}

// runClosed writes a batch that uproots.
func (b *batch) runClosed() error {
	if err := b.close(); err != nil {
		return err
	}
	b.x.unsettled = true
	if err := b.x.s.loosely(loose{keys: true}, b.run); err != nil {
		return err
	}
	return b.settleStrays()
}

// close adds what the actions of foreign keys do to rows that are not named.
func (b *batch) close() error {
	byRow := map[rowID]*item{}
	for _, i := range b.items {
		if i.c.Op != tidemark.Insert {
			byRow[rowID{i.table.ID, i.table.KeyID(i.key)}] = i
		}
	}
	for n := 0; n < len(b.queue()); n++ {
		if err := b.follow(b.todo[n], byRow); err != nil {
			return err
		}
	}
	return nil
}

// queue holds the items whose children have to be looked at, some more than once.
func (b *batch) queue() []*item {
	if b.todo == nil {
		b.todo = slices.Clone(b.items)
	}
	return b.todo
}

// follow works out what one item does to the children of its row.
func (b *batch) follow(i *item, byRow map[rowID]*item) error {
	refs := b.x.references().to(i.table)
	if i.c.Op == tidemark.Insert || len(refs) == 0 {
		return nil // strays alone are left to SQLite, see uproots
	}
	before, err := row.Get(b.x.db, i.table, i.key)
	if err != nil || before == nil {
		return err
	}
	var after []tidemark.Value
	if i.c.Op == tidemark.Update {
		after = slices.Clone(before)
		for j, c := range i.c.Cols {
			after[c] = i.c.New[j]
		}
	}
	if err := b.noteStrays(i, before, after); err != nil {
		return err
	}
	for _, ref := range refs {
		had, ok := ref.lost(before, after)
		if !ok {
			continue
		}
		children, err := b.x.childrenOf(ref, had)
		if err != nil {
			return err
		}
		for _, key := range children {
			if err := b.imply(i, ref, key, after, byRow); err != nil {
				return err
			}
		}
	}
	return nil
}

// imply adds the action of one reference on one child. What the changeset itself
// says of the child's reference goes first.
func (b *batch) imply(cause *item, ref reference, key, parent []tidemark.Value, byRow map[rowID]*item) error {
	does, err := b.x.action(ref, key, parent)
	if err != nil || does == nil {
		return err
	}
	id := rowID{ref.child.ID, ref.child.KeyID(key)}
	i := byRow[id]
	switch judged := b.guard == nil || b.guard.judge.Effects(ref.child); {
	case i == nil:
		i = &item{c: does, table: ref.child, key: key, cause: cause, free: b.guard == nil || !judged}
		cause.brings = append(cause.brings, i)
		b.items, byRow[id] = append(b.items, i), i
	case i.speaksOf(ref):
		if judged {
			return nil
		}
		return b.echo(i, cause, does)
	default:
		if !judged && i.said == nil && !i.free {
			i.said = i.c
		}
		i.c = both(i.c, does)
	}
	b.todo = append(b.todo, i)
	return nil
}

// speaksOf reports whether a change says itself what becomes of a reference.
func (i *item) speaksOf(ref reference) bool {
	return i.c.Op == tidemark.Delete || slices.ContainsFunc(i.c.Cols, func(c int) bool { return slices.Contains(ref.key.Columns, c) })
}

// echo notes that a change says what an action does: a copy whose foreign keys
// are on has seen it done, and names it. So its cause covers it there as well.
func (b *batch) echo(i, cause *item, does *tidemark.Change) error {
	if i.cause != nil || i.c.Op != does.Op || planted.Is(planted.JudgeNamed) {
		return nil
	}
	if i.c.Op == tidemark.Update {
		alike, err := b.leavesAlike(i, does)
		if err != nil || !alike {
			return err
		}
		// What it says beyond this action, and beyond those that it was found to name before.
		rest := only(cmp.Or(i.said, i.c), func(col int) bool { return !slices.Contains(does.Cols, col) })
		asked := func(col int) bool { return !b.guard.asker.Sets(i.table, col) }
		if slices.ContainsFunc(rest.Cols, asked) {
			i.said = rest
			return nil
		}
		i.c = only(i.c, asked) // where the keys are off, the server adds nothing either
	}
	i.named, i.cause = true, cause
	cause.brings = append(cause.brings, i)
	return nil
}

// leavesAlike reports whether an update leaves a reference as an action does.
func (b *batch) leavesAlike(i *item, does *tidemark.Change) (bool, error) {
	after, err := row.Get(b.x.db, i.table, i.key)
	if err != nil || after == nil {
		return false, err
	}
	for j, col := range i.c.Cols {
		after[col] = i.c.New[j]
	}
	for j, col := range does.Cols {
		if after[col] != does.New[j] {
			return false, nil
		}
	}
	return true, nil
}

// only is an update of some of its columns.
func only(c *tidemark.Change, wanted func(col int) bool) *tidemark.Change {
	out := *c
	out.Cols, out.New, out.Old, out.Edits = nil, nil, nil, nil
	for j, col := range c.Cols {
		if wanted(col) {
			out.Cols, out.New = append(out.Cols, col), append(out.New, c.New[j])
		}
	}
	return &out
}

// both lays an action over a change of the same row.
func both(c, does *tidemark.Change) *tidemark.Change {
	if does.Op == tidemark.Delete {
		return does
	}
	sum := *c
	sum.Cols = append(slices.Clone(c.Cols), does.Cols...)
	sum.New = append(slices.Clone(c.New), does.New...)
	return &sum
}

// action is what ON DELETE (parent nil) or ON UPDATE does to one child; nil when
// it does nothing and leaves the judgement to the look-up.
func (x *tx) action(ref reference, key, parent []tidemark.Value) (*tidemark.Change, error) {
	declared := ref.key.OnDelete
	if parent != nil {
		declared = ref.key.OnUpdate
	}
	c := &tidemark.Change{Table: ref.child.ID, Op: tidemark.Update, Key: key, Cols: ref.key.Columns}
	switch declared {
	case "CASCADE":
		if parent == nil {
			return &tidemark.Change{Table: ref.child.ID, Op: tidemark.Delete, Key: key}, nil
		}
		for _, to := range ref.to {
			c.New = append(c.New, parent[to])
		}
	case "SET NULL":
		c.New = make([]tidemark.Value, len(c.Cols))
	case "SET DEFAULT":
		var err error
		if c.New, err = x.defaults(ref.child, c.Cols); err != nil {
			return nil, err
		}
	default:
		return nil, nil
	}
	return c, nil
}

// childrenOf lists the keys of the rows that refer to these values of a parent.
func (x *tx) childrenOf(ref reference, had []tidemark.Value) ([][]tidemark.Value, error) {
	where, ok := ref.where()
	if !ok {
		return nil, nil
	}
	var keys [][]tidemark.Value
	err := x.db.Each("SELECT "+row.OrderByKey(ref.child)+" FROM main."+lite.Quote(ref.child.Name)+
		" WHERE "+where+" ORDER BY "+row.OrderByKey(ref.child), func(s *lite.Stmt) error {
		keys = append(keys, s.Row(0))
		return nil
	}, had...)
	return keys, err
}

// where writes the condition that finds a parent's children; ok is false when a
// generated column stands in the way.
func (ref reference) where() (sql string, ok bool) {
	parts := make([]string, len(ref.to))
	for i, c := range ref.key.Columns {
		if c < 0 || ref.to[i] < 0 {
			return "", false
		}
		parts[i] = lite.Quote(ref.child.Columns[c].Name) + " = ?" + strconv.Itoa(i+1)
		if p := ref.parent.Columns[ref.to[i]].Collation; p != ref.child.Columns[c].Collation {
			parts[i] += " COLLATE " + p
		}
	}
	return strings.Join(parts, " AND "), true
}

// defaults evaluates the defaults of columns.
func (x *tx) defaults(t *tidemark.Table, cols []int) ([]tidemark.Value, error) {
	values := make([]tidemark.Value, len(cols))
	for i, c := range cols {
		text := t.Columns[c].Default
		if text == "" {
			continue
		}
		r, err := x.db.Get("SELECT " + text)
		if err != nil {
			return nil, err
		}
		values[i] = r[0]
	}
	return values, nil
}
