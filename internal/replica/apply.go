package replica

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sort"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/lite"
	"github.com/tidemarkdb/tidemark/internal/meta"
	"github.com/tidemarkdb/tidemark/internal/planted"
	"github.com/tidemarkdb/tidemark/internal/wire"
)

// Applied says what a batch did.
type Applied struct {
	Seq       tidemark.Seq
	Tables    []int // tables whose rows changed
	Settled   []tidemark.Outcome
	Suspended []Pending
	Resumed   []int64
	Repair    string   // not empty: the copy differs from the server, and why
	Staged    bool     // kept for later, nothing is visible yet
	Schema    bool     // the schema changed
	Skipped   []string // objects of a new schema that could not be made, each with its reason
	Rows      int      // that the batch or chunk told of, own ones included

	// Where scopes are declared.
	Scopes []ScopeNews
	Left   map[int]int // rows that left this copy without being deleted, by table
}

// then joins what two steps of one transaction did; either may have done nothing.
func (a *Applied) then(b *Applied) *Applied {
	if a == nil || b == nil {
		return cmp.Or(a, b)
	}
	out := *b
	out.Tables = slices.Compact(slices.Sorted(slices.Values(slices.Concat(a.Tables, b.Tables))))
	out.Settled = slices.Concat(a.Settled, b.Settled)
	out.Suspended, out.Resumed = slices.Concat(a.Suspended, b.Suspended), slices.Concat(a.Resumed, b.Resumed)
	out.Scopes, out.Repair = slices.Concat(a.Scopes, b.Scopes), cmp.Or(b.Repair, a.Repair)
	out.Left = maps.Clone(a.Left)
	for t, n := range b.Left {
		if out.Left == nil {
			out.Left = map[int]int{}
		}
		out.Left[t] += n
	}
	return &out
}

// Apply applies a batch, with the outcomes that it settles, in one
// transaction, and rebases pending on top. A chunk with More set is staged.
// A schema that the replica does not have must have come with SaveSchema
// before. ErrMoved means that the checkpoint is not where the batch begins, or
// that somebody else holds the sync lease: say hello again.
func (r *Replica) Apply(b *wire.Batch, outcomes []tidemark.Outcome, now int64) (*Applied, error) {
	return r.scrubbed(func() (*Applied, error) { return r.applyBatch(b, outcomes, now) })
}

// Settle settles outcomes whose seq the replica has already reached.
func (r *Replica) Settle(outcomes []tidemark.Outcome, now int64) (*Applied, error) {
	return r.scrubbed(func() (*Applied, error) { return r.settle(outcomes, now) })
}

