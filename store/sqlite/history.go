package sqlite

import (
	"encoding/binary"
	"sync"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/lite"
	"github.com/tidemarkdb/tidemark/internal/wire"
)

// History walks back through the log from a row's newest effect: each entry
// knows at which seq the rows that it changed were changed before.
func (v *view) History(table int, key []tidemark.Value, after tidemark.Seq, fn func(tidemark.RowEffect) bool) (bool, error) {
	t, err := v.table(table)
	if err != nil {
		return false, err
	}
	id := rowID{t.ID, t.KeyID(key)}
	seq, err := v.db.Int("SELECT seq FROM main._tm_row WHERE t = ?1 AND key = ?2", tidemark.Int(int64(t.ID)), tidemark.BlobString(id.key))
	if err != nil {
		return false, err
	}
	for at := tidemark.Seq(seq); at > after; {
		c, err := v.s.chronicle.chapter(v, at)
		if err != nil || c == nil {
			return false, err
		}
		effect, before, known := c.of(v.schema, id)
		if effect == nil {
			return false, nil
		}
		if !fn(tidemark.RowEffect{Seq: at, Name: c.name, Author: c.author, At: c.at, Change: *effect}) {
			return true, nil
		}
		if !known {
			return false, nil
		}
		at = before
	}
	return true, nil
}

// prevs is what an entry of the log knows of its rows' past: for each effect how
// many seqs ago its row was changed before, 0 for never.
type prevs []byte

func encodePrevs(seq tidemark.Seq, befores []tidemark.Seq) prevs {
	p := make(prevs, 0, 2*len(befores))
	for _, before := range befores {
		ago := seq - before
		if before <= 0 {
			ago = 0
		}
		p = binary.AppendUvarint(p, uint64(ago))
	}
	return p
}

// decode returns the seqs before, nil when the entry does not know them.
func (p prevs) decode(seq tidemark.Seq, effects int) []tidemark.Seq {
	befores := make([]tidemark.Seq, 0, effects)
	for range effects {
		ago, n := binary.Uvarint(p)
		if n <= 0 || ago > uint64(seq) {
			return nil
		}
		p = p[n:]
		before := seq - tidemark.Seq(ago)
		if ago == 0 {
			before = 0
		}
		befores = append(befores, before)
	}
	return befores
}

// chronicleSize bounds the entries that a chronicle keeps, by their encoded
// bytes. The last one stays whatever its size.
const chronicleSize = 4 << 20

// chronicle keeps entries of the log decoded: a replica that was away long asks
// for many rows of the same few.
type chronicle struct {
	mu       sync.Mutex
	chapters map[tidemark.Seq]*chapter
	order    []tidemark.Seq // oldest use of room first
	size     int
}

// chapter is a decoded entry. Nothing of it changes, but for the index.
type chapter struct {
	name    tidemark.Name
	author  string
	at      int64
	effects []tidemark.Change
	befores []tidemark.Seq // nil: not known
	lacking bool           // there are prevs, and they do not fit
	size    int

	once  sync.Once
	index map[rowID]int
}

// chapter returns an entry, nil when the log does not have it.
func (ch *chronicle) chapter(v *view, seq tidemark.Seq) (*chapter, error) {
	ch.mu.Lock()
	c := ch.chapters[seq]
	ch.mu.Unlock()
	if c != nil {
		return c, nil
	}
	c, err := readChapter(v.db, seq)
	if err != nil || c == nil {
		return nil, err
	}
	ch.keep(seq, c)
	return c, nil
}

func readChapter(db *lite.DB, seq tidemark.Seq) (c *chapter, err error) {
	err = db.Each("SELECT replica, n, hash, author, at, effects, prevs FROM main._tm_changeset WHERE seq = ?1", func(s *lite.Stmt) error {
		c = &chapter{name: tidemark.Name{Replica: s.Text(0), N: s.Int(1)}, author: s.Text(3), at: s.Int(4)}
		copy(c.name.Hash[:], s.Blob(2))
		body := s.Text(5)
		var err error
		if c.effects, err = wire.DecodeChanges([]byte(body)); err != nil {
			return err
		}
		c.size = len(body)
		c.befores = prevs(s.Blob(6)).decode(seq, len(c.effects))
		c.lacking = c.befores == nil && !s.Null(6)
		return nil
	}, tidemark.Int(int64(seq)))
	return c, err
}

func (ch *chronicle) keep(seq tidemark.Seq, c *chapter) {
	ch.mu.Lock()
	defer ch.mu.Unlock()
	if ch.chapters[seq] != nil {
		return
	}
	if ch.chapters == nil {
		ch.chapters = map[tidemark.Seq]*chapter{}
	}
	ch.chapters[seq] = c
	ch.order = append(ch.order, seq)
	for ch.size += c.size; ch.size > chronicleSize && len(ch.order) > 1; ch.order = ch.order[1:] {
		ch.size -= ch.chapters[ch.order[0]].size
		delete(ch.chapters, ch.order[0])
	}
}

// forget drops what was read behind seq, where a savepoint or a group was
// undone: other entries will stand there.
func (ch *chronicle) forget(behind tidemark.Seq) {
	ch.mu.Lock()
	defer ch.mu.Unlock()
	kept := ch.order[:0]
	for _, seq := range ch.order {
		if seq <= behind {
			kept = append(kept, seq)
			continue
		}
		ch.size -= ch.chapters[seq].size
		delete(ch.chapters, seq)
	}
	ch.order = kept
}

// of finds what the entry did to a row and at which seq the row was changed
// before. Of a row that occurs twice it is the second, a put of the whole row.
func (c *chapter) of(s *tidemark.Schema, id rowID) (effect *tidemark.Change, before tidemark.Seq, known bool) {
	c.once.Do(func() {
		c.index = make(map[rowID]int, len(c.effects))
		for i := range c.effects {
			if t := s.Table(c.effects[i].Table); t != nil {
				c.index[rowID{t.ID, t.KeyID(c.effects[i].Key)}] = i
			}
		}
	})
	i, ok := c.index[id]
	if !ok {
		return nil, 0, false
	}
	if c.befores == nil {
		return &c.effects[i], 0, false
	}
	return &c.effects[i], c.befores[i], true
}
