package replica

import (
	"sort"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/lite"
)

// concerned lists the pending changesets to be undone, in order, and their rows.
func (a *attempt) concerned() (ns []int64, ids []rowID, err error) {
	if a.way == whole {
		if ns, err = a.allPending(); err != nil {
			return nil, nil, err
		}
		ids, err = a.allBase()
		return ns, ids, err
	}
	seed, err := a.seed()
	if err != nil {
		return nil, nil, err
	}
	ns, rows, err := a.closure(seed)
	if err != nil {
		return nil, nil, err
	}
	ids = inOrder(rows)
	for _, id := range ids {
		if a.suspended[id.t] {
			return nil, nil, a.narrow(whole, "a suspended changeset may depend on it")
		}
	}
	return ns, ids, nil
}

func (a *attempt) allPending() (ns []int64, err error) {
	err = a.db.Each("SELECT n FROM main._tm_pending ORDER BY n", func(s *lite.Stmt) error {
		ns = append(ns, s.Int(0))
		return nil
	})
	return ns, err
}

func (a *attempt) allBase() (ids []rowID, err error) {
	err = a.db.Each("SELECT t, key FROM main._tm_base ORDER BY t, key", func(s *lite.Stmt) error {
		ids = append(ids, rowID{int(s.Int(0)), string(s.Blob(1))})
		return nil
	})
	return ids, err
}

// seed are the rows with pending that the job names.
func (a *attempt) seed() (map[rowID]bool, error) {
	seed := map[rowID]bool{}
	for id := range a.renamed {
		seed[id] = true
	}
	for _, s := range a.settle {
		if err := a.rowsOfPending(s.p.n, seed); err != nil {
			return nil, err
		}
	}
	for _, id := range a.job.leave {
		if err := a.sow(seed, id); err != nil {
			return nil, err
		}
	}
	if a.job.rows == nil {
		return seed, nil
	}
	err := a.job.rows(func(_ source, c *tidemark.Change) error {
		t := synced(a.r.schema, c.Table)
		if t == nil || !wellFormed(t, c) && !forgets(t, c) {
			return nil
		}
		return a.sow(seed, idOf(t, c.Key))
	})
	return seed, err
}

// sow adds a row if pending touches it.
func (a *attempt) sow(seed map[rowID]bool, id rowID) error {
	if !a.pending[id.t] {
		return nil
	}
	_, held, err := baseImage(a.db, id)
	if held {
		seed[id] = true
	}
	return err
}

func (a *attempt) rowsOfPending(n int64, into map[rowID]bool) error {
	return a.db.Each("SELECT t, key FROM main._tm_pending_row WHERE n = ?1", func(s *lite.Stmt) error {
		into[rowID{int(s.Int(0)), string(s.Blob(1))}] = true
		return nil
	}, tidemark.Int(n))
}

// closure follows rows to pending changesets and these to their rows, until
// nothing new is found.
func (a *attempt) closure(seed map[rowID]bool) (ns []int64, rows map[rowID]bool, err error) {
	rows = seed
	seen := map[int64]bool{}
	todo := inOrder(seed)
	for len(todo) > 0 {
		id := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		fresh, err := a.pendingOf(id, seen)
		if err != nil {
			return nil, nil, err
		}
		for _, n := range fresh {
			more := map[rowID]bool{}
			if err := a.rowsOfPending(n, more); err != nil {
				return nil, nil, err
			}
			for next := range more {
				if !rows[next] {
					rows[next] = true
					todo = append(todo, next)
				}
			}
		}
		ns = append(ns, fresh...)
	}
	sort.Slice(ns, func(i, j int) bool { return ns[i] < ns[j] })
	return ns, rows, nil
}

// pendingOf lists the pending changesets that touch a row and are not seen yet.
func (a *attempt) pendingOf(id rowID, seen map[int64]bool) (ns []int64, err error) {
	t, key := id.args()
	err = a.db.Each("SELECT n FROM main._tm_pending_row WHERE t = ?1 AND key = ?2", func(s *lite.Stmt) error {
		if n := s.Int(0); !seen[n] {
			seen[n] = true
			ns = append(ns, n)
		}
		return nil
	}, t, key)
	return ns, err
}
