package replica

import (
	"errors"
	"fmt"
	"slices"

	"github.com/cespare/xxhash/v2"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/lite"
	"github.com/tidemarkdb/tidemark/internal/merge"
	"github.com/tidemarkdb/tidemark/internal/row"
	"github.com/tidemarkdb/tidemark/internal/splice"
)

// Undone says what Undo or Redo did.
type Undone struct {
	Of      int64             // number of the changeset that was undone or redone
	N       int64             // number of the new changeset; 0: nothing was changed
	Changes []tidemark.Change // of the new changeset
	Left    []Left            // what stayed as it is
}

// Left is a cell or row that Undo or Redo left alone.
type Left struct {
	Table  string
	Key    []tidemark.Value
	Column string // "" means the row
	Why    string
}

// Undo takes back what the newest changeset of this copy did that was not
// undone yet, accepted or pending, as a new local transaction: each cell that
// is still as the changeset left it gets its value back, a counter is counted
// back, a row that was inserted goes unless it was changed or is referred to,
// one that was deleted comes back. The rest is left, and told. It fails with
// tidemark.CodeNotFound when there is nothing to undo.
//
// The newest 100 changesets are kept, up to 8 MiB; one of more than 1 MiB is not.
// A rejected changeset has no effect to be undone. Where a pending one is undone
// and the server rejects it afterwards, the changeset that undid it still stands: a
// counter has then been counted back once too often. The app's triggers do not fire:
// what they did the first time is part of the changeset.
func (r *Replica) Undo(now int64) (*Undone, error) {
	return r.reverse("undo", now, "WHERE undone = 0 ORDER BY id DESC LIMIT 1")
}

// Redo takes back the last Undo that was not redone, in the same way. Whatever
// is written meanwhile ends what can be redone.
func (r *Replica) Redo(now int64) (*Undone, error) {
	return r.reverse("redo", now, "WHERE undone = 1 ORDER BY id LIMIT 1")
}

