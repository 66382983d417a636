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
// then everything behind the last. Where scopes are declared a sum also counts
// of each row in which scopes it is.
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
		member, err := r.memberHashes()
		if err != nil {
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
			hash, err := member(t, key)
			list[at].Sum += r.hasher.Row(t, image) + hash
			return err
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
	d := &differences{r: r}
	for i := range list {
		if err := d.find(&list[i]); err != nil {
			return 0, err
		}
	}
	if d.n == 0 {
		return 0, nil
	}
	if err := r.saveDifference(d.mine, code); err != nil {
		return 0, err
	}
	a, err := r.advance(&job{rows: d.take})
	if err != nil {
		return 0, err
	}
	if r.server.Scoped() {
		return d.n, a.recountScopes()
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
	return d.n, nil
}

// memberHashes makes the function that sums, for a row, the hashes of the
// scopes that it is in.
func (r *Replica) memberHashes() (func(t *tidemark.Table, key []tidemark.Value) (uint64, error), error) {
	if !r.server.Scoped() {
		return func(*tidemark.Table, []tidemark.Value) (uint64, error) { return 0, nil }, nil
	}
	all, err := r.listed()
	if err != nil {
		return nil, err
	}
	names := map[int64]string{}
	for _, s := range all {
		names[s.i] = s.name
	}
	return func(t *tidemark.Table, key []tidemark.Value) (sum uint64, err error) {
		id := idOf(t, key)
		list, err := membersOf(r.db, id)
		for _, s := range list {
			sum += r.hasher.Member(t.ID, id.key, names[s])
		}
		return sum, err
	}, nil
}

// recountScopes sums all scopes anew: what differed was not in the sums as it was stored.
func (a *attempt) recountScopes() error {
	if err := a.tally.countScopes(); err != nil {
		return err
	}
	return a.tally.save()
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
		if tl.scopes != nil {
			if err := tl.countScopes(); err != nil {
				return err
			}
		}
		if err := tl.load(); err != nil {
			return err
		}
		if err := tl.save(); err != nil {
			return err
		}
		return store(r.db, number(meta.KeySum, int64(tl.total())), flag(keyProven, !r.partial()), text(keyRepair, ""))
	})
}
