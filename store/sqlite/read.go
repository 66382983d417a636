package sqlite

import (
	"errors"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/lite"
	"github.com/tidemarkdb/tidemark/internal/meta"
)

// Reader reads the bookkeeping of a served file, with or without a server
// running on it. It takes nothing over and adopts nothing.
type Reader struct {
	Space       string
	Incarnation string
	Head        tidemark.Seq
	Schema      *tidemark.Schema
	Unsequenced bool // other programs wrote what the server has not sequenced yet

	db *lite.DB
}

// Read opens a served file for reading.
func Read(path string) (*Reader, error) {
	db, err := openServed(path, lite.Options{ReadOnly: true}, "read")
	if err != nil {
		return nil, err
	}
	r := &Reader{db: db}
	if err := db.View(r.load); err != nil {
		return nil, errors.Join(explainOpen(path, "read", err), db.Close())
	}
	return r, nil
}

func (r *Reader) load() (err error) {
	if r.Space, err = meta.Get(r.db, meta.KeySpace); err != nil {
		return err
	}
	if r.Incarnation, err = meta.Get(r.db, meta.KeyIncarnation); err != nil {
		return err
	}
	if r.Head, _, err = readPlace(r.db, "main"); err != nil {
		return err
	}
	hash, err := meta.Get(r.db, meta.KeySchema)
	if err != nil {
		return err
	}
	if r.Schema, err = readSchema(r.db, hash); err != nil {
		return err
	}
	err = sealed(r.db, "main")
	if r.Unsequenced = tidemark.CodeOf(err) == tidemark.CodeBusy; r.Unsequenced {
		return nil
	}
	return err
}

// Close closes the file.
func (r *Reader) Close() error { return r.db.Close() }

// Log calls fn for the newest changesets behind seq, at most limit (0: all), oldest first.
func (r *Reader) Log(after tidemark.Seq, limit int, fn func(tidemark.LogEntry) error) error {
	if limit > 0 {
		after = max(after, r.Head-tidemark.Seq(limit))
	}
	return (&view{db: r.db}).Log(after, 0, fn)
}

// Replicas lists the replicas that have ever said hello, the last one first.
func (r *Reader) Replicas() ([]tidemark.ReplicaState, error) {
	var list []tidemark.ReplicaState
	err := r.db.Each(`SELECT id, seq, contact, agent FROM main._tm_replica WHERE id <> ?1
		ORDER BY contact DESC, id`, func(s *lite.Stmt) error {
		list = append(list, tidemark.ReplicaState{ID: s.Text(0), Seq: tidemark.Seq(s.Int(1)), Contact: s.Int(2), Agent: s.Text(3)})
		return nil
	}, tidemark.Text(tidemark.FileReplica))
	return list, err
}

// DiscardRejected forgets a record that Rejected lists.
func DiscardRejected(path string, id int64) error {
	db, err := openServed(path, lite.Options{}, "discard")
	if err != nil {
		return err
	}
	err = db.Run("DELETE FROM main._tm_rejected WHERE id = ?1", tidemark.Int(id))
	return errors.Join(explainOpen(path, "discard", err), db.Close())
}
