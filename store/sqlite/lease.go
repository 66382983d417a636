package sqlite

import (
	"fmt"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/lite"
)

// maxID is the largest id that is given away: programs in languages without
// 64-bit integers hold every one up to there exactly.
const maxID = 1<<53 - 1

// Leases lists the blocks of ids that a replica holds.
func (v *view) Leases(replica string) ([]tidemark.Lease, error) {
	var list []tidemark.Lease
	err := v.db.Each("SELECT t, first, last FROM main._tm_lease WHERE replica = ?1 ORDER BY t", func(s *lite.Stmt) error {
		list = append(list, tidemark.Lease{Table: int(s.Int(0)), First: s.Int(1), Last: s.Int(2)})
		return nil
	}, tidemark.Text(replica))
	return list, err
}

// NextID returns an id above all that rows have, had or may get by a lease.
func (x *tx) NextID(table int) (int64, error) {
	t, err := x.integerKeyed(table)
	if err != nil {
		return 0, err
	}
	return x.firstFree(t, 1)
}

// Lease gives a replica a block of ids in place of the one it held. Programs
// that write into the served file are kept out of it by SQLite's own counter.
func (x *tx) Lease(replica string, table, size int) (tidemark.Lease, error) {
	t, err := x.integerKeyed(table)
	if err != nil {
		return tidemark.Lease{}, err
	}
	if size < 1 {
		return tidemark.Lease{}, &tidemark.Error{Code: tidemark.CodeInternal, Op: "lease", Table: t.Name, Msg: fmt.Sprintf("a block of %d ids", size)}
	}
	first, err := x.firstFree(t, int64(size))
	if err != nil {
		return tidemark.Lease{}, err
	}
	l := tidemark.Lease{Table: t.ID, First: first, Last: first + int64(size) - 1}
	err = x.db.Run("INSERT OR REPLACE INTO main._tm_lease (replica, t, first, last) VALUES (?1, ?2, ?3, ?4)",
		tidemark.Text(replica), tidemark.Int(int64(t.ID)), tidemark.Int(l.First), tidemark.Int(l.Last))
	if err == nil && t.Autoinc {
		err = x.countTo(t, l.Last)
	}
	return l, err
}

// countTo moves SQLite's counter of an AUTOINCREMENT table.
func (x *tx) countTo(t *tidemark.Table, last int64) error {
	if err := x.db.Run("DELETE FROM main.sqlite_sequence WHERE name = ?1", tidemark.Text(t.Name)); err != nil {
		return err
	}
	return x.db.Run("INSERT INTO main.sqlite_sequence (name, seq) VALUES (?1, ?2)", tidemark.Text(t.Name), tidemark.Int(last))
}

func (x *tx) integerKeyed(table int) (*tidemark.Table, error) {
	t, err := x.table(table)
	if err == nil && !t.RowidAlias {
		return nil, &tidemark.Error{Code: tidemark.CodeInternal, Op: "next id", Table: t.Name, Msg: "the table has no integer key"}
	}
	return t, err
}

// firstFree returns the first of so many ids above all that were used or given.
// No lease is ever deleted, only replaced by a higher one, so those that are
// there bound those that were.
func (x *tx) firstFree(t *tidemark.Table, size int64) (int64, error) {
	column := lite.Quote(t.Columns[t.Key[0]].Name)
	last, err := x.db.Int("SELECT max(coalesce((SELECT max("+column+") FROM main."+lite.Quote(t.Name)+"), 0), coalesce((SELECT max(last) FROM main._tm_lease WHERE t = ?1), 0), 0)",
		tidemark.Int(int64(t.ID)))
	if err != nil {
		return 0, err
	}
	if t.Autoinc {
		counted, err := x.db.Int("SELECT max(seq) FROM main.sqlite_sequence WHERE name = ?1", tidemark.Text(t.Name))
		if err != nil {
			return 0, err
		}
		last = max(last, counted)
	}
	if last > maxID-size {
		return 0, &tidemark.Error{
			Code: tidemark.CodeUnique, Op: "next id", Table: t.Name, Columns: []string{t.Columns[t.Key[0]].Name},
			Msg:  fmt.Sprintf("no integer key is free above %d in %s: new ones end at %d", last, t.Name, int64(maxID)),
			Hint: "declare on_insert: reject or merge for the table, or give the row with the highest key a lower one",
		}
	}
	return last + 1, nil
}
