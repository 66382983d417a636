package replica

import (
	"maps"
	"slices"
	"strings"

	"github.com/tidemarkdb/tidemark"
)

// oracle says what a replica must show: the confirmed rows with the pending
// changesets that fit on top, in order, each judged on a whole copy of the
// rows with every constraint looked at. It shares no code with the engine.
type oracle struct {
	schema *tidemark.Schema
	rows   map[int]map[string][]tidemark.Value
	left   map[rowID]bool // rows that went with a scope: nobody may change them
}

func newOracle(s *tidemark.Schema, confirmed images) *oracle {
	o := &oracle{schema: s, rows: map[int]map[string][]tidemark.Value{}}
	for _, t := range s.Tables {
		o.rows[t.ID] = map[string][]tidemark.Value{}
	}
	for id, image := range confirmed {
		o.rows[id.t][id.key] = image
	}
	return o
}

func (o *oracle) clone() *oracle {
	c := &oracle{schema: o.schema, rows: map[int]map[string][]tidemark.Value{}}
	for t, rows := range o.rows {
		c.rows[t] = maps.Clone(rows)
	}
	return c
}

// fold puts pending on top and returns the numbers of those that do not fit.
func (o *oracle) fold(pending []Pending) (misfits []int64) {
	lost := map[rowID]bool{} // rows that a misfit would have brought
	for _, p := range pending {
		next := o.clone()
		if !o.barred(p.Changes) && next.play(p.Changes, lost) && next.holds() {
			o.rows = next.rows
			continue
		}
		misfits = append(misfits, p.N)
		for _, c := range p.Changes {
			t := o.schema.Table(c.Table)
			to := o.destination(t, c)
			if c.Op == tidemark.Insert || to != t.KeyID(c.Key) {
				lost[rowID{t.ID, to}] = true
			}
		}
	}
	return misfits
}

// barred reports whether a changeset changes a row that left and is not here again.
func (o *oracle) barred(changes []tidemark.Change) bool {
	return slices.ContainsFunc(changes, func(c tidemark.Change) bool {
		id := o.schema.Table(c.Table).KeyID(c.Key)
		return c.Op != tidemark.Insert && o.left[rowID{c.Table, id}] && o.rows[c.Table][id] == nil
	})
}

func (o *oracle) destination(t *tidemark.Table, c tidemark.Change) string {
	key := slices.Clone(c.Key)
	if c.Op == tidemark.Update {
		for i, place := range t.Key {
			if j := slices.Index(c.Cols, place); j >= 0 {
				key[i] = c.New[j]
			}
		}
	}
	return t.KeyID(key)
}

// play reports false where a key is taken or a row is missing that a misfit
// would have brought.
func (o *oracle) play(changes []tidemark.Change, lost map[rowID]bool) bool {
	old := o.clone()
	for _, c := range changes {
		t := o.schema.Table(c.Table)
		id := t.KeyID(c.Key)
		if c.Op == tidemark.Delete || c.Op == tidemark.Update && o.destination(t, c) != id {
			delete(o.rows[t.ID], id)
		}
	}
	for _, c := range changes {
		t := o.schema.Table(c.Table)
		from, to := t.KeyID(c.Key), o.destination(t, c)
		image := slices.Clone(c.New)
		switch c.Op {
		case tidemark.Delete:
			continue
		case tidemark.Update:
			before := old.rows[t.ID][from]
			if before == nil {
				if lost[rowID{t.ID, from}] {
					return false
				}
				continue
			}
			image = slices.Clone(before)
			if from == to {
				image = slices.Clone(o.rows[t.ID][from])
			}
			for j, col := range c.Cols {
				image[col] = c.New[j]
			}
			if from == to {
				o.rows[t.ID][to] = image
				continue
			}
		}
		if there := o.rows[t.ID][to]; there != nil {
			if c.Op == tidemark.Insert && slices.Equal(there, image) {
				continue
			}
			return false
		}
		o.rows[t.ID][to] = image
	}
	return true
}

// holds checks every unique value and every foreign key of every row.
func (o *oracle) holds() bool {
	for _, t := range o.schema.Tables {
		for _, u := range t.Uniques {
			seen := map[string]bool{}
			for _, image := range o.rows[t.ID] {
				v, ok := project(image, termColumns(u), termCollations(u))
				if ok && seen[v] {
					return false
				}
				seen[v] = ok
			}
		}
		for _, fk := range t.ForeignKeys {
			if !o.refers(t, fk) {
				return false
			}
		}
	}
	return true
}

func (o *oracle) refers(t *tidemark.Table, fk tidemark.ForeignKey) bool {
	parent := o.schema.Named(fk.Parent)
	var to []int
	var by []string
	for _, name := range fk.To {
		i := slices.IndexFunc(parent.Columns, func(c tidemark.Column) bool { return strings.EqualFold(c.Name, name) })
		to, by = append(to, i), append(by, parent.Columns[i].Collation)
	}
	there := map[string]bool{}
	for _, image := range o.rows[parent.ID] {
		if v, ok := project(image, to, by); ok {
			there[v] = true
		}
	}
	for _, image := range o.rows[t.ID] {
		if v, ok := project(image, fk.Columns, by); ok && !there[v] {
			return false
		}
	}
	return true
}

func termColumns(u tidemark.Unique) (cols []int) {
	for _, term := range u.Terms {
		cols = append(cols, term.Column)
	}
	return cols
}

func termCollations(u tidemark.Unique) (by []string) {
	for _, term := range u.Terms {
		by = append(by, term.Collation)
	}
	return by
}

// project names the values of some columns; ok is false when one is NULL.
func project(image []tidemark.Value, cols []int, by []string) (string, bool) {
	t := &tidemark.Table{}
	var key []tidemark.Value
	for i, c := range cols {
		if image[c].IsNull() {
			return "", false
		}
		t.Columns = append(t.Columns, tidemark.Column{Collation: by[i]})
		t.Key = append(t.Key, i)
		key = append(key, image[c])
	}
	return t.KeyID(key), true
}

func (o *oracle) images() images {
	all := images{}
	for t, rows := range o.rows {
		for key, image := range rows {
			all[rowID{t, key}] = image
		}
	}
	return all
}
