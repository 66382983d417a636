package replica

import (
	"fmt"
	"strings"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/lite"
	"github.com/tidemarkdb/tidemark/internal/meta"
	"github.com/tidemarkdb/tidemark/internal/planted"
	"github.com/tidemarkdb/tidemark/internal/wire"
)

// What leaves a copy must not stay in the bytes of its file. The engine's
// connection overwrites what it deletes; what is left to do is to empty the WAL,
// which keeps older states of pages, and, where a whole scope went, to merge
// full-text indexes. What an app's own connection overwrote earlier may be found
// until the file is vacuumed, unless its SQLite is set to overwrite, too.

// overwriteDeleted makes this connection overwrite what it deletes.
func (r *Replica) overwriteDeleted() error {
	if !r.server.Scoped() || planted.Is(planted.KeepBytes) {
		return nil
	}
	_, err := r.db.Text("PRAGMA main.secure_delete = ON")
	return err
}

// noteLeft counts the rows that left, forgets their past, and asks for the WAL
// to be emptied.
func (a *attempt) noteLeft() error {
	if len(a.left) == 0 {
		return nil
	}
	a.out.Left = map[int]int{}
	for id := range a.left {
		a.out.Left[id.t]++
	}
	for t, n := range a.out.Left {
		err := a.db.Run(`INSERT OR REPLACE INTO main._tm_left (t, n)
			VALUES (?1, ?2 + coalesce((SELECT n FROM main._tm_left WHERE t = ?1), 0))`, tidemark.Int(int64(t)), tidemark.Int(int64(n)))
		if err != nil {
			return err
		}
	}
	if err := a.forgetPast(); err != nil {
		return err
	}
	if a.job.leave != nil { // a whole scope: worth the work on indexes
		return scrubSoon(a.db, 2)
	}
	return scrubSoon(a.db, 1)
}

// scrubSoon has the WAL emptied behind the transaction under way, and with 2 indexes merged.
func scrubSoon(db *lite.DB, how int64) error {
	due, err := meta.Int(db, keyScrub)
	if err != nil || due >= how {
		return err
	}
	return meta.SetInt(db, keyScrub, how)
}

// voidStage drops chunks that are worth nothing any more. They may be of a scope
// that was lost.
func (r *Replica) voidStage() error {
	if err := clearStage(r.db); err != nil || r.db.Conn().Changes() == 0 || !r.server.Scoped() {
		return err
	}
	return scrubSoon(r.db, 1)
}

// forgetPast drops from the history what tells values of rows that left.
func (a *attempt) forgetPast() error {
	var drop []int64
	err := a.db.Each("SELECT id, body FROM main._tm_history WHERE body IS NOT NULL", func(s *lite.Stmt) error {
		changes, err := wire.DecodeChanges(s.Blob(1))
		if err != nil {
			return err
		}
		for i := range changes {
			t := a.r.schema.Table(changes[i].Table)
			if t == nil {
				continue
			}
			for _, id := range rowsOf(t, &changes[i]) {
				if a.left[id] {
					drop = append(drop, s.Int(0))
					return nil
				}
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	for _, id := range drop {
		if err := a.db.Run("DELETE FROM main._tm_history WHERE id = ?1", tidemark.Int(id)); err != nil {
			return err
		}
	}
	return nil
}

// scrubbed does work that rows may leave by, and empties the WAL behind them.
// What was done stands, also when that has to wait for another program or for
// room on the disk.
func (r *Replica) scrubbed(work func() (*Applied, error)) (*Applied, error) {
	out, err := r.withoutMirrors(work)
	if err != nil || !r.server.Scoped() {
		return out, err
	}
	if err := r.scrub(); err != nil && !lite.Environment(err) {
		return nil, failure("scrub", err)
	}
	return out, nil
}

// scrubIndexes merges the segments of full-text indexes, which keep the words of
// a row after it was taken out, with a mark. What cannot be merged here is left.
func (r *Replica) scrubIndexes() error {
	var names []string
	err := r.db.Each("SELECT name, sql FROM main.sqlite_master WHERE type = 'table' AND sql LIKE 'CREATE VIRTUAL TABLE%'", func(s *lite.Stmt) error {
		if strings.Contains(strings.ToLower(s.Text(1)), "using fts") {
			names = append(names, lite.Quote(s.Text(0)))
		}
		return nil
	})
	if err != nil {
		return err
	}
	for _, name := range names {
		err := r.db.Savepoint("merge", func() error {
			return r.db.Run("INSERT INTO main." + name + " (" + name + ") VALUES ('optimize')")
		})
		if lite.Environment(err) {
			return err
		}
	}
	return meta.SetInt(r.db, keyScrub, 1)
}

// scrub empties the WAL, if that is due. While other programs read it, it
// stays; then the next call tries again.
func (r *Replica) scrub() error {
	due, err := meta.Int(r.db, keyScrub)
	if err != nil || due == 0 {
		return err
	}
	if due == 2 {
		if err := r.transaction("scrub", 0, r.scrubIndexes); err != nil {
			return err
		}
	}
	// A program that reads for long must not hold the sync up.
	patience, err := r.db.Int("PRAGMA busy_timeout")
	if err != nil {
		return err
	}
	if _, err := r.db.Int("PRAGMA busy_timeout = 0"); err != nil {
		return err
	}
	done, err := r.db.Get("PRAGMA main.wal_checkpoint(TRUNCATE)")
	if _, perr := r.db.Int(fmt.Sprintf("PRAGMA busy_timeout = %d", patience)); err == nil {
		err = perr
	}
	if err != nil || done[0].Int64() != 0 {
		return err // the latter: somebody reads it
	}
	return meta.SetInt(r.db, keyScrub, 0)
}
