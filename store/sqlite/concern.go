package sqlite

import (
	"context"
	"slices"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/lite"
	"github.com/tidemarkdb/tidemark/internal/row"
	"github.com/tidemarkdb/tidemark/internal/scope"
)

// concern collects whose grants may be others. It follows savepoints.
type concern struct {
	all     bool
	names   []string
	told    []string // by Concerned, in this group
	toldAll int      // how often Concerned told of all
}

// mark remembers where the collection is; back returns there. Who was told of
// since is named again: what was found then was undone.
func (k *concern) mark() concern { return *k }

func (k *concern) back(m concern) {
	told := k.told[len(m.told):]
	k.all = m.all || k.toldAll > m.toldAll
	k.names = append(slices.Clone(m.names), told...)
}

// Concerned tells whose grants may be others, see tidemark.Tx.
func (x *tx) Concerned() (all bool, principals []string) {
	k := &x.concern
	all, principals = k.all, slices.Compact(slices.Sorted(slices.Values(k.names)))
	k.told = append(slices.Clip(k.told), principals...)
	if all {
		k.toldAll++
		principals = nil
	}
	k.all, k.names = false, nil
	return all, principals
}

// concernOf finds out whom a changeset concerns.
func (x *tx) concernOf(n *scoping, rows []stamped) error {
	w := &moves{x: x, rows: rows}
	for _, g := range n.grants {
		if g.query == nil || x.concern.all {
			continue
		}
		if err := w.concern(g.concern); err != nil {
			return err
		}
	}
	return nil
}

// mostMoved bounds how many rows of a changeset are searched for by what they
// were and are: with more, everybody is evaluated anew.
const mostMoved = 2000

// moves are the rows of a changeset for the grants that read them.
type moves struct {
	x      *tx
	rows   []stamped
	images map[int][][]tidemark.Value // by table, what rows were and are; made when it is asked for
	known  bool
}

// concern finds out whom the changeset concerns by one grant.
func (w *moves) concern(k *scope.Concern) error {
	moved := map[int]bool{}
	for i := range w.rows {
		s := &w.rows[i]
		r := k.Readings[s.t.ID]
		if r == nil || s.c.Op == tidemark.Update && !slices.ContainsFunc(s.c.Cols, func(c int) bool { return r.Columns[c] }) {
			continue
		}
		if r.Everybody != "" {
			w.x.concern.all = true
			return nil
		}
		if moved[s.t.ID] = true; len(r.Users) == 0 {
			continue
		}
		if err := w.x.concernOfRow(r, s); err != nil || w.x.concern.all {
			return err
		}
	}
	if !k.Searching(func(table int) bool { return moved[table] }) {
		return nil
	}
	return w.search(k)
}

// search asks for whom the changed rows matter. Where that fails it is everybody.
func (w *moves) search(k *scope.Concern) error {
	if err := w.look(); err != nil {
		return err
	}
	if !w.known {
		w.x.concern.all = true
		return nil
	}
	below := w.x.db.SetContext(context.Background())
	w.x.db.SetContext(below)
	err := k.Find(below, w.images, w.x.s.opts.RuleSteps, func(name string) { w.x.concern.names = append(w.x.concern.names, name) })
	switch {
	case err == nil:
		return nil
	case below.Err() != nil || lite.Environment(err) && !lite.Interrupted(err) && !lite.NoMemory(err):
		return err
	}
	w.x.concern.all = true
	return nil
}

// look reads what the changed rows are, and walks back to what they were.
func (w *moves) look() error {
	if w.images != nil {
		return nil
	}
	w.images, w.known = map[int][][]tidemark.Value{}, len(w.rows) <= mostMoved/2
	now := map[rowID][]tidemark.Value{}
	for i := len(w.rows) - 1; i >= 0 && w.known; i-- {
		s := &w.rows[i]
		id := rowID{s.t.ID, s.id}
		after, seen := now[id]
		if !seen {
			var err error
			if after, err = row.Get(w.x.db, s.t, s.c.Key); err != nil {
				return err
			}
		}
		before, known := s.before(after)
		for _, image := range [][]tidemark.Value{before, after} {
			if image != nil {
				w.images[s.t.ID] = append(w.images[s.t.ID], image)
			}
		}
		now[id], w.known = before, known
	}
	return nil
}

// before returns what a row was before a change that made it what it is, nil
// where there was none. known is false where capture missed something.
func (s *stamped) before(after []tidemark.Value) (before []tidemark.Value, known bool) {
	c := s.c
	switch {
	case c.Op == tidemark.Update:
		if after == nil || len(c.Old) != len(c.Cols) {
			return nil, false
		}
		before = slices.Clone(after)
		for i, col := range c.Cols {
			before[col] = c.Old[i]
		}
		return before, true
	case len(c.Old) == len(s.t.Columns):
		return c.Old, true
	}
	return nil, !s.was.live
}

// concernOfRow names those who stand in a row, as it was and as it is.
func (x *tx) concernOfRow(r *scope.Reading, s *stamped) error {
	c := s.c
	whole := len(c.Old) == len(s.t.Columns)
	if c.Op != tidemark.Update && s.was.live && !whole {
		x.concern.all = true
		return nil
	}
	if c.Op == tidemark.Update {
		return x.concernOfUpdate(r, s)
	}
	for _, user := range r.Users {
		if c.Op == tidemark.Insert {
			x.concern.name(valueAt(c.New, user))
		}
		if whole {
			x.concern.name(c.Old[user])
		}
	}
	return nil
}

func (x *tx) concernOfUpdate(r *scope.Reading, s *stamped) error {
	if len(s.c.Old) != len(s.c.Cols) {
		x.concern.all = true
		return nil
	}
	now, err := row.Get(x.db, s.t, s.c.Key)
	if err != nil {
		return err
	}
	for _, user := range r.Users {
		switch i := slices.Index(s.c.Cols, user); {
		case i >= 0:
			x.concern.name(s.c.New[i])
			x.concern.name(s.c.Old[i])
		case now != nil:
			x.concern.name(now[user])
		}
	}
	return nil
}

// name adds a principal. Only a text can equal one.
func (k *concern) name(v tidemark.Value) {
	if v.Kind() == tidemark.KindText {
		k.names = append(k.names, v.Str())
	}
}
