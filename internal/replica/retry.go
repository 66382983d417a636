package replica

import (
	"errors"
	"fmt"
	"slices"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/wire"
)

// Retry applies a rejected changeset to the tables once more, as a new local
// transaction, and drops the rejected record in the same one. apart splits it
// into the smallest parts that stand alone, each its own changeset; parts that
// do not fit stay rejected. It returns how many parts were made.
//
// A counter is counted again, a set and an object are changed again in what
// they hold now; an edit of a text is made where its surroundings are found.
// The app's triggers do not fire: what they did the first time is part of the
// changeset.
func (r *Replica) Retry(id int64, apart bool, now int64) (int, error) {
	return r.retry(id, now, func(rej *Rejected) ([][]tidemark.Change, error) {
		if err := r.canRetry(rej.Changes); err != nil || !apart {
			return [][]tidemark.Change{rej.Changes}, err
		}
		return r.apart(rej.Changes), nil
	})
}

// EditAndRetry applies other changes in place of those of a rejected
// changeset, as Retry does, and drops the record.
func (r *Replica) EditAndRetry(id int64, changes []tidemark.Change, now int64) (int, error) {
	return r.retry(id, now, func(*Rejected) ([][]tidemark.Change, error) {
		own := slices.Clone(changes)
		for i := range own {
			if err := r.keyed(&own[i]); err != nil {
				return nil, err
			}
		}
		if len(own) == 0 {
			return nil, &tidemark.Error{Code: tidemark.CodeUsage, Msg: "there are no changes", Hint: "discard the changeset instead"}
		}
		return [][]tidemark.Change{own}, nil
	})
}

// keyed makes sure that a change that somebody wrote by hand can be one.
func (r *Replica) keyed(c *tidemark.Change) error {
	t := synced(r.schema, c.Table)
	if t == nil {
		return nil // canRetry says so
	}
	if c.Op == tidemark.Insert {
		for _, place := range t.Key {
			if place >= len(c.New) {
				return &tidemark.Error{Code: tidemark.CodeUsage, Msg: "a row of " + t.Name + " without its key", Table: t.Name}
			}
		}
		c.Key = t.KeyOf(c.New)
	}
	if !wellFormed(t, c) {
		return &tidemark.Error{Code: tidemark.CodeUsage, Msg: "a change does not fit table " + t.Name, Table: t.Name, Key: c.Key}
	}
	return nil
}

// Replacement gives a column of a rejected changeset another value.
type Replacement struct {
	Table  string
	Key    []tidemark.Value // of the change, as it stands in the record
	Column string
	Value  tidemark.Value
}

// ReplaceAndRetry is EditAndRetry with the record's own changes, in which some
// values are others.
func (r *Replica) ReplaceAndRetry(id int64, edits []Replacement, now int64) (int, error) {
	return r.retry(id, now, func(rej *Rejected) ([][]tidemark.Change, error) {
		changes := slices.Clone(rej.Changes)
		for i := range edits {
			if err := r.replace(changes, &edits[i]); err != nil {
				return nil, err
			}
		}
		return [][]tidemark.Change{changes}, nil
	})
}

// replace sets the value in the change that inserts or updates the row.
func (r *Replica) replace(changes []tidemark.Change, e *Replacement) error {
	t := r.schema.Named(e.Table)
	if t == nil || t.Place(e.Column) < 0 {
		return &tidemark.Error{Code: tidemark.CodeUsage, Msg: fmt.Sprintf("there is no column %s.%s", e.Table, e.Column)}
	}
	col := t.Place(e.Column)
	for i := range changes {
		c := &changes[i]
		if c.Table != t.ID || c.Op == tidemark.Delete || idOf(t, c.Key) != idOf(t, e.Key) {
			continue
		}
		*c = withValue(t, c, col, e.Value)
		return nil
	}
	return &tidemark.Error{Code: tidemark.CodeNotFound, Msg: "the changeset writes no such row of " + t.Name, Table: t.Name, Key: e.Key,
		Hint: "`tidemark rejected export` shows its rows"}
}

func withValue(t *tidemark.Table, c *tidemark.Change, col int, v tidemark.Value) tidemark.Change {
	out := *c
	out.New = slices.Clone(c.New)
	if c.Op == tidemark.Insert {
		for len(out.New) <= col {
			out.New = append(out.New, tidemark.Null)
		}
		out.New[col] = v
		out.Key = t.KeyOf(out.New)
		return out
	}
	out.Cols, out.Edits = slices.Clone(c.Cols), slices.Clone(c.Edits)
	i := slices.Index(out.Cols, col)
	if i < 0 {
		i = len(out.Cols)
		out.Cols, out.New = append(out.Cols, col), append(out.New, v)
	}
	if out.New[i] = v; i < len(out.Edits) {
		out.Edits[i] = tidemark.Edit{}
	}
	return out
}

// retry makes local transactions of the parts that stand for a rejected changeset.
func (r *Replica) retry(id, now int64, partsOf func(*Rejected) ([][]tidemark.Change, error)) (int, error) {
	made := 0
	err := r.transaction("retry", now, func() error {
		if err := r.sealToWrite(); err != nil {
			return err
		}
		rej, err := r.oneRejected(id)
		if err != nil {
			return err
		}
		parts, err := partsOf(rej)
		if err != nil {
			return err
		}
		for _, part := range parts {
			if err := r.canRetry(part); err != nil {
				return err
			}
		}
		if parts, err = r.renumberRetry(rej, parts); err != nil {
			return err
		}
		var rest []tidemark.Change
		if made, rest, err = r.retryParts(parts); err != nil {
			return err
		}
		return r.keepRest(rej, rest)
	})
	return made, err
}

// sealToWrite seals what the app wrote, before the engine itself writes. In a
// read-only copy nobody does.
func (r *Replica) sealToWrite() error {
	if r.readOnly {
		return &tidemark.Error{Code: tidemark.CodeReadOnly, Msg: "this copy is read-only", Hint: "clone again without --read-only"}
	}
	_, err := r.seal()
	return err
}

func (r *Replica) canRetry(changes []tidemark.Change) error {
	for i := range changes {
		if synced(r.schema, changes[i].Table) == nil {
			return &tidemark.Error{Code: tidemark.CodeSchema, Msg: "a table of this changeset does not sync any more",
				Hint: "`tidemark rejected export` writes it out as JSON"}
		}
	}
	return nil
}

// retryParts makes a pending changeset of each part that fits. Where there is
// only one part, its misfit is the error.
func (r *Replica) retryParts(parts [][]tidemark.Change) (made int, rest []tidemark.Change, err error) {
	a := r.newAttempt(whole)
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
		placed, err := a.placed(part)
		if err != nil {
			return err
		}
		s, err := a.fit(placed, strict)
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
	return r.rewriteRejected(rej.ID, rest)
}

// rewriteRejected puts other changes into a record.
func (r *Replica) rewriteRejected(id int64, changes []tidemark.Change) error {
	body := wire.AppendChanges(nil, changes, false)
	return r.db.Run("UPDATE main._tm_rejected SET body = ?1 WHERE id = ?2", tidemark.Blob(body), tidemark.Int(id))
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
