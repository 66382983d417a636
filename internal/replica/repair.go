package replica

import (
	"fmt"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/meta"
	"github.com/tidemarkdb/tidemark/internal/row"
	"github.com/tidemarkdb/tidemark/internal/wire"
)

// ConfirmedRanges counts and sums confirmed rows as they are stored, pending
// laid aside: up to and including the first bound, then up to the second, ...,
// then everything behind the last.
func (r *Replica) ConfirmedRanges(table int, after, upto []tidemark.Value, bounds [][]tidemark.Value) ([]tidemark.RangeSum, error) {
	list := make([]tidemark.RangeSum, len(bounds)+1)
	err := r.transaction("compare", 0, func() error {
		if _, err := r.seal(); err != nil {
			return err
		}
		t := synced(r.schema, table)
		if t == nil {
			return &tidemark.Error{Code: tidemark.CodeSchema, Msg: fmt.Sprintf("table %d does not sync here", table)}
		}
		if err := r.expelKeylessOf(t); err != nil {
			return err
		}
		i := 0
		return r.confirmed(t, after, upto, func(key, image []tidemark.Value, ordered bool) error {
			at := i
			if !ordered {
				at = 0
			}
			for at < len(bounds) && compareKeys(t, key, bounds[at]) > 0 {
				at++
			}
			if ordered {
				i = at
			}
			list[at].Count++
			list[at].Sum += r.hasher.Row(t, image)
			return nil
		})
	})
	if err != nil {
		return nil, err
	}
	return list, nil
}

// confirmed passes the confirmed rows of a range: first those without pending,
// in key order, then those laid aside, in any order.
func (r *Replica) confirmed(t *tidemark.Table, after, upto []tidemark.Value, fn func(key, image []tidemark.Value, ordered bool) error) error {
	base, err := loadBase(r.db, t)
	if err != nil {
		return err
	}
	err = row.Scan(r.db, t, after, upto, 0, func(values []tidemark.Value) error {
		key := t.KeyOf(values)
		if len(base) > 0 {
			if _, laidAside := base[t.KeyID(key)]; laidAside {
				return nil
			}
		}
		return fn(key, values, true)
	})
	if err != nil {
		return err
	}
	for _, image := range base {
		if image == nil {
			continue
		}
		if key := t.KeyOf(image); within(t, key, after, upto) {
			if err := fn(key, image, false); err != nil {
				return err
			}
		}
	}
	return nil
}

// Repair puts the server's rows of a range in place of what the replica holds
// as confirmed; what it cannot explain is saved as rejected with the given
// code first. It returns how many rows differed.
func (r *Replica) Repair(table int, after, upto []tidemark.Value, rows [][]tidemark.Value, code tidemark.Code, now int64) (int, error) {
	return r.RepairAll([]RangeRows{{Table: table, After: after, Upto: upto, Rows: rows}}, code, now)
}

// RepairAll puts the server's rows of several ranges in place of the confirmed
// ones in one transaction, saves what was there as one rejected record, and
// returns how many rows differed.
func (r *Replica) RepairAll(list []RangeRows, code tidemark.Code, now int64) (int, error) {
	differed := 0
	_, err := r.withoutMirrors(func() (*Applied, error) {
		err := r.transaction("repair", now, func() (err error) {
			differed, err = r.repairAll(list, code)
			return err
		})
		return nil, err
	})
	return differed, err
}

func (r *Replica) repairAll(list []RangeRows, code tidemark.Code) (int, error) {
	if err := r.checkFence(); err != nil {
		return 0, err
	}
	if _, err := r.seal(); err != nil {
		return 0, err
	}
	var theirs, mine []tidemark.Change
	for i := range list {
		a, b, err := r.differences(&list[i])
		if err != nil {
			return 0, err
		}
		theirs, mine = append(theirs, a...), append(mine, b...)
	}
	if len(theirs) == 0 {
		return 0, nil
	}
	if err := r.saveDifference(mine, code); err != nil {
		return 0, err
	}
	a, err := r.advance(&job{rows: func(fn func(*tidemark.Change) error) error { return each(theirs, fn) }})
	if err != nil {
		return 0, err
	}
	if err := a.tally.save(); err != nil {
		return 0, err
	}
	for i := range list {
		// What differed was not in the sums as it was stored.
		if err := forgetSums(r.db, list[i].Table); err != nil {
			return 0, err
		}
	}
	return len(theirs), nil
}

