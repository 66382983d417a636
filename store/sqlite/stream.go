package sqlite

import (
	"container/heap"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/lite"
)

// How many entries of a scope are read at once: few at first, since the reader may
// stop soon, and most scopes have little that is new.
const (
	firstPage = 4
	nextPage  = 64
)

// Feed merges the entries of scopes by seq and name, see tidemark.View.
func (v *view) Feed(after tidemark.ScopeCursor, from []tidemark.ScopeFrom, fn func(at tidemark.ScopeCursor, c tidemark.Change) bool) error {
	all, err := v.streams(after, from)
	if err != nil {
		return err
	}
	heap.Init(&all)
	for len(all) > 0 {
		s := all[0]
		e := s.page[0]
		if t := v.schema.Table(e.table); t != nil && t.Out == "" {
			c, err := v.stateIn(t, e.keyID, e.live)
			if err != nil {
				return err
			}
			if !fn(tidemark.ScopeCursor{Seq: e.seq, Scope: s.scope, Table: e.table, KeyID: e.keyID}, c) {
				return nil
			}
		}
		if err := s.next(v.db); err != nil {
			return err
		}
		if len(s.page) == 0 {
			heap.Pop(&all)
		} else {
			heap.Fix(&all, 0)
		}
	}
	return nil
}

// streams opens those scopes in which there is something.
func (v *view) streams(after tidemark.ScopeCursor, from []tidemark.ScopeFrom) (streams, error) {
	all := make(streams, 0, len(from))
	for i := range from {
		s, err := v.stream(after, &from[i])
		if err != nil {
			return nil, err
		}
		if s != nil && len(s.page) > 0 {
			all = append(all, s)
		}
	}
	return all, nil
}

// stream opens one scope where it goes on behind a cursor.
func (v *view) stream(after tidemark.ScopeCursor, from *tidemark.ScopeFrom) (*stream, error) {
	i, err := v.db.Int("SELECT i FROM main._tm_scope WHERE name = ?1", tidemark.Text(from.Scope))
	if err != nil || i == 0 {
		return nil, err
	}
	s := &stream{scope: from.Scope, i: i, gone: from.After, at: entry{seq: from.After, table: behindAll}}
	if from.After < 0 {
		s.gone = from.Gone
	}
	switch seq := after.Seq; {
	case after.Scope == "" || seq < from.After:
	case from.Scope < after.Scope && seq > from.After:
		s.at.seq = seq // what it has of this seq was there before
	case from.Scope == after.Scope && seq > from.After:
		s.at = entry{seq: seq, table: after.Table, keyID: after.KeyID}
	case from.Scope > after.Scope && seq-1 > from.After:
		s.at.seq = seq - 1
	}
	return s, s.read(v.db, firstPage)
}

// behindAll is a table behind all of a seq.
const behindAll = 1<<31 - 1

// stream reads the entries of one scope in order, by pages.
type stream struct {
	scope string
	i     int64
	gone  tidemark.Seq // rows that went up to here do not matter
	page  []entry
	at    entry // the last that was read
	ended bool
}

// entry is a row of _tm_feed.
type entry struct {
	seq   tidemark.Seq
	table int
	keyID string
	live  int64
}

func (s *stream) next(db *lite.DB) error {
	if s.page = s.page[1:]; len(s.page) > 0 || s.ended {
		return nil
	}
	return s.read(db, nextPage)
}

// read reads the next page.
func (s *stream) read(db *lite.DB, limit int) error {
	s.page = s.page[:0]
	err := db.Each(`SELECT seq, t, key, live FROM main._tm_feed WHERE s = ?1 AND (seq, t, key) > (?2, ?3, ?4)
		AND (live = 1 OR seq > ?5) ORDER BY seq, t, key`+limited(limit), func(st *lite.Stmt) error {
		s.page = append(s.page, entry{tidemark.Seq(st.Int(0)), int(st.Int(1)), string(st.Blob(2)), st.Int(3)})
		return nil
	}, tidemark.Int(s.i), tidemark.Int(int64(s.at.seq)), tidemark.Int(int64(s.at.table)), tidemark.BlobString(s.at.keyID),
		tidemark.Int(int64(s.gone)))
	if len(s.page) > 0 {
		s.at = s.page[len(s.page)-1]
	}
	s.ended = len(s.page) < limit
	return err
}

// streams are a heap by what comes next.
type streams []*stream

func (h streams) Len() int { return len(h) }
func (h streams) Less(i, j int) bool {
	a, b := h[i].page[0].seq, h[j].page[0].seq
	return a < b || a == b && h[i].scope < h[j].scope
}
func (h streams) Swap(i, j int) { h[i], h[j] = h[j], h[i] }

// Push and Pop implement heap.Interface.
func (h *streams) Push(s any) { *h = append(*h, s.(*stream)) }

// Pop takes the last one off.
func (h *streams) Pop() any {
	last := (*h)[len(*h)-1]
	*h = (*h)[:len(*h)-1]
	return last
}
