package replica

import (
	"sort"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/planted"
)

// settlement is a pending changeset with its outcome.
type settlement struct {
	p *record
	o tidemark.Outcome
}

// match finds the pending changesets that the job's outcomes are about, in
// order. An outcome whose hash is another's settles nothing: it speaks of a
// changeset of another copy of this file. One that is settled already came twice.
func (a *attempt) match() error {
	seen := map[int64]bool{}
	for _, o := range a.job.outcomes {
		if seen[o.N] || o.Seq > a.job.seq && !planted.Is(planted.OutcomeEarly) {
			continue
		}
		p, err := loadPending(a.db, o.N)
		if err != nil {
			return err
		}
		if p == nil || p.hash != o.Hash && !planted.Is(planted.SettleAnyHash) {
			continue
		}
		seen[o.N] = true
		a.settle = append(a.settle, settlement{p, o})
	}
	sort.Slice(a.settle, func(i, j int) bool { return a.settle[i].p.n < a.settle[j].p.n })
	return nil
}

// settleAll takes settled changesets out of pending.
func (a *attempt) settleAll() error {
	for i := range a.settle {
		s := &a.settle[i]
		if s.o.Kind == tidemark.Rejected && !planted.Is(planted.DropRejected) {
			if err := a.r.saveRejected(s.p, &s.o); err != nil {
				return err
			}
			if err := a.r.forget(s.p.hash); err != nil {
				return err
			}
		}
		if len(s.o.Renumbered) > 0 {
			if err := a.r.renameHistory(s.o.Renumbered); err != nil {
				return err
			}
		}
		if err := removePending(a.db, s.p.n); err != nil {
			return err
		}
		if s.o.Kind == tidemark.Rejected && planted.Is(planted.DropRejectedBehind) {
			if err := removePending(a.db, s.p.n+1); err != nil {
				return err
			}
		}
		a.out.Settled = append(a.out.Settled, s.o)
	}
	return nil
}

// settled reports whether a changeset leaves pending in this job.
func (a *attempt) settled(n int64) bool {
	i := sort.Search(len(a.settle), func(i int) bool { return a.settle[i].p.n >= n })
	return i < len(a.settle) && a.settle[i].p.n == n
}
