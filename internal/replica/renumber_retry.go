package replica

import (
	"fmt"
	"math"
	"slices"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/ids"
	"github.com/tidemarkdb/tidemark/internal/lite"
)

// renumberRetry gives rows that a rejected changeset inserts other ids where
// theirs are taken by now, and follows with all references: in its parts, and
// in what was rejected after it because it builds on these rows.
func (r *Replica) renumberRetry(rej *Rejected, parts [][]tidemark.Change) ([][]tidemark.Change, error) {
	cols := r.idColumns()
	if !cols.Given() {
		return parts, nil
	}
	if err := r.refuseOrphans(rej, parts); err != nil {
		return nil, err
	}
	fresh, err := r.freshIDs(slices.Concat(parts...))
	if err != nil || len(fresh) == 0 {
		return parts, err
	}
	to := func(of *tidemark.Table, id int64) (int64, bool) {
		name, ok := fresh[idOf(of, []tidemark.Value{tidemark.Int(id)})]
		return name, ok
	}
	out := make([][]tidemark.Change, len(parts))
	for i := range parts {
		out[i], _ = cols.Rename(parts[i], to)
	}
	return out, r.renameRejected(rej.ID, to)
}

// freshIDs finds other ids for rows whose own are taken.
func (r *Replica) freshIDs(changes []tidemark.Change) (map[rowID]int64, error) {
	arriving, leaving := map[rowID]bool{}, map[rowID]bool{}
	for i := range changes {
		c := &changes[i]
		t := synced(r.schema, c.Table)
		if t == nil || !ids.Renumbers(t) || !wellFormed(t, c) {
			continue
		}
		id, of := arrival(r.schema, c)
		if of != nil {
			arriving[id] = true
		}
		if c.Op == tidemark.Delete || c.Op == tidemark.Update && of != nil {
			leaving[idOf(t, c.Key)] = true
		}
	}
	fresh, next := map[rowID]int64{}, map[int]int64{}
	for _, id := range inOrder(arriving) {
		t := r.schema.Table(id.t)
		taken, err := r.takenByAnother(t, id, changes)
		if err != nil {
			return nil, err
		}
		if leaving[id] || !taken {
			continue
		}
		if fresh[id], err = r.freeID(t, arriving, next); err != nil {
			return nil, err
		}
	}
	return fresh, nil
}

// takenByAnother reports whether a row is there that is not the very one that
// the changes insert.
func (r *Replica) takenByAnother(t *tidemark.Table, id rowID, changes []tidemark.Change) (bool, error) {
	a := &attempt{r: r, db: r.db}
	there, err := a.read(t, id)
	if err != nil || there == nil {
		return false, err
	}
	same := slices.ContainsFunc(changes, func(c tidemark.Change) bool {
		return c.Table == t.ID && c.Op == tidemark.Insert && idOf(t, c.Key) == id && equal(there[:min(len(there), len(c.New))], c.New)
	})
	return !same, nil
}

// freeID is an id above all that the table has or had.
func (r *Replica) freeID(t *tidemark.Table, arriving map[rowID]bool, next map[int]int64) (int64, error) {
	id := next[t.ID]
	if id == 0 {
		last, err := r.db.Int("SELECT coalesce(max(" + lite.Quote(t.Columns[t.Key[0]].Name) + "), 0) FROM main." + lite.Quote(t.Name))
		if err == nil && t.Autoinc {
			var counted int64
			counted, err = r.db.Int("SELECT coalesce(max(seq), 0) FROM main.sqlite_sequence WHERE name = ?1 COLLATE NOCASE", tidemark.Text(t.Name))
			last = max(last, counted)
		}
		if err != nil {
			return 0, err
		}
		if last > math.MaxInt64-int64(len(arriving))-2 {
			return 0, &tidemark.Error{Code: tidemark.CodeUnique, Table: t.Name, Msg: "no integer key is free above those of " + t.Name,
				Hint: "give the row with the highest key a lower one, then retry"}
		}
		id = max(last, 0) + 1
	}
	for arriving[idOf(t, []tidemark.Value{tidemark.Int(id)})] {
		id++
	}
	next[t.ID] = id + 1
	return id, nil
}

// refuseOrphans makes sure that a changeset which builds on a row of another
// rejected one is not put on the row that has that key by now.
func (r *Replica) refuseOrphans(rej *Rejected, parts [][]tidemark.Change) error {
	changes := slices.Concat(parts...)
	brought := map[rowID]bool{}
	for i := range changes {
		if id, t := arrival(r.schema, &changes[i]); t != nil {
			brought[id] = true
		}
	}
	earlier, err := r.rejected("WHERE id < ?1 ORDER BY id", tidemark.Int(rej.ID))
	if err != nil {
		return err
	}
	lost := map[rowID]int64{}
	for i := range earlier {
		for j := range earlier[i].Changes {
			if id, t := arrival(r.schema, &earlier[i].Changes[j]); t != nil && !brought[id] {
				lost[id] = earlier[i].ID
			}
		}
	}
	if len(lost) == 0 {
		return nil
	}
	return r.findOrphan(changes, lost)
}

func (r *Replica) findOrphan(changes []tidemark.Change, lost map[rowID]int64) error {
	var orphan error
	a := &attempt{r: r, db: r.db}
	for i := range changes {
		r.idColumns().Each(&changes[i], func(of *tidemark.Table, number int64) {
			id := idOf(of, []tidemark.Value{tidemark.Int(number)})
			record := lost[id]
			if orphan != nil || record == 0 {
				return
			}
			there, err := a.read(of, id)
			if there != nil {
				err = &tidemark.Error{Code: tidemark.CodeDependsOn, Table: of.Name, Key: []tidemark.Value{tidemark.Int(number)},
					Msg:  fmt.Sprintf("it builds on %s %d of rejected changeset %d, and the row of that number that is there is another one", of.Name, number, record),
					Hint: fmt.Sprintf("retry %d first; or discard it, and this one is put on the row that is there", record)}
			}
			orphan = err
		})
	}
	return orphan
}

// renameRejected lets the records behind one follow the rows that it gave
// other ids.
func (r *Replica) renameRejected(behind int64, to func(*tidemark.Table, int64) (int64, bool)) error {
	later, err := r.rejected("WHERE id > ?1 ORDER BY id", tidemark.Int(behind))
	if err != nil {
		return err
	}
	for i := range later {
		changes, changed := r.idColumns().Rename(later[i].Changes, func(of *tidemark.Table, id int64) (int64, bool) {
			if bringsID(of, id, later[i].Changes) {
				return 0, false // a row of its own
			}
			return to(of, id)
		})
		if !changed {
			continue
		}
		if err := r.rewriteRejected(later[i].ID, changes); err != nil {
			return err
		}
	}
	return nil
}

func bringsID(of *tidemark.Table, id int64, changes []tidemark.Change) bool {
	return slices.ContainsFunc(changes, func(c tidemark.Change) bool {
		if c.Table != of.ID {
			return false
		}
		given, ok := ids.Arrival(of, &c)
		return ok && given == id
	})
}
