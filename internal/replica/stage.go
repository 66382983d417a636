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
	if !r.server.Scoped() || len(b.Parts) == 0 {
		return r.stagePart(b, 0, tidemark.Null, b.Raw, b.Changes)
	}
	for i := range b.Parts {
		p := &b.Parts[i]
		if err := r.stagePart(b, i, tidemark.Text(p.Scope), p.Raw, p.Changes); err != nil {
			return err
		}
	}
	return nil
}

func (r *Replica) stagePart(b *wire.Batch, part int, scope tidemark.Value, body []byte, changes []tidemark.Change) error {
	if body == nil {
		body = wire.AppendChanges(nil, changes, false)
	}
	return r.db.Run("INSERT INTO main._tm_stage (since, cursor, body, scope, part) VALUES (?1, ?2, ?3, ?4, ?5)",
		tidemark.Int(int64(b.From)), tidemark.Text(b.Cursor), tidemark.Blob(body), scope, tidemark.Int(int64(part)))
}

// stagedCursor is where the next chunk goes on, "" when none is kept for seq.
func stagedCursor(db *lite.DB, seq tidemark.Seq) (string, error) {
	return db.Text("SELECT cursor FROM main._tm_stage WHERE since = ?1 ORDER BY pos DESC LIMIT 1", tidemark.Int(int64(seq)))
}

func clearStage(db *lite.DB) error { return db.Run("DELETE FROM main._tm_stage") }

// eachStaged passes the changes of all chunks that start at seq, in order. It
// reads one chunk at a time.
func eachStaged(db *lite.DB, seq tidemark.Seq, fn taker) error {
	from := source{}
	pos := int64(0)
	if planted.Is(planted.SkipFirstStaged) {
		pos = 1
	}
	for {
		row, err := db.Get("SELECT pos, body, scope, part FROM main._tm_stage WHERE since = ?1 AND pos > ?2 ORDER BY pos LIMIT 1",
			tidemark.Int(int64(seq)), tidemark.Int(pos))
		if err != nil || row == nil {
			return err
		}
		pos = row[0].Int64()
		changes, err := wire.DecodeChanges(row[1].Bytes())
		if err != nil {
			return &tidemark.Error{Code: tidemark.CodeCorrupt, Err: err, Msg: "a staged chunk cannot be read"}
		}
		if from.scope = row[2].Str(); row[3].Int64() == 0 {
			from.message++
		}
		if err := each(from, changes, fn); err != nil {
			return err
		}
	}
}

// taker takes confirmed changes, one after another.
type taker func(from source, c *tidemark.Change) error

func each(from source, changes []tidemark.Change, fn taker) error {
	for i := range changes {
		if err := fn(from, &changes[i]); err != nil {
			return err
		}
	}
	return nil
}
