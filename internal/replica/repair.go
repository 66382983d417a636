package replica

import (
	"fmt"
	"slices"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/lite"
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

// differences are those between a copy and the server's rows.
type differences struct {
	r    *Replica
	n    int // rows that differ
	from []source
	// theirs makes the replica's rows the server's, each as its source says; mine
	// makes rows, though not in which scopes they are, what they were.
	theirs, mine []tidemark.Change
}

// take passes what makes the copy the server's.
func (d *differences) take(fn taker) error {
	for i := range d.theirs {
		if err := fn(d.from[i], &d.theirs[i]); err != nil {
			return err
		}
	}
	return nil
}

func (d *differences) add(from source, c tidemark.Change) {
	d.from, d.theirs = append(d.from, from), append(d.theirs, c)
}

// find compares a range.
func (d *differences) find(p *RangeRows) error {
	r := d.r
	t := synced(r.schema, p.Table)
	if t == nil {
		return &tidemark.Error{Code: tidemark.CodeSchema, Msg: fmt.Sprintf("table %d does not sync here", p.Table)}
	}
	here, there := images{}, images{}
	scopes := map[rowID][]string{}
	err := r.confirmed(t, p.After, p.Upto, func(key, image []tidemark.Value, _ bool) error {
		here[idOf(t, key)] = image
		return nil
	})
	if err != nil {
		return err
	}
	for i, image := range p.Rows {
		id := idOf(t, t.KeyOf(image))
		if there[id] = image; i < len(p.Scopes) {
			scopes[id] = p.Scopes[i]
		}
	}
	all := images{}
	for id := range here {
		all[id] = nil
	}
	for id := range there {
		all[id] = nil
	}
	for _, id := range inOrder(all) {
		if err := d.compare(t, id, here[id], there[id], scopes[id]); err != nil {
			return err
		}
	}
	return nil
}

func (d *differences) compare(t *tidemark.Table, id rowID, here, there []tidemark.Value, scopes []string) error {
	differ := !equal(here, there)
	if differ {
		d.mine = append(d.mine, stepTo(t, there, here))
	}
	if !d.r.server.Scoped() {
		if differ {
			d.n++
			d.add(source{}, stepTo(t, here, there))
		}
		return nil
	}
	d.n++
	if there == nil {
		d.add(source{}, stepTo(t, here, nil))
		return nil
	}
	was, err := d.r.scopesOf(id)
	if err != nil {
		return err
	}
	if slices.Sort(scopes); !differ && slices.Equal(was, scopes) {
		d.n--
		return nil
	}
	// Each row is a message of its own, so that all of its words count.
	put := tidemark.Change{Table: t.ID, Op: tidemark.Insert, Key: t.KeyOf(there), New: there}
	for _, s := range scopes {
		d.add(source{s, d.n}, put)
	}
	for _, s := range was {
		if !slices.Contains(scopes, s) {
			d.add(source{s, d.n}, tidemark.Change{Table: t.ID, Op: tidemark.Forget, Key: put.Key})
		}
	}
	return nil
}

// scopesOf names the scopes that a row is in, in order.
func (r *Replica) scopesOf(id rowID) (list []string, err error) {
	table, key := id.args()
	err = r.db.Each("SELECT s.name FROM main._tm_member m JOIN main._tm_scope s ON s.i = m.s WHERE m.t = ?1 AND m.key = ?2 ORDER BY s.name",
		func(s *lite.Stmt) error {
			list = append(list, s.Text(0))
			return nil
		}, table, key)
	return list, err
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
