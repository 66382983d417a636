package hub

import (
	"context"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/wire"
)

// Behind reports whether Next has something to send: rows that the other side
// missed, or the answer to a question.
func (s *Session) Behind() bool {
	if s.replica == "" || s.over {
		return false
	}
	if s.reach != nil {
		return s.reach.behind() || len(s.asks) > 0
	}
	return s.at < s.hub.state.Head || len(s.asks) > 0
}

// Next returns the next catch-up chunk, or the answer to a question once the
// session is at head, or nil when there is nothing. It fails with
// tidemark.CodeBusy while other programs' changes wait to be sequenced: run a
// Group first.
func (s *Session) Next(ctx context.Context) ([]wire.Down, error) {
	if !s.Behind() {
		return nil, nil
	}
	var down []wire.Down
	err := s.hub.store.View(ctx, func(v tidemark.View) error {
		st, err := v.State()
		if err != nil {
			return err
		}
		if s.reach != nil {
			down, err = s.next(v, st)
			return err
		}
		if s.at < st.Head {
			down, err = s.chunk(v, st)
			return err
		}
		down, err = s.answer(v, st)
		return err
	})
	if err != nil {
		return nil, err
	}
	return down, nil
}

// Fallback marks the session as behind at the seq that it last acknowledged,
// because what was queued for it was dropped.
func (s *Session) Fallback() {
	s.at, s.place = s.acked, nil
	if s.reach != nil && !s.over {
		s.fallback()
	}
	delete(s.hub.leases.told, s.replica)
}

// chunk reads rows by the seq at which each last changed, from where the
// session is. A row that changes meanwhile moves to the end of that order and
// is sent again; so when the end is reached, the chunks together are the
// state at head.
func (s *Session) chunk(v tidemark.View, st tidemark.SpaceState) ([]wire.Down, error) {
	from := tidemark.Cursor{Seq: s.at}
	if s.place != nil {
		from = *s.place
	}
	b := &wire.Batch{From: s.at, To: st.Head, Term: st.Term, Schema: st.SchemaHash, Changes: []tidemark.Change{}}
	last, size := from, 0
	err := v.Since(from, func(at tidemark.Cursor, c tidemark.Change) bool {
		size += sizeOf(&c)
		if size > s.hub.opts.Chunk && len(b.Changes) > 0 {
			b.More = true
			return false
		}
		b.Changes, last = append(b.Changes, c), at
		return true
	})
	if err != nil {
		return nil, err
	}
	down, err := s.schemaAt(v, st)
	if err != nil {
		return nil, err
	}
	if b.More {
		b.Cursor, s.place = formatCursor(st.Term, last), &last
	} else {
		b.Sum, s.at, s.place = st.Sum, st.Head, nil
	}
	return append(append(down, s.leases()...), b), nil
}

// schemaAt brings the schema at head to a session that has another.
func (s *Session) schemaAt(v tidemark.View, st tidemark.SpaceState) ([]wire.Down, error) {
	if s.schema == st.SchemaHash {
		return nil, nil
	}
	m, err := schemaMessage(v, st.SchemaHash)
	if err != nil {
		return nil, err
	}
	s.schema = m.Hash
	return []wire.Down{m}, nil
}

// ofScopes reports whether a cursor is one of a space with scopes.
func ofScopes(cursor string) bool {
	_, is := parseStaged(cursor)
	return is
}

// sizeOf estimates the bytes of a change on the wire.
func sizeOf(c *tidemark.Change) int {
	n := 16 + 3*len(c.Cols)
	for _, v := range c.Key {
		n += v.Size()
	}
	for i, v := range c.New {
		if e := c.EditOf(i); e.Kind != tidemark.EditSet {
			n += len(e.Body) // which goes in place of the value
		} else {
			n += v.Size()
		}
	}
	return n
}

// formatCursor writes a place in the catch-up with the term in which it was
// reached, so that a server whose file went back can tell that it never was there.
func formatCursor(term string, c tidemark.Cursor) string {
	return fmt.Sprintf("%s.%d.%d.%s", term, c.Seq, c.Table, hex.EncodeToString([]byte(c.KeyID)))
}

func parseCursor(s string) (term string, c tidemark.Cursor, err error) {
	parts := strings.Split(s, ".")
	if len(parts) != 4 {
		return "", c, fmt.Errorf("a cursor has four parts, not %d", len(parts))
	}
	seq, err := strconv.ParseInt(parts[1], 10, 64)
	if err != nil || seq < 0 {
		return "", c, fmt.Errorf("a cursor's seq cannot be %q", parts[1])
	}
	table, err := strconv.ParseInt(parts[2], 10, 32)
	if err != nil {
		return "", c, fmt.Errorf("a cursor's table cannot be %q", parts[2])
	}
	key, err := hex.DecodeString(parts[3])
	if err != nil {
		return "", c, fmt.Errorf("a cursor's key cannot be %q", parts[3])
	}
	return parts[0], tidemark.Cursor{Seq: tidemark.Seq(seq), Table: int(table), KeyID: string(key)}, nil
}
