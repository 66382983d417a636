package sqlite

import (
	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/lite"
)

// Renumberings and refused rows stay for good. Which of them still matter only
// the replica's next changesets tell, by what they had seen, and a copied file
// may come with older ones than the original sent last.

// Renumberings lists the rows of a replica that got other keys, oldest first.
func (v *view) Renumberings(replica string) ([]tidemark.Renumbered, error) {
	var list []tidemark.Renumbered
	err := v.db.Each(`SELECT tbl, was, id, before FROM main._tm_renumbered WHERE replica = ?1 ORDER BY i`, func(s *lite.Stmt) error {
		list = append(list, tidemark.Renumbered{Table: s.Text(0), From: s.Int(1), To: s.Int(2), Before: tidemark.Seq(s.Int(3))})
		return nil
	}, tidemark.Text(replica))
	return list, err
}

// SaveRenumbering keeps that a row of a replica has another key than it gave.
// Nobody gets that key a second time, also when the row is gone: a lease of no
// replica that ends there makes sure.
func (x *tx) SaveRenumbering(replica string, r tidemark.Renumbered) error {
	if t := x.schema.Named(r.Table); t != nil {
		err := x.db.Run(`INSERT OR REPLACE INTO main._tm_lease (replica, t, first, last)
			VALUES ('', ?1, ?2, max(?2, coalesce((SELECT last FROM main._tm_lease WHERE replica = '' AND t = ?1), 0)))`,
			tidemark.Int(int64(t.ID)), tidemark.Int(r.To))
		if err != nil {
			return err
		}
	}
	return x.db.Run(`INSERT INTO main._tm_renumbered (replica, i, tbl, was, id, before)
		VALUES (?1, (SELECT coalesce(max(i), 0) + 1 FROM main._tm_renumbered WHERE replica = ?1), ?2, ?3, ?4, ?5)`,
		tidemark.Text(replica), tidemark.Text(r.Table), tidemark.Int(r.From), tidemark.Int(r.To), tidemark.Int(int64(r.Before)))
}

// Refused returns which rejected changeset of a replica would have inserted a row.
func (v *view) Refused(replica string, table int, key []tidemark.Value) (int64, error) {
	args, err := v.cell(table, key, 0)
	if err != nil {
		return 0, err
	}
	return v.db.Int("SELECT n FROM main._tm_refused WHERE replica = ?3 AND t = ?1 AND key = ?2", args[0], args[1], tidemark.Text(replica))
}

// SaveRefused notes a row that a rejected changeset would have inserted.
func (x *tx) SaveRefused(replica string, n int64, table int, key []tidemark.Value) error {
	args, err := x.cell(table, key, 0)
	if err != nil {
		return err
	}
	return x.db.Run("INSERT OR REPLACE INTO main._tm_refused (replica, t, key, n) VALUES (?1, ?2, ?3, ?4)",
		tidemark.Text(replica), args[0], args[1], tidemark.Int(n))
}