func (r *Replica) applyBatch(b *wire.Batch, outcomes []tidemark.Outcome, now int64) (*Applied, error) {
	var out *Applied
	if planted.Is(planted.CheckpointFirst) && !b.More {
		if err := r.transaction("apply", now, func() error { return store(r.db, number(meta.KeySeq, int64(b.To))) }); err != nil {
			return nil, err
		}
	}
	err := r.transaction("apply", now, func() error {
		if err := r.atCheckpoint(b.From); err != nil && !planted.Is(planted.CheckpointFirst) {
			return err
		}
		parts, err := r.partsOf(b)
		if err != nil {
			return err
		}
		if b.More {
			out = &Applied{Seq: b.From, Staged: true, Rows: r.rowsIn(parts)}
			return r.stage(b)
		}
		j := &job{outcomes: outcomes, seq: b.To, schema: b.Schema}
		j.rows = func(fn taker) error {
			if err := eachStaged(r.db, b.From, fn); err != nil {
				return err
			}
			for i := range parts {
				if err := each(source{parts[i].Scope, last}, parts[i].Changes, fn); err != nil {
					return err
				}
			}
			return nil
		}
		a, err := r.advance(j)
		if err != nil {
			return err
		}
		out = a.out
		out.Rows = r.rowsIn(parts)
		return r.arrive(b, a)
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// atCheckpoint makes sure that nobody else moved the file meanwhile.
func (r *Replica) atCheckpoint(from tidemark.Seq) error {
	if err := r.checkFence(); err != nil {
		return err
	}
	seq, err := meta.Int(r.db, meta.KeySeq)
	if err != nil {
		return err
	}
	if tidemark.Seq(seq) != from && !planted.Is(planted.StaleBatch) {
		return fmt.Errorf("%w: the changes begin at seq %d, the file is at %d", ErrMoved, from, seq)
	}
	return nil
}

// arrive moves the checkpoint and proves it.
func (r *Replica) arrive(b *wire.Batch, a *attempt) error {
	if err := clearStage(r.db); err != nil {
		return err
	}
	if err := r.prove(b, a); err != nil {
		return err
	}
	head, err := meta.Int(r.db, keyHead)
	if err != nil {
		return err
	}
	// A table that was made anew counts from the beginning.
	if a.move != nil {
		if err := r.countInBlocks(); err != nil {
			return err
		}
	}
	a.out.Seq = b.To
	return store(r.db, number(meta.KeySeq, int64(b.To)), text(meta.KeyTerm, b.Term),
		number(keyHead, max(head, int64(b.To))), number(keyContact, r.now))
}

// prove compares the sums at a checkpoint. Incremental sums can be wrong where
// something changed a row behind capture's back and the row was then written
// again; so before the copy is called different, its rows are counted anew.
func (r *Replica) prove(b *wire.Batch, a *attempt) error {
	if r.server.Scoped() {
		return r.proveScopes(b, a)
	}
	if len(a.damage) == 0 && a.tally.total() != b.Sum && !r.partial() {
		if err := r.countAnew(a.tally); err != nil {
			return err
		}
	}
	if err := a.tally.save(); err != nil {
		return err
	}
	sum := a.tally.total()
	facts := []fact{number(meta.KeySum, int64(sum))}
	switch {
	case r.partial() && len(a.damage) == 0:
		facts = append(facts, flag(keyProven, false))
	case sum == b.Sum && len(a.damage) == 0:
		facts = append(facts, flag(keyProven, true), text(keyRepair, ""))
	default:
		a.out.Repair = fmt.Sprintf("the rows differ from the server's at seq %d", b.To)
		if len(a.damage) > 0 {
			a.out.Repair = a.damage[0]
		}
		facts = append(facts, flag(keyProven, false), text(keyRepair, a.out.Repair))
	}
	return store(r.db, facts...)
}

// countAnew counts every table, unless the copy is marked for repair already:
// then all rows are going to be compared anyway.
func (r *Replica) countAnew(tl *tally) error {
	known, err := meta.Get(r.db, keyRepair)
	if err != nil || known != "" {
		return err
	}
	if tl.scopes != nil {
		return tl.countScopes()
	}
	for _, t := range r.schema.Tables {
		if t.Out != "" {
			continue
		}
		if err := tl.count(t); err != nil {
			return err
		}
	}
	return nil
}

// partial reports whether a table left syncing only here, so that no sum of
// the server's can be compared.
func (r *Replica) partial() bool {
	for _, t := range r.schema.Tables {
		if s := r.server.Table(t.ID); t.Out != "" && s != nil && s.Out == "" {
			return true
		}
	}
	return false
}

func (r *Replica) settle(outcomes []tidemark.Outcome, now int64) (*Applied, error) {
	var out *Applied
	err := r.transaction("settle", now, func() error {
		if err := r.checkFence(); err != nil {
			return err
		}
		seq, err := meta.Int(r.db, meta.KeySeq)
		if err != nil {
			return err
		}
		a, err := r.advance(&job{outcomes: outcomes, seq: tidemark.Seq(seq)})
		if err != nil {
			return err
		}
		out = a.out
		out.Seq = tidemark.Seq(seq)
		return a.tally.save()
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// job is what one transaction does to the confirmed rows.
type job struct {
	rows     func(fn taker) error // confirmed changes; may be read more than once
	leave    []rowID              // rows that are in no scope any more
	outcomes []tidemark.Outcome
	seq      tidemark.Seq // where the replica is afterwards
	schema   string       // at seq; "" when it stays
}

// advance seals, then does the job in the narrowest way that holds. A way that
// proves too narrow is undone and the next wider one taken.
func (r *Replica) advance(j *job) (*attempt, error) {
	if !planted.Is(planted.ApplyUnsealed) {
		if _, err := r.seal(); err != nil {
			return nil, err
		}
	}
	way := quick
	if j.schema != "" && j.schema != r.server.Hash {
		way = whole
	}
	for {
		a := r.newAttempt(way)
		a.job = j
		err := r.db.Savepoint("advance", a.run)
		var narrow *tooNarrow
		if errors.As(err, &narrow) && narrow.take > way {
			way = narrow.take
			continue
		}
		if err != nil {
			return nil, err
		}
		return a, a.touch()
	}
}

// touch counts up the tables whose rows changed, for other processes, and
// lists them.
func (a *attempt) touch() (err error) {
	a.out.Tables, err = countTouched(a.db, a.tables)
	return err
}

// countTouched counts tables up in _tm_touch and lists them in order.
func countTouched(db *lite.DB, tables map[int]bool) ([]int, error) {
	var ids []int
	for id := range tables {
		ids = append(ids, id)
	}
	sort.Ints(ids)
	for _, id := range ids {
		err := db.Run(`INSERT OR REPLACE INTO main._tm_touch (t, counter)
			VALUES (?1, 1 + coalesce((SELECT counter FROM main._tm_touch WHERE t = ?1), 0))`, tidemark.Int(int64(id)))
		if err != nil {
			return nil, err
		}
	}
	return ids, nil
}
