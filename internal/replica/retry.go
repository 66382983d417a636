package replica

import (
	"errors"
	"fmt"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/wire"
)

// Retry applies a rejected changeset to the tables once more, as a new local
// transaction, and drops the rejected record in the same one. apart splits it
// into the smallest parts that stand alone, each its own changeset; parts that
// do not fit stay rejected. It returns how many parts were made.
//
// The app's triggers do not fire: what they did the first time is part of the
// changeset.
func (r *Replica) Retry(id int64, apart bool, now int64) (int, error) {
	made := 0
	err := r.transaction("retry", now, func() error {
		if r.readOnly {
			return &tidemark.Error{Code: tidemark.CodeReadOnly, Msg: "this copy is read-only", Hint: "clone again without --read-only"}
		}
		if _, err := r.seal(); err != nil {
			return err
		}
		rej, err := r.oneRejected(id)
		if err != nil {
			return err
		}
		if err := r.canRetry(rej); err != nil {
			return err
		}
		parts := [][]tidemark.Change{rej.Changes}
		if apart {
			parts = r.apart(rej.Changes)
		}
		var rest []tidemark.Change
		if made, rest, err = r.retryParts(parts); err != nil {
			return err
		}
		return r.keepRest(rej, rest)
	})
	return made, err
}

func (r *Replica) canRetry(rej *Rejected) error {
	for i := range rej.Changes {
		if synced(r.schema, rej.Changes[i].Table) == nil {
			return &tidemark.Error{Code: tidemark.CodeSchema, Msg: "a table of this changeset does not sync any more",
				Hint: "`tidemark rejected export` writes it out as JSON"}
		}
	}
	return nil
}

// retryParts makes a pending changeset of each part that fits. Where there is
// only one part, its misfit is the error.
func (r *Replica) retryParts(parts [][]tidemark.Change) (made int, rest []tidemark.Change, err error) {
	a := &attempt{r: r, db: r.db, way: whole, out: &Applied{}, tables: map[int]bool{}}
	for _, part := range parts {
		ok, err := a.retryPart(part)
		var m *misfit
		switch {
		case errors.As(err, &m) && len(parts) == 1:
			return 0, nil, m.public()
		case errors.As(err, &m):
			rest = append(rest, part...)
		case err != nil:
			return 0, nil, err
		case ok:
			made++
		}
	}
	return made, rest, a.touch()
}

func (m *misfit) public() error {
	return &tidemark.Error{Code: m.code, Msg: m.message, Table: m.table, Key: m.key, Columns: m.columns,
		Hint: "change the data that is in the way, then retry; or retry --apart, or discard it"}
}

// retryPart reports whether the part changed anything.
func (a *attempt) retryPart(part []tidemark.Change) (changed bool, err error) {
	err = a.db.Savepoint("retry", func() error {
		s, err := a.fit(part, strict)
		if err != nil {
			return err
		}
		rows := s.rows()
		if changed = len(rows) > 0; !changed {
			return nil
		}
		for i := range rows {
			a.tables[rows[i].Table.ID] = true
		}
		c, err := a.r.pendNow(rows)
		if err != nil {
			return err
		}
		return a.r.remember(c)
	})
	return changed && err == nil, err
}

// keepRest leaves in the record what was not taken out of it.
func (r *Replica) keepRest(rej *Rejected, rest []tidemark.Change) error {
	if len(rest) == 0 {
		return r.dropRejected(rej.ID)
	}
	body := wire.AppendChanges(nil, rest, false)
	return r.db.Run("UPDATE main._tm_rejected SET body = ?1 WHERE id = ?2", tidemark.Blob(body), tidemark.Int(rej.ID))
}

// apart splits changes into parts that no row and no foreign key connects.
func (r *Replica) apart(changes []tidemark.Change) [][]tidemark.Change {
	group := make([]int, len(changes))
	for i := range group {
		group[i] = i
	}
	find := func(i int) int {
		for group[i] != i {
			group[i] = group[group[i]]
			i = group[i]
		}
		return i
	}
	join := func(i, j int) {
		i, j = find(i), find(j)
		group[max(i, j)] = min(i, j)
	}
	r.connect(changes, join)
	at := map[int]int{}
	var parts [][]tidemark.Change
	for i := range changes {
		root := find(i)
		if _, known := at[root]; !known {
			at[root] = len(parts)
			parts = append(parts, nil)
		}
		parts[at[root]] = append(parts[at[root]], changes[i])
	}
	return parts
}

// connect joins changes that touch one row, and children with the parents
// that they name. Deletes name only keys: those of linked tables stay together.
func (r *Replica) connect(changes []tidemark.Change, join func(i, j int)) {
	rows, parents, deletes := map[rowID]int{}, map[string]int{}, map[int]int{}
	for i := range changes {
		c := &changes[i]
		t := r.schema.Table(c.Table)
		for _, id := range rowsOf(t, c) {
			if j, known := rows[id]; known {
				join(i, j)
			}
			rows[id] = i
		}
		for _, ref := range r.refs.to[t.ID] {
			if values, ok := valuesOf(t, c, ref.to); ok {
				parents[ref.name(values)] = i
			}
		}
		if j, known := deletes[t.ID]; c.Op == tidemark.Delete && known && r.linkedAtAll(t.ID) {
			join(i, j)
		}
		if c.Op == tidemark.Delete {
			deletes[t.ID] = i
		}
	}
	for i := range changes {
		r.connectUp(&changes[i], i, parents, deletes, join)
	}
}

// connectUp joins a change with those of the parents that it refers to.
func (r *Replica) connectUp(c *tidemark.Change, i int, parents map[string]int, deletes map[int]int, join func(i, j int)) {
	t := r.schema.Table(c.Table)
	for _, ref := range r.refs.from[t.ID] {
		values, ok := valuesOf(t, c, ref.cols)
		if j, known := parents[ref.name(values)]; ok && known {
			join(i, j)
		}
		if j, known := deletes[ref.parent.ID]; known && (c.Op == tidemark.Delete || ok) {
			join(i, j)
		}
	}
}

// linkedAtAll reports whether a table has any foreign key, from or to it.
func (r *Replica) linkedAtAll(t int) bool { return len(r.refs.from[t])+len(r.refs.to[t]) > 0 }

func (ref *reference) name(values []tidemark.Value) string {
	return fmt.Sprintf("%d %v %v", ref.parent.ID, ref.to, values)
}

// valuesOf takes columns out of a change, where it names them.
func valuesOf(t *tidemark.Table, c *tidemark.Change, cols []int) (values []tidemark.Value, ok bool) {
	known := map[int]tidemark.Value{}
	for i, place := range t.Key {
		if i < len(c.Key) {
			known[place] = c.Key[i]
		}
	}
	for i, v := range c.New {
		if c.Op == tidemark.Insert {
			known[i] = v
		} else if i < len(c.Cols) {
			known[c.Cols[i]] = v
		}
	}
	for _, col := range cols {
		v, has := known[col]
		if !has || v.IsNull() {
			return nil, false
		}
		values = append(values, v)
	}
	return values, true
}
