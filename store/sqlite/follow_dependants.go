package sqlite

import (
	"slices"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/lite"
	"github.com/tidemarkdb/tidemark/internal/planted"
	"github.com/tidemarkdb/tidemark/internal/row"
	"github.com/tidemarkdb/tidemark/internal/scope"
)

// dependants looks at the rows whose path leads through a changed row, or led.
// A row whose path changed in several places is found from the changed row that
// is nearest to it, since those between are as they were.
func (f *follower) dependants(r *stamped) error {
	if planted.Is(planted.MissDependants) {
		return nil
	}
	for _, st := range f.n.plan.Steps[r.t.ID] {
		if r.c.Op == tidemark.Update && !slices.ContainsFunc(r.c.Cols, func(c int) bool { return slices.Contains(st.Watch, c) }) {
			continue
		}
		old, now, known, err := f.referred(r, st.By)
		if err != nil {
			return err
		}
		f.anew = f.anew || !known
		if err := f.dependantsOn(st, now); err != nil {
			return err
		}
		if slices.Equal(old, now) {
			continue
		}
		if err := f.dependantsOn(st, old); err != nil {
			return err
		}
	}
	return nil
}

// referred returns what the columns by held by which others refer to a row, and
// what they hold now; nil where there was no row, or is none.
func (f *follower) referred(r *stamped, by []int) (old, now []tidemark.Value, known bool, err error) {
	c, t := r.c, r.t
	after := c.New
	if c.Op == tidemark.Update {
		if after, err = row.Get(f.x.db, t, c.Key); err != nil {
			return nil, nil, false, err
		}
	}
	if c.Op != tidemark.Delete && after != nil {
		now = valuesAt(after, by)
	}
	switch {
	case c.Op == tidemark.Update && after != nil:
		old = slices.Clone(now)
		for i, col := range by {
			if k := slices.Index(c.Cols, col); k >= 0 {
				old[i] = valueAt(c.Old, k)
			}
		}
		return old, now, true, nil
	case len(c.Old) == len(t.Columns):
		return valuesAt(c.Old, by), now, true, nil
	case !r.was.live:
		return nil, now, true, nil
	}
	// A change that capture missed: nothing is known of the row but its key.
	for _, col := range by {
		k := slices.Index(t.Key, col)
		if k < 0 {
			return nil, now, false, nil
		}
		old = append(old, c.Key[k])
	}
	return old, now, true, nil
}

func valuesAt(values []tidemark.Value, columns []int) []tidemark.Value {
	out := make([]tidemark.Value, len(columns))
	for i, c := range columns {
		out[i] = valueAt(values, c)
	}
	return out
}

// dependantsOn looks at the rows that come to a row with these values.
func (f *follower) dependantsOn(st *scope.Step, values []tidemark.Value) error {
	if len(values) == 0 || slices.ContainsFunc(values, tidemark.Value.IsNull) {
		return nil
	}
	var keys [][]tidemark.Value
	err := f.x.db.Each(st.SQL, func(s *lite.Stmt) error {
		keys = append(keys, s.Row(0))
		return nil
	}, values...)
	if err != nil {
		return err
	}
	for _, key := range keys {
		if slices.ContainsFunc(key, tidemark.Value.IsNull) {
			continue
		}
		if err := f.look(st.Table, st.Table.KeyID(key)); err != nil {
			return err
		}
	}
	return nil
}

// look looks at a row that only may be elsewhere.
func (f *follower) look(t *tidemark.Table, id string) error {
	is, err := record{}, error(nil)
	if r := f.changed[rowID{t.ID, id}]; r == nil {
		is, err = f.x.recordOf(t, id)
	} else if f.stays(r) {
		is = r.is // what it was is booked
	}
	if err != nil || !is.live {
		return err // nobody knows of it yet, or it was looked at
	}
	now, err := f.scopesNow(t, id)
	if err != nil {
		return err
	}
	return f.move(t, id, now, is, is, false)
}
