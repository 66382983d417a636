package replica

import (
	"cmp"
	"slices"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/lite"
	"github.com/tidemarkdb/tidemark/internal/wire"
)

// Lease takes over the blocks of ids that the server gave this replica, in
// place of those that it had, and lets each AUTOINCREMENT table go on in its block.
func (r *Replica) Lease(m *wire.Leases, now int64) error {
	held, err := r.leases()
	if err != nil {
		return failure("lease", err)
	}
	list := slices.SortedFunc(slices.Values(m.List), func(a, b tidemark.Lease) int { return cmp.Compare(a.Table, b.Table) })
	if slices.Equal(held, list) {
		return nil // every round trip over plain HTTP tells them anew
	}
	return r.transaction("lease", now, func() error {
		if err := r.db.Run("DELETE FROM main._tm_lease"); err != nil {
			return err
		}
		for _, l := range list {
			err := r.db.Run("INSERT OR REPLACE INTO main._tm_lease (t, first, last) VALUES (?1, ?2, ?3)",
				tidemark.Int(int64(l.Table)), tidemark.Int(l.First), tidemark.Int(l.Last))
			if err != nil {
				return err
			}
		}
		return r.countInBlocks()
	})
}

// leases lists the blocks that this replica holds, by table.
func (r *Replica) leases() (list []tidemark.Lease, err error) {
	err = r.db.Each("SELECT t, first, last FROM main._tm_lease ORDER BY t", func(s *lite.Stmt) error {
		list = append(list, tidemark.Lease{Table: int(s.Int(0)), First: s.Int(1), Last: s.Int(2)})
		return nil
	})
	return list, err
}

// countInBlocks moves SQLite's counters up to where the blocks begin. One that
// is beyond its block stays: the ids up to there were used, and the server
// gives another block when it hears of them.
func (r *Replica) countInBlocks() error {
	list, err := r.leases()
	if err != nil {
		return err
	}
	for _, l := range list {
		t := synced(r.schema, l.Table)
		if t == nil || !t.Autoinc {
			continue
		}
		if err := r.countFrom(t, l.First-1); err != nil {
			return err
		}
	}
	return nil
}

func (r *Replica) countFrom(t *tidemark.Table, last int64) error {
	name := tidemark.Text(t.Name)
	counted, err := r.db.Get("SELECT max(seq) FROM main.sqlite_sequence WHERE name = ?1 COLLATE NOCASE", name)
	if err != nil || !counted[0].IsNull() && counted[0].Int64() >= last {
		return err
	}
	// The counter has no key: there may be none, or, where somebody wrote it, several.
	if err := r.db.Run("DELETE FROM main.sqlite_sequence WHERE name = ?1 COLLATE NOCASE", name); err != nil {
		return err
	}
	return r.db.Run("INSERT INTO main.sqlite_sequence (name, seq) VALUES ((SELECT name FROM main.sqlite_master WHERE type = 'table' AND name = ?1 COLLATE NOCASE), ?2)",
		name, tidemark.Int(last))
}