// differences compares a range: theirs makes the replica's rows the server's,
// mine the other way round.
func (r *Replica) differences(p *RangeRows) (theirs, mine []tidemark.Change, err error) {
	t := synced(r.schema, p.Table)
	if t == nil {
		return nil, nil, &tidemark.Error{Code: tidemark.CodeSchema, Msg: fmt.Sprintf("table %d does not sync here", p.Table)}
	}
	here, there := images{}, images{}
	err = r.confirmed(t, p.After, p.Upto, func(key, image []tidemark.Value, _ bool) error {
		here[idOf(t, key)] = image
		return nil
	})
	if err != nil {
		return nil, nil, err
	}
	for _, image := range p.Rows {
		there[idOf(t, t.KeyOf(image))] = image
	}
	all := images{}
	for id := range here {
		all[id] = nil
	}
	for id := range there {
		all[id] = nil
	}
	for _, id := range inOrder(all) {
		if !equal(here[id], there[id]) {
			theirs = append(theirs, stepTo(t, here[id], there[id]))
			mine = append(mine, stepTo(t, there[id], here[id]))
		}
	}
	return theirs, mine, nil
}

// stepTo is the change that makes one image the other.
func stepTo(t *tidemark.Table, from, to []tidemark.Value) tidemark.Change {
	switch {
	case to == nil:
		return tidemark.Change{Table: t.ID, Op: tidemark.Delete, Key: t.KeyOf(from)}
	case from == nil:
		return tidemark.Change{Table: t.ID, Op: tidemark.Insert, Key: t.KeyOf(to), New: to}
	}
	cols, values := differing(from, to)
	return tidemark.Change{Table: t.ID, Op: tidemark.Update, Key: t.KeyOf(from), Cols: cols, New: values}
}

// saveDifference keeps what the copy had. After a restore, rows that only the
// server has stand apart: most of them are new there, and who asks for what
// the server lost does not ask for them to be deleted.
func (r *Replica) saveDifference(mine []tidemark.Change, code tidemark.Code) error {
	if code != tidemark.CodeRecovered {
		return r.keepDifference(mine, code, "of this copy differed from the server's without a cause that was recorded")
	}
	var had, lacked []tidemark.Change
	for _, c := range mine {
		if c.Op == tidemark.Delete {
			lacked = append(lacked, c)
		} else {
			had = append(had, c)
		}
	}
	err := r.keepDifference(had, code, "of this copy went beyond what the server's file knows, which was put back from a backup")
	if err != nil {
		return err
	}
	return r.keepDifference(lacked, code, "that this copy did not have came with the server's backup, or are new since: a retry deletes them")
}

func (r *Replica) keepDifference(mine []tidemark.Change, code tidemark.Code, why string) error {
	if len(mine) == 0 {
		return nil
	}
	seq, err := meta.Int(r.db, meta.KeySeq)
	if err != nil {
		return err
	}
	body := wire.AppendChanges(nil, mine, false)
	hash := wire.HashOf(tidemark.Salt{}, body)
	rows := "1 row"
	if len(mine) != 1 {
		rows = fmt.Sprintf("%d rows", len(mine))
	}
	return r.keepRejected(Rejected{Code: code, Message: rows + " " + why,
		Seq: tidemark.Seq(seq), MadeAt: r.now, At: r.now, Schema: r.server.Hash}, hash[:], body)
}

// Prove recomputes the sums from the stored rows, because every row was just
// found equal to the server's, and takes the mark for repair away.
func (r *Replica) Prove(now int64) error {
	return r.transaction("prove", now, func() error {
		if _, err := r.seal(); err != nil {
			return err
		}
		if err := r.db.Run("DELETE FROM main._tm_digest"); err != nil {
			return err
		}
		tl := r.newTally()
		if err := tl.load(); err != nil {
			return err
		}
		if err := tl.save(); err != nil {
			return err
		}
		return store(r.db, number(meta.KeySum, int64(tl.total())), flag(keyProven, !r.partial()), text(keyRepair, ""))
	})
}