func (r *Replica) reverse(op string, now int64, which string) (*Undone, error) {
	var out *Undone
	err := r.transaction(op, now, func() error {
		if err := r.sealToWrite(); err != nil {
			return err
		}
		m, err := r.recall(which)
		if err != nil {
			return err
		}
		if m == nil {
			return &tidemark.Error{Code: tidemark.CodeNotFound, Msg: "there is nothing to " + op,
				Hint: "only what was written into this copy can be taken back, as far as the newest 100 changesets go, and only what was undone last can be redone"}
		}
		u := &undo{r: r, a: r.newAttempt(whole), m: m}
		out = &u.out
		out.Of = m.n
		if err := u.run(op == "undo"); err != nil {
			return err
		}
		return u.a.touch()
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// undo is one step back or forth.
type undo struct {
	r    *Replica
	a    *attempt
	m    *memory
	out  Undone
	text int // texts of the memory that were looked at
}

func (u *undo) run(back bool) error {
	whole, err := u.standing()
	if err != nil {
		return err
	}
	var list []tidemark.Change
	if whole {
		if list, err = u.inverse(); err != nil {
			return err
		}
	}
	c, err := u.apply(list)
	if err != nil {
		return err
	}
	if c == nil {
		return u.r.db.Run("DELETE FROM main._tm_history WHERE id = ?1", tidemark.Int(u.m.id))
	}
	u.out.N, u.out.Changes = c.n, c.changes
	m := &memory{id: u.m.id, n: u.m.n, hash: c.hash, seen: c.seen}
	m.take(c.changes)
	return m.store(u.r.db, back)
}

// standing reports whether the changeset can be undone at all.
func (u *undo) standing() (bool, error) {
	if u.m.changes == nil {
		u.leave(nil, nil, -1, fmt.Sprintf("the changeset is too large to be kept for undo (%d bytes)", u.m.size))
		return false, nil
	}
	n, err := u.r.db.Int("SELECT count(*) FROM main._tm_pending WHERE hash = ?1 AND suspended = 1", tidemark.Blob(u.m.hash[:]))
	if n > 0 {
		u.leave(nil, nil, -1, "the changeset is suspended: it has no effect now")
	}
	return n == 0, err
}

func (u *undo) leave(t *tidemark.Table, key []tidemark.Value, col int, why string) {
	l := Left{Key: key, Why: why}
	if t != nil {
		l.Table = t.Name
	}
	if col >= 0 {
		l.Column = t.Columns[col].Name
	}
	u.out.Left = append(u.out.Left, l)
}

// inverse lists the changes that take the memory's back, as far as what they
// left is untouched.
func (u *undo) inverse() (list []tidemark.Change, err error) {
	for i := range u.m.changes {
		c := &u.m.changes[i]
		t := synced(u.r.schema, c.Table)
		if t == nil {
			u.leave(u.r.schema.Table(c.Table), c.Key, -1, "the table does not sync any more")
			u.skipTexts(c)
			continue
		}
		now, err := row.Get(u.r.db, t, keyAfter(t, c))
		if err != nil {
			return nil, err
		}
		back, err := u.inverseOf(t, c, now)
		if err != nil {
			return nil, err
		}
		if back != nil {
			list = append(list, *back)
		}
	}
	return u.withoutParents(list)
}

func (u *undo) inverseOf(t *tidemark.Table, c *tidemark.Change, now []tidemark.Value) (*tidemark.Change, error) {
	if t.AppendOnly() && c.Op != tidemark.Delete {
		u.skipTexts(c)
		u.leave(t, keyAfter(t, c), -1, "rows of its table are only added")
		return nil, nil
	}
	switch c.Op {
	case tidemark.Insert:
		switch {
		case now == nil:
			u.leave(t, c.Key, -1, "the row is gone")
		case len(c.New) > len(now) || !slices.Equal(now[:len(c.New)], c.New):
			u.leave(t, c.Key, -1, "the row was changed since")
		default:
			return &tidemark.Change{Table: t.ID, Op: tidemark.Delete, Key: c.Key}, nil
		}
	case tidemark.Delete:
		if now == nil {
			return &tidemark.Change{Table: t.ID, Op: tidemark.Insert, Key: c.Key, New: c.Old}, nil
		}
		u.leave(t, c.Key, -1, "a row with this key is there again")
	case tidemark.Update:
		if now == nil {
			u.skipTexts(c)
			u.leave(t, keyAfter(t, c), -1, "the row is gone")
			return nil, nil
		}
		return u.inverseUpdate(t, c, now)
	}
	return nil, nil
}

// skipTexts goes past the texts of a change that is left.
func (u *undo) skipTexts(c *tidemark.Change) {
	for i := range c.Edits {
		if c.Edits[i].Kind == tidemark.EditText {
			u.text++
		}
	}
}

// inverseUpdate puts back the cells of a row that are as the update left them.
// Columns that merge as one go back together or not at all.
func (u *undo) inverseUpdate(t *tidemark.Table, c *tidemark.Change, now []tidemark.Value) (*tidemark.Change, error) {
	back := make([]*tidemark.Value, len(c.Cols))
	touched := map[int]bool{}
	for i, col := range c.Cols {
		v, ok := u.inverseCell(t, c, i, now[col])
		if !ok {
			for _, other := range t.GroupOf(col) {
				touched[other] = true
			}
			continue
		}
		back[i] = &v
	}
	out := &tidemark.Change{Table: t.ID, Op: tidemark.Update, Key: keyAfter(t, c)}
	for i, col := range c.Cols {
		switch {
		case touched[col] && c.EditOf(i).Kind == tidemark.EditSet && c.Old[i] == c.New[i]:
		case touched[col]:
			u.leave(t, out.Key, col, "it was changed since")
		case *back[i] != now[col]:
			out.Cols, out.New = append(out.Cols, col), append(out.New, *back[i])
		}
	}
	if len(out.Cols) == 0 {
		return nil, nil
	}
	return out, nil
}

// inverseCell is the value that a cell had, when it is as the update left it.
func (u *undo) inverseCell(t *tidemark.Table, c *tidemark.Change, i int, now tidemark.Value) (tidemark.Value, bool) {
	if c.EditOf(i).Kind == tidemark.EditText {
		ends := u.m.texts[u.text]
		u.text++
		return inverseText(c.Edits[i].Body, ends, now)
	}
	if t.PolicyOf(c.Cols[i]) == tidemark.PolicyCounter {
		// What others counted meanwhile stays counted.
		if e := merge.Intent(tidemark.PolicyCounter, c.New[i], c.Old[i]); e.Kind == tidemark.EditAdd {
			v, err := merge.Apply(now, tidemark.Null, e)
			return v, err == nil && now.Kind() != tidemark.KindNull
		}
	}
	return c.Old[i], now == c.New[i]
}

func inverseText(body string, ends textEnds, now tidemark.Value) (tidemark.Value, bool) {
	if now.Kind() != tidemark.KindText || xxhash.Sum64String(now.Str()) != ends.after {
		return now, false
	}
	p, err := splice.ParseBody(body)
	if err == nil {
		p, err = p.Invert()
	}
	if err != nil {
		return now, false
	}
	was, err := p.Apply(now.Str())
	return tidemark.Text(was), err == nil && xxhash.Sum64String(was) == ends.before
}

// withoutParents leaves rows alone to which others refer that stay.
func (u *undo) withoutParents(list []tidemark.Change) ([]tidemark.Change, error) {
	for {
		gone := map[rowID]bool{}
		for i := range list {
			if c := &list[i]; c.Op == tidemark.Delete {
				gone[idOf(u.r.schema.Table(c.Table), c.Key)] = true
			}
		}
		kept := list[:0:0]
		for i := range list {
			by, err := u.referred(&list[i], gone)
			if err != nil {
				return nil, err
			}
			if by == "" {
				kept = append(kept, list[i])
				continue
			}
			u.leave(u.r.schema.Table(list[i].Table), list[i].Key, -1, "rows of "+by+" refer to it")
		}
		if len(kept) == len(list) {
			return list, nil
		}
		list = kept
	}
}

// referred names the table of a row that refers to one that is to be deleted,
// and stays.
func (u *undo) referred(c *tidemark.Change, gone map[rowID]bool) (string, error) {
	if c.Op != tidemark.Delete {
		return "", nil
	}
	t := u.r.schema.Table(c.Table)
	image, err := row.Get(u.r.db, t, c.Key)
	if err != nil {
		return "", err
	}
	for _, ref := range u.r.refs.to[t.ID] {
		values, whole := pick(image, ref.to)
		if !whole {
			continue
		}
		stays := false
		err := u.r.db.Each(ref.listChildren(), func(s *lite.Stmt) error {
			stays = stays || !gone[idOf(ref.child, s.Row(0))]
			return nil
		}, values...)
		if err != nil || stays {
			return ref.child.Name, err
		}
	}
	return "", nil
}

// apply makes a pending changeset of the changes that fit; nil when there is none.
func (u *undo) apply(list []tidemark.Change) (c *sealed, err error) {
	for len(list) > 0 {
		err = u.a.db.Savepoint("undo", func() error {
			s, err := u.a.fit(list, strict)
			if err != nil {
				return err
			}
			rows := s.rows()
			if len(rows) == 0 {
				return nil
			}
			for i := range rows {
				u.a.tables[rows[i].Table.ID] = true
			}
			c, err = u.r.pendNow(rows)
			return err
		})
		var m *misfit
		if !errors.As(err, &m) {
			return c, err
		}
		list = u.without(list, m)
	}
	return nil, nil
}

// without drops the change that a constraint refuses, or all where it is not
// known which.
func (u *undo) without(list []tidemark.Change, m *misfit) []tidemark.Change {
	for i := range list {
		t := u.r.schema.Table(list[i].Table)
		if slices.Contains(rowsOf(t, &list[i]), m.row) {
			u.leave(t, list[i].Key, -1, m.message)
			return slices.Delete(slices.Clone(list), i, i+1)
		}
	}
	for i := range list {
		u.leave(u.r.schema.Table(list[i].Table), list[i].Key, -1, m.message)
	}
	return nil
}
