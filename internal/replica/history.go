package replica

import (
	"encoding/binary"
	"slices"

	"github.com/cespare/xxhash/v2"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/lite"
	"github.com/tidemarkdb/tidemark/internal/splice"
	"github.com/tidemarkdb/tidemark/internal/wire"
)

// The history keeps, for undo, what the newest changesets of this copy did:
// values before and after, of texts the patch and hashes of both ends. It is a
// stack; what was undone lies on top of it, until something new is done.
const historyBookkeeping = `
CREATE TABLE main._tm_history (id INTEGER PRIMARY KEY, n INTEGER NOT NULL, hash BLOB NOT NULL, seen INTEGER NOT NULL,
  undone INTEGER NOT NULL, size INTEGER NOT NULL, body BLOB, texts BLOB);
`

// Limits of the history.
const (
	historyLength = 100
	historyBytes  = 8 << 20
	historyEntry  = 1 << 20 // a larger changeset is noted, not kept
	historyLarge  = 64 << 10
)

// memory is an entry of the history. changes hold New and Old; the edits of
// texts, and only these, stand as patches with what they delete.
type memory struct {
	id, n   int64
	hash    tidemark.Hash
	seen    tidemark.Seq
	size    int64
	changes []tidemark.Change // nil: too large to be kept
	texts   []textEnds        // of the texts in changes, in order
}

// textEnds are the hashes of a text before and after an edit.
type textEnds struct{ before, after uint64 }

// remember puts a sealed changeset on the history. What was undone before it
// cannot be redone any more.
func (r *Replica) remember(c *sealed) error {
	top, err := r.db.Get("SELECT id, undone FROM main._tm_history ORDER BY id DESC LIMIT 1")
	if err != nil {
		return err
	}
	id := int64(1)
	if top != nil {
		id = top[0].Int64() + 1
	}
	if top != nil && top[1].Int64() != 0 {
		if err := r.db.Run("DELETE FROM main._tm_history WHERE undone = 1"); err != nil {
			return err
		}
	}
	m := memory{id: id, n: c.n, hash: c.hash, seen: c.seen}
	m.take(c.changes)
	if err := m.store(r.db, false); err != nil {
		return err
	}
	return r.prune(&m)
}

// take makes the memory of changes that have their before-images.
func (m *memory) take(changes []tidemark.Change) {
	m.changes, m.texts, m.size = make([]tidemark.Change, 0, len(changes)), nil, 0
	for i := range changes {
		if m.add(changes[i]); m.size > historyEntry {
			m.changes, m.texts = nil, nil
			return
		}
	}
}

// add takes one change. Only a text's difference is kept: the text itself may
// be a large document, edited at each key press.
func (m *memory) add(c tidemark.Change) {
	edits := c.Edits
	c.Edits, c.MadeAt = nil, 0
	for i := range max(len(c.New), len(c.Old)) {
		if i < len(edits) && edits[i].Kind == tidemark.EditText {
			if e, err := splice.ParseEdit(edits[i].Body); err == nil {
				if p, err := e.Patch.Fill(c.Old[i].Str()); err == nil {
					if c.Edits == nil {
						c.Edits = make([]tidemark.Edit, len(c.Cols))
					}
					c.Edits[i] = tidemark.Edit{Kind: tidemark.EditText, Body: p.Body(true)}
					m.texts = append(m.texts, textEnds{xxhash.Sum64String(c.Old[i].Str()), xxhash.Sum64String(c.New[i].Str())})
					m.size += int64(len(c.Edits[i].Body))
					continue
				}
			}
		}
		if i < len(c.New) {
			m.size += int64(c.New[i].Size())
		}
		if i < len(c.Old) {
			m.size += int64(c.Old[i].Size())
		}
	}
	m.size += 16
	m.changes = append(m.changes, c)
}

func (m *memory) store(db *lite.DB, undone bool) error {
	body, texts, flag := tidemark.Null, tidemark.Null, int64(0)
	if m.changes != nil {
		body = tidemark.Blob(wire.AppendChanges(nil, m.changes, true))
	}
	if len(m.texts) > 0 {
		var b []byte
		for _, e := range m.texts {
			b = binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(b, e.before), e.after)
		}
		texts = tidemark.Blob(b)
	}
	if undone {
		flag = 1
	}
	return db.Run("INSERT OR REPLACE INTO main._tm_history (id, n, hash, seen, undone, size, body, texts) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
		tidemark.Int(m.id), tidemark.Int(m.n), tidemark.Blob(m.hash[:]), tidemark.Int(int64(m.seen)), tidemark.Int(flag),
		tidemark.Int(m.size), body, texts)
}

