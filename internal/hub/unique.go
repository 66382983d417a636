package hub

import (
	"errors"
	"fmt"
	"slices"

	"github.com/tidemarkdb/tidemark"
)

// Clash is a row of a changeset that has a unique value which another row has
// already.
type Clash struct {
	Table   *tidemark.Table  // do not change it
	Columns []string         // whose values clash
	Mine    []tidemark.Value // the row as the changeset would write it, in the order of Table.Columns
	Theirs  []tidemark.Value // the row that is there
}

// Resolution says what to do about a Clash. The zero Resolution rejects the
// changeset.
type Resolution struct {
	// Row is written instead of Clash.Mine, with the same key.
	Row []tidemark.Value
	// Merge says that both are one: Mine is not inserted, the row that is
	// there takes what differs, each column by its policy, and what the
	// author's replica calls by Mine's key is that row. Only rows of tables
	// with InsertRenumber can be merged, and only when they are inserted.
	Merge bool
}

// UniqueFunc decides about a Clash (TablePolicy.OnUnique). It must be pure. An
// error rejects the changeset and is its reason.
type UniqueFunc func(Clash) (Resolution, error)

// fixes are the answers to what refused a changeset before.
type fixes struct {
	orphans bool                 // drop references to parents that were deleted meanwhile
	unique  map[rowID]uniqueness // by the key of the row that clashes
}

// uniqueness is what a UniqueFunc decided.
type uniqueness struct {
	mine, row []tidemark.Value // what is replaced, and by what
	into      []tidemark.Value // key of the row that takes this one
	by        string           // who wrote the row that was there
	tries     int              // how often its function was asked about this row
}

// answer looks for a declaration that says what to do about a refusal. The
// changeset is run again if there is one.
func (j *trial) answer(err error) (again bool, _ error) {
	e := reason(err)
	if e == nil {
		return false, nil
	}
	switch e.Code {
	case tidemark.CodeForeignKey:
		again = !j.fixes.orphans && slices.ContainsFunc(j.write, func(c tidemark.Change) bool { return forgives(j.schema.Table(c.Table)) })
		j.fixes.orphans = j.fixes.orphans || again
		return again, nil
	case tidemark.CodeUnique:
		return j.answerUnique(e)
	}
	return false, nil
}

// answerUnique asks the table's function.
func (j *trial) answerUnique(e *tidemark.Error) (again bool, err error) {
	t := j.schema.Named(e.Table)
	if t == nil || t.Policy.OnUnique == "" || len(e.Key) != len(t.Key) || len(e.Other) != len(t.Key) {
		return false, nil
	}
	decide := j.g.hub.opts.Unique[t.Policy.OnUnique]
	id := rowID{t.ID, t.KeyID(e.Key)}
	i := slices.IndexFunc(j.write, func(c tidemark.Change) bool {
		return c.Table == t.ID && c.Op != tidemark.Delete && t.KeyID(movedTo(t, &c)) == id.key
	})
	tries := j.fixes.unique[id].tries + 1
	if i < 0 || decide == nil || t.KeyID(e.Other) == id.key || tries > maxTries {
		return false, nil
	}
	theirs, err := j.g.tx.Row(t.ID, e.Other)
	if err != nil || theirs.Values == nil {
		return false, err // two rows of the changeset clash
	}
	mine, err := j.after(t, &j.write[i])
	if err != nil {
		return false, err
	}
	r, err := decided(decide, Clash{Table: t, Columns: e.Columns, Mine: slices.Clone(mine), Theirs: slices.Clone(theirs.Values)})
	if err != nil {
		return false, unresolved(e, t, err)
	}
	if r.Merge {
		if seen, err := j.sees(t, e.Other, theirs); !seen || err != nil {
			return false, err // the author would learn of it, and write to it
		}
	}
	if before, ok := j.fixes.unique[id]; ok {
		mine = before.mine // as its author meant it
	}
	return j.fix(t, uniqueness{mine: mine, row: r.Row, by: theirs.Writer, tries: tries}, r.Merge, &j.write[i], e)
}

