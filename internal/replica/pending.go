package replica

import (
	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/lite"
	"github.com/tidemarkdb/tidemark/internal/meta"
	"github.com/tidemarkdb/tidemark/internal/planted"
	"github.com/tidemarkdb/tidemark/internal/wire"
)

// Pending is a changeset without an outcome.
type Pending struct {
	N         int64             `json:"n"`
	MadeAt    int64             `json:"made_at"`
	Seen      tidemark.Seq      `json:"seen"`
	Suspended bool              `json:"suspended"`
	Cause     string            `json:"cause,omitempty"`
	Bytes     int               `json:"bytes"`
	Changes   []tidemark.Change `json:"-"`
}

// record is a pending changeset as it is stored.
type record struct {
	n         int64
	hash      tidemark.Hash
	schema    string
	madeAt    int64
	seen      tidemark.Seq
	suspended bool
	cause     string
	body      []byte
	view      []byte            // nil: like body
	raw       []tidemark.Change // as they are predicted to end; decoded when first needed
	changes   []tidemark.Change // the same as the tables follow them, index by index
}

const recordColumns = "n, hash, schema, made_at, seen, suspended, cause, body, view"

func readRecord(s *lite.Stmt) *record {
	p := &record{
		n: s.Int(0), schema: s.Text(2), madeAt: s.Int(3), seen: tidemark.Seq(s.Int(4)),
		suspended: s.Int(5) != 0, cause: s.Text(6), body: s.Blob(7),
	}
	if !s.Null(8) {
		p.view = s.Blob(8)
	}
	copy(p.hash[:], s.Blob(1))
	return p
}

func (p *record) public() Pending {
	return Pending{N: p.n, MadeAt: p.madeAt, Seen: p.seen, Suspended: p.suspended, Cause: p.cause,
		Bytes: len(p.body), Changes: p.changes}
}

func (p *record) decode() error {
	if p.changes != nil {
		return nil
	}
	body := p.body
	if p.view != nil {
		body = p.view
	}
	changes, err := wire.DecodeChanges(body)
	if err != nil {
		return &tidemark.Error{Code: tidemark.CodeCorrupt, Err: err, Msg: "a pending changeset cannot be read"}
	}
	p.raw, p.changes = changes, changes
	return nil
}

// made are the changes as their author made them, which is what is sent.
func (p *record) made() ([]tidemark.Change, error) {
	if p.view == nil {
		err := p.decode()
		return p.changes, err
	}
	changes, err := wire.DecodeChanges(p.body)
	if err != nil {
		return nil, &tidemark.Error{Code: tidemark.CodeCorrupt, Err: err, Msg: "a pending changeset cannot be read"}
	}
	return changes, nil
}

// setView stores how a pending changeset is now predicted to end: raw with
// columns and edits changed, index by index. What is sent of it stays.
func (a *attempt) setView(p *record, raw []tidemark.Change) error {
	p.raw, p.view = raw, wire.AppendChanges(nil, raw, false)
	return a.db.Run("UPDATE main._tm_pending SET view = ?1 WHERE n = ?2", tidemark.Blob(p.view), tidemark.Int(p.n))
}

// loadPending reads one pending changeset, or nil.
func loadPending(db *lite.DB, n int64) (*record, error) {
	var p *record
	err := db.Each("SELECT "+recordColumns+" FROM main._tm_pending WHERE n = ?1", func(s *lite.Stmt) error {
		p = readRecord(s)
		return nil
	}, tidemark.Int(n))
	return p, err
}

// Pending lists pending changesets in order; with changes only when asked.
func (r *Replica) Pending(changes bool) ([]Pending, error) {
	var list []Pending
	err := r.db.Each("SELECT "+recordColumns+" FROM main._tm_pending ORDER BY n", func(s *lite.Stmt) error {
		p := readRecord(s)
		public := p.public()
		if changes {
			var err error
			if public.Changes, err = p.made(); err != nil {
				return err
			}
			if public.Changes, _, err = r.renamed(public.Changes, p.n, p.seen); err != nil {
				return err
			}
		}
		list = append(list, public)
		return nil
	})
	if err != nil {
		return nil, failure("pending", err)
	}
	return list, nil
}

