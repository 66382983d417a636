package sqlite

import (
	"cmp"
	"errors"
	"slices"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/capture"
	"github.com/tidemarkdb/tidemark/internal/meta"
)

// Foreign returns what other programs did since the last group, see tidemark.Tx.
func (x *tx) Foreign() (tidemark.ForeignWork, error) {
	if x.asked {
		return tidemark.ForeignWork{}, nil
	}
	x.asked = true
	if x.quiet {
		return tidemark.ForeignWork{}, nil
	}
	var w tidemark.ForeignWork
	moved, err := x.moveSchema()
	if err != nil {
		return w, err
	}
	w.Moved = moved.report
	if err := x.s.dress(x.schema); err != nil {
		return w, err
	}
	captured, keyless, err := x.takeLog()
	if err != nil {
		return w, err
	}
	if len(keyless) > 0 {
		w.Changes, w.Refused = append(changesOf(captured), keyless...), x.refuseKeyless(&keyless[0])
	} else if w.Changes, w.Refused, err = x.judgeForeign(captured, moved.compare); err != nil {
		return w, err
	}
	missed, err := x.compareTables(moved.compare)
	if err != nil {
		return w, err
	}
	if w.Refused != nil && len(missed) > 0 {
		// What has no before-image cannot be undone with the rest: next time.
		if err := meta.SetInt(x.db, keyScrub, 1); err != nil {
			return w, err
		}
		missed = nil
	}
	if len(missed) > 0 {
		w.Changes = append(w.Changes, missed...)
		slices.SortFunc(w.Changes, x.compareChanges)
	}
	x.owed = len(w.Changes) > 0 || w.Moved != nil
	return w, nil
}

// takeLog nets the records of other programs and clears them. Rows that were
// written without a key come apart from the others.
func (x *tx) takeLog() (rows []capture.RowChange, keyless []tidemark.Change, err error) {
	seen, err := meta.Int(x.db, keyLogSeen)
	if err != nil {
		return nil, nil, err
	}
	last, err := x.db.Int("SELECT max(n) FROM main._tm_log")
	if err != nil || last <= seen {
		return nil, nil, err
	}
	if keyless, err = x.touchedKeyless(seen); err != nil {
		return nil, nil, err
	}
	if rows, err = capture.Net(x.db, capture.Main, x.schema, seen); err != nil {
		return nil, nil, err
	}
	if err := capture.Clear(x.db, capture.Main); err != nil {
		return nil, nil, err
	}
	if last, err = x.db.Int("SELECT max(n) FROM main._tm_log"); err != nil {
		return nil, nil, err
	}
	return rows, keyless, meta.SetInt(x.db, keyLogSeen, last)
}

func (x *tx) touchedKeyless(after int64) ([]tidemark.Change, error) {
	ids, err := capture.Touched(x.db, capture.Main, after)
	if err != nil {
		return nil, err
	}
	var all []tidemark.Change
	for _, id := range ids {
		t := x.schema.Table(id)
		if t == nil || t.Out != "" {
			continue
		}
		rows, err := x.keyless(t)
		if err != nil {
			return nil, err
		}
		all = append(all, rows...)
	}
	return all, nil
}

// judgeForeign completes and judges captured rows. Rows of tables that are
// compared as a whole are left to that: what was captured there is in it.
func (x *tx) judgeForeign(rows []capture.RowChange, compared []*tidemark.Table) ([]tidemark.Change, *tidemark.Error, error) {
	rows = slices.DeleteFunc(rows, func(r capture.RowChange) bool { return slices.Contains(compared, r.Table) })
	all := images(rows)
	if len(all) == 0 {
		return nil, nil, nil
	}
	err := x.Savepoint(func() error {
		if err := x.skippedActions(rows, all); err != nil {
			return err
		}
		refused, err := x.broken(all)
		if err == nil && refused == nil {
			refused, err = x.s.breaksCheck(all)
		}
		if err == nil && refused != nil {
			return refused
		}
		return err
	})
	var refused *tidemark.Error
	if errors.As(err, &refused) && rejects(refused.Code) {
		return changesOf(rows), refused, nil
	}
	return ordered(all), nil, err
}

// compareRows orders row changes by where the row was, or where it is.
func compareRows(a, b capture.RowChange) int {
	at := func(r capture.RowChange) string {
		if r.Before != nil {
			return r.Table.KeyID(r.Table.KeyOf(r.Before))
		}
		return r.Table.KeyID(r.Table.KeyOf(r.After))
	}
	return cmp.Or(cmp.Compare(a.Table.ID, b.Table.ID), cmp.Compare(at(a), at(b)))
}

// rejects reports whether a code is the data's fault.
func rejects(c tidemark.Code) bool {
	switch c {
	case tidemark.CodeForeignKey, tidemark.CodeCheck, tidemark.CodeNotNull, tidemark.CodeUnique,
		tidemark.CodeType, tidemark.CodeRaised, tidemark.CodeTooLarge:
		return true
	}
	return false
}

// skippedActions does what foreign keys would have done, had the writer had
// them on, and lays it over the captured images.
func (x *tx) skippedActions(rows []capture.RowChange, all map[rowID]*image) error {
	if len(x.references().byParent) == 0 {
		return nil
	}
	if err := x.deferKeys(); err != nil {
		return err
	}
	slices.SortFunc(rows, compareRows)
	for i := range rows {
		if err := x.actionsOf(&rows[i]); err != nil {
			return err
		}
	}
	later, err := capture.Net(x.db, capture.Temp, x.schema, 0)
	if err != nil {
		return err
	}
	then(all, later)
	return capture.Clear(x.db, capture.Temp)
}

func (x *tx) actionsOf(r *capture.RowChange) error {
	if r.Before == nil {
		return nil
	}
	for _, ref := range x.references().byParent[r.Table.ID] {
		children, err := x.orphans(ref, r.Before, r.After)
		if err != nil {
			return err
		}
		for _, key := range children {
			does, err := x.action(ref, key, r.After)
			if err == nil && does != nil {
				err = x.Write(*does)
			}
			if err != nil {
				return err
			}
		}
	}
	return nil
}

func (x *tx) compareChanges(a, b tidemark.Change) int {
	id := func(c tidemark.Change) string { return x.schema.Table(c.Table).KeyID(c.Key) }
	return cmp.Or(cmp.Compare(a.Table, b.Table), cmp.Compare(id(a), id(b)))
}