// fix keeps a resolution for the next run.
func (j *trial) fix(t *tidemark.Table, u uniqueness, into bool, c *tidemark.Change, e *tidemark.Error) (bool, error) {
	id := rowID{t.ID, t.KeyID(e.Key)}
	switch {
	case into && (!t.RowidAlias || t.Policy.OnInsert != tidemark.InsertRenumber || c.Op != tidemark.Insert):
		return false, unresolved(e, t, errors.New("only inserted rows of a table whose integer keys are renumbered can be merged into another"))
	case into:
		u.into = e.Other
	case u.row == nil:
		return false, nil
	case len(u.row) != len(t.Columns) || t.KeyID(t.KeyOf(u.row)) != id.key:
		return false, unresolved(e, t, errors.New("it returned a row that does not fit, or has another key"))
	}
	if j.fixes.unique == nil {
		j.fixes.unique = map[rowID]uniqueness{}
	}
	j.fixes.unique[id] = u
	return true, nil
}

// decided guards the server against functions of an app.
func decided(f UniqueFunc, c Clash) (r Resolution, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("it panicked: %v", p)
		}
	}()
	return f(c)
}

// unresolved rejects for a clash that its function could not resolve.
func unresolved(e *tidemark.Error, t *tidemark.Table, why error) error {
	if own := reason(why); own != nil {
		return why
	}
	r := *e
	r.Msg = fmt.Sprintf("%s; the function %q says: %s", e.Msg, t.Policy.OnUnique, why)
	return &r
}

// mend applies what earlier runs found out to what is to be written.
func (j *trial) mend() error {
	if len(j.fixes.unique) > 0 {
		if err := j.mendUnique(); err != nil {
			return err
		}
	}
	if j.fixes.orphans {
		return j.dropOrphans()
	}
	return nil
}

func (j *trial) mendUnique() error {
	var merged []tidemark.Renumbered
	write := j.write
	j.write = make([]tidemark.Change, 0, len(write))
	for i := range write {
		c := &write[i]
		t := j.schema.Table(c.Table)
		u, ok := j.fixes.unique[rowID{t.ID, t.KeyID(movedTo(t, c))}]
		switch {
		case !ok || c.Op == tidemark.Delete:
			j.write = append(j.write, *c)
		case u.into != nil:
			r, err := j.mergeInto(t, c, u)
			if err != nil {
				return err
			}
			merged = append(merged, r)
		default:
			j.rewrite(t, c, u)
			j.write = append(j.write, *c)
		}
	}
	if len(merged) == 0 {
		return nil
	}
	j.write = mapRenumbered(j.schema, j.write, merged)
	j.outcome.Renumbered, merged = composed(j.outcome.Renumbered, merged)
	return j.g.keepRenumbered(j.cs.Replica, merged, j.g.head+1)
}

// rewrite puts the function's row in the place of the author's.
func (j *trial) rewrite(t *tidemark.Table, c *tidemark.Change, u uniqueness) {
	policy := tidemark.Policy(t.Policy.OnUnique)
	for col, v := range u.row {
		if before, _ := valueAt(u.mine, col); v == before {
			continue
		}
		if _, changed := valueOf(c, col); changed {
			j.loseCell(t, c, col, v, policy, u.by)
		} else if c.Op == tidemark.Update {
			setColumn(c, col, v)
		}
	}
}

// mergeInto lets the row that is there take what the author's row has.
func (j *trial) mergeInto(t *tidemark.Table, c *tidemark.Change, u uniqueness) (tidemark.Renumbered, error) {
	row, err := j.g.tx.Row(t.ID, u.into)
	if err != nil {
		return tidemark.Renumbered{}, err
	}
	id := t.KeyID(u.into)
	for i := range j.changes {
		if j.changes[i].Table == t.ID && t.KeyID(j.changes[i].Key) == id {
			return tidemark.Renumbered{}, taken(t, c) // the changeset has plans of its own for that row
		}
	}
	from := c.Key[0].Int64()
	into := *c
	into.Key = u.into
	if err := j.cells(&encounter{t: t, c: asUpdate(t, &into, row), row: row, blind: true}); err != nil {
		return tidemark.Renumbered{}, err
	}
	return tidemark.Renumbered{Table: t.Name, From: from, To: u.into[0].Int64(), Before: j.g.head + 1}, nil
}