// Unsent returns pushes for the pending changesets behind n, in order, up to
// bytes, but at least one when there is one. What it returns is durable.
func (r *Replica) Unsent(after int64, bytes int) ([]*wire.Push, error) {
	const query = `SELECT n, salt, was_replica, was_n, was_hash, seen, schema, made_at, body
		FROM main._tm_pending WHERE n > ?1 ORDER BY n LIMIT 1`
	var list []*wire.Push
	for size := 0; size < bytes || len(list) == 0; {
		var p *wire.Push
		err := r.db.Each(query, func(s *lite.Stmt) error {
			p = readPush(s)
			return nil
		}, tidemark.Int(after))
		if err != nil {
			return nil, failure("push", err)
		}
		if p == nil || len(list) > 0 && size+len(p.Body) > bytes {
			break
		}
		list, after, size = append(list, p), p.N, size+len(p.Body)+1
	}
	return list, nil
}

func readPush(s *lite.Stmt) *wire.Push {
	p := &wire.Push{N: s.Int(0), Seen: tidemark.Seq(s.Int(5)), Schema: s.Text(6), MadeAt: s.Int(7), Body: s.Blob(8)}
	copy(p.Salt[:], s.Blob(1))
	if !s.Null(2) {
		p.Was = &tidemark.Name{Replica: s.Text(2), N: s.Int(3)}
		copy(p.Was.Hash[:], s.Blob(4))
	}
	return p
}

// sealed is a changeset about to become pending.
type sealed struct {
	salt    tidemark.Salt
	seen    tidemark.Seq
	madeAt  int64
	changes []tidemark.Change

	// Given when it is stored.
	n    int64
	hash tidemark.Hash
}

// appendPending stores a changeset behind all others.
func (r *Replica) appendPending(c *sealed) error {
	n, err := meta.Int(r.db, keyNext)
	if err != nil {
		return err
	}
	if planted.Is(planted.HalfChangeset) && len(c.changes) > 1 {
		c.changes = c.changes[:len(c.changes)-1]
	}
	body := wire.AppendChanges(nil, c.changes, false)
	c.n, c.hash = n, wire.HashOf(c.salt, body)
	err = r.db.Run(`INSERT INTO main._tm_pending (n, salt, hash, seen, schema, made_at, body) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)`,
		tidemark.Int(n), tidemark.Blob(c.salt[:]), tidemark.Blob(c.hash[:]), tidemark.Int(int64(c.seen)),
		tidemark.Text(r.server.Hash), tidemark.Int(c.madeAt), tidemark.Blob(body))
	if err != nil {
		return err
	}
	if err := r.indexPending(n, c.changes); err != nil {
		return err
	}
	if err := r.noteTexts(n, c.changes); err != nil {
		return err
	}
	if planted.Is(planted.ReuseNumber) && n%5 == 0 {
		return meta.SetInt(r.db, keyNext, max(1, n-4))
	}
	return meta.SetInt(r.db, keyNext, n+1)
}

// indexPending notes which rows a changeset touches.
func (r *Replica) indexPending(n int64, changes []tidemark.Change) error {
	for i := range changes {
		t := synced(r.schema, changes[i].Table)
		if t == nil {
			continue
		}
		for _, id := range rowsOf(t, &changes[i]) {
			table, key := id.args()
			err := r.db.Run("INSERT OR IGNORE INTO main._tm_pending_row (t, key, n) VALUES (?1, ?2, ?3)", table, key, tidemark.Int(n))
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// removePending forgets a changeset; the images of its rows stay.
func removePending(db *lite.DB, n int64) error {
	for _, table := range []string{"_tm_pending_row", "_tm_text", "_tm_taken"} {
		if err := db.Run("DELETE FROM main."+table+" WHERE n = ?1", tidemark.Int(n)); err != nil {
			return err
		}
	}
	return db.Run("DELETE FROM main._tm_pending WHERE n = ?1", tidemark.Int(n))
}
