package replica

import (
	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/lite"
	"github.com/tidemarkdb/tidemark/internal/planted"
	"github.com/tidemarkdb/tidemark/internal/wire"
)

// stage keeps a chunk of a catch-up until the last one has come. Chunks of
// another starting point are worth nothing any more. A chunk that comes twice
// does no harm: it says of each row what it is, and the later word counts.
func (r *Replica) stage(b *wire.Batch) error {
	if err := r.db.Run("DELETE FROM main._tm_stage WHERE since <> ?1", tidemark.Int(int64(b.From))); err != nil {
		return err
	}
	body := b.Raw
	if body == nil {
		body = wire.AppendChanges(nil, b.Changes, false)
	}
	return r.db.Run("INSERT INTO main._tm_stage (since, cursor, body) VALUES (?1, ?2, ?3)",
		tidemark.Int(int64(b.From)), tidemark.Text(b.Cursor), tidemark.Blob(body))
}

// stagedCursor is where the next chunk goes on, "" when none is kept for seq.
func stagedCursor(db *lite.DB, seq tidemark.Seq) (string, error) {
	return db.Text("SELECT cursor FROM main._tm_stage WHERE since = ?1 ORDER BY pos DESC LIMIT 1", tidemark.Int(int64(seq)))
}

func clearStage(db *lite.DB) error { return db.Run("DELETE FROM main._tm_stage") }

// eachStaged passes the changes of all chunks that start at seq, in order. It
// reads one chunk at a time.
func eachStaged(db *lite.DB, seq tidemark.Seq, fn func(*tidemark.Change) error) error {
	pos := int64(0)
	if planted.Is(planted.SkipFirstStaged) {
		pos = 1
	}
	for {
		row, err := db.Get("SELECT pos, body FROM main._tm_stage WHERE since = ?1 AND pos > ?2 ORDER BY pos LIMIT 1",
			tidemark.Int(int64(seq)), tidemark.Int(pos))
		if err != nil || row == nil {
			return err
		}
		pos = row[0].Int64()
		changes, err := wire.DecodeChanges(row[1].Bytes())
		if err != nil {
			return &tidemark.Error{Code: tidemark.CodeCorrupt, Err: err, Msg: "a staged chunk cannot be read"}
		}
		if err := each(changes, fn); err != nil {
			return err
		}
	}
}

func each(changes []tidemark.Change, fn func(*tidemark.Change) error) error {
	for i := range changes {
		if err := fn(&changes[i]); err != nil {
			return err
		}
	}
	return nil
}