// prune keeps the history within its limits.
func (r *Replica) prune(newest *memory) error {
	err := r.db.Run("DELETE FROM main._tm_history WHERE id <= ?1", tidemark.Int(newest.id-historyLength))
	if err != nil || newest.size < historyLarge && newest.id%16 != 0 {
		return err
	}
	sum, cut := int64(0), int64(0)
	err = r.db.Each("SELECT id, size FROM main._tm_history WHERE body IS NOT NULL ORDER BY id DESC", func(s *lite.Stmt) error {
		if sum += s.Int(1); sum > historyBytes {
			cut = max(cut, s.Int(0))
		}
		return nil
	})
	if err != nil || cut == 0 {
		return err
	}
	return r.db.Run("DELETE FROM main._tm_history WHERE id <= ?1", tidemark.Int(cut))
}

// recall reads an entry of the history, or nil.
func (r *Replica) recall(which string) (*memory, error) {
	var m *memory
	err := r.db.Each("SELECT id, n, hash, seen, size, body, texts FROM main._tm_history "+which, func(s *lite.Stmt) error {
		var err error
		m, err = readMemory(s)
		return err
	})
	return m, err
}

func readMemory(s *lite.Stmt) (*memory, error) {
	m := &memory{id: s.Int(0), n: s.Int(1), seen: tidemark.Seq(s.Int(3)), size: s.Int(4)}
	copy(m.hash[:], s.Blob(2))
	if s.Null(5) {
		return m, nil
	}
	var err error
	if m.changes, err = wire.DecodeChanges(s.Blob(5)); err != nil {
		return nil, &tidemark.Error{Code: tidemark.CodeCorrupt, Err: err, Msg: "the history for undo cannot be read"}
	}
	if !s.Null(6) {
		for b := s.Blob(6); len(b) >= 16; b = b[16:] {
			m.texts = append(m.texts, textEnds{binary.BigEndian.Uint64(b), binary.BigEndian.Uint64(b[8:])})
		}
	}
	return m, nil
}

// forget takes a changeset that did not come to stand out of the history.
func (r *Replica) forget(hash tidemark.Hash) error {
	return r.db.Run("DELETE FROM main._tm_history WHERE hash = ?1", tidemark.Blob(hash[:]))
}

// renameHistory calls rows in the history by the ids that they got.
func (r *Replica) renameHistory(list []tidemark.Renumbered) error {
	var all []*memory
	err := r.db.Each("SELECT id, n, hash, seen, size, body, texts FROM main._tm_history WHERE body IS NOT NULL ORDER BY id", func(s *lite.Stmt) error {
		m, err := readMemory(s)
		all = append(all, m)
		return err
	})
	if err != nil {
		return err
	}
	for _, m := range all {
		to := func(of *tidemark.Table, id int64) (int64, bool) {
			for i := len(list) - 1; i >= 0; i-- {
				if n := &list[i]; n.From == id && m.seen < n.Before && r.schema.Named(n.Table) == of {
					return n.To, true
				}
			}
			return 0, false
		}
		after, changed := r.idColumns().Rename(m.changes, to)
		before, more := r.idColumns().Rename(before(m.changes), to)
		if !changed && !more {
			continue
		}
		for i := range before {
			after[i].Old = before[i].New
		}
		body := tidemark.Blob(wire.AppendChanges(nil, after, true))
		if err := r.db.Run("UPDATE main._tm_history SET body = ?1 WHERE id = ?2", body, tidemark.Int(m.id)); err != nil {
			return err
		}
	}
	return nil
}

// before are changes whose new values are the old ones.
func before(changes []tidemark.Change) []tidemark.Change {
	out := slices.Clone(changes)
	for i := range out {
		if out[i].Op == tidemark.Delete {
			out[i].Op = tidemark.Insert
		}
		out[i].New, out[i].Old = out[i].Old, nil
	}
	return out
}
