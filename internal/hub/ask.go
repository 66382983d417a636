package hub

import (
	"fmt"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/wire"
)

// Bounds on questions.
const (
	maxAsks   = 64   // waiting in one session
	maxBounds = 4096 // ranges of one AskRanges
	maxRows   = 5000 // rows of one answer
)

// ask queues a question. It is answered when everything up to head was sent,
// so that the replica compares equal states.
func (s *Session) ask(m wire.Up) []wire.Down {
	if len(s.asks) >= maxAsks {
		return s.refuse(badAsk(tidemark.CodeTooLarge, fmt.Sprintf("more than %d questions at once", maxAsks)))
	}
	s.asks = append(s.asks, m)
	return nil
}

// answer answers the oldest question as of the head.
func (s *Session) answer(v tidemark.View, st tidemark.SpaceState) ([]wire.Down, error) {
	if len(s.asks) == 0 {
		return nil, nil
	}
	var m wire.Down
	var err error
	switch ask := s.asks[0].(type) {
	case *wire.AskRanges:
		m, err = s.ranges(v, st, ask)
	case *wire.AskRows:
		m, err = s.rows(v, st, ask)
	}
	if err != nil {
		return nil, err
	}
	s.asks = s.asks[1:]
	return []wire.Down{m}, nil
}

func (s *Session) ranges(v tidemark.View, st tidemark.SpaceState, m *wire.AskRanges) (wire.Down, error) {
	t, r := asked(v, m.Table, append([][]tidemark.Value{m.After, m.Upto}, m.Bounds...))
	if r == nil && len(m.Bounds) > maxBounds {
		r = badAsk(tidemark.CodeTooLarge, fmt.Sprintf("more than %d bounds", maxBounds))
	}
	if r != nil {
		return r, nil
	}
	list, err := v.Ranges(s.scopes(), t.ID, m.After, m.Upto, m.Bounds)
	return &wire.Ranges{ID: m.ID, Seq: st.Head, List: list}, err
}

func (s *Session) rows(v tidemark.View, st tidemark.SpaceState, m *wire.AskRows) (wire.Down, error) {
	t, r := asked(v, m.Table, [][]tidemark.Value{m.After, m.Upto})
	if r != nil {
		return r, nil
	}
	limit := m.Limit
	if limit <= 0 || limit > maxRows {
		limit = maxRows
	}
	list, more, err := v.Rows(s.scopes(), t.ID, m.After, m.Upto, limit)
	if err != nil {
		return nil, err
	}
	cut := s.hub.fitting(list)
	out := &wire.Rows{ID: m.ID, Seq: st.Head, More: more || cut < len(list), List: list[:cut]}
	if s.reach != nil {
		out.Scopes, err = s.scopesOf(v, t, out.List)
	}
	return out, err
}

// scopes lists those whose rows questions are about, nil for all rows.
func (s *Session) scopes() []string {
	if s.reach == nil {
		return nil
	}
	if s.reach.ready == nil {
		return []string{}
	}
	return s.reach.ready
}

// scopesOf tells which of the session's ready scopes each row is in.
func (s *Session) scopesOf(v tidemark.View, t *tidemark.Table, rows [][]tidemark.Value) ([][]string, error) {
	out := make([][]string, len(rows))
	for i, row := range rows {
		scopes, err := v.ScopesOf(t.ID, t.KeyOf(row))
		if err != nil {
			return nil, err
		}
		for _, in := range scopes {
			if in.Live && has(s.reach.ready, in.Scope) {
				out[i] = append(out[i], in.Scope)
			}
		}
	}
	return out, nil
}

// fitting counts the rows that go into one message: at least one.
func (h *Hub) fitting(rows [][]tidemark.Value) int {
	size := 0
	for i, row := range rows {
		for _, v := range row {
			size += v.Size()
		}
		if size > h.opts.Chunk && i > 0 {
			return i
		}
	}
	return len(rows)
}

// asked finds the table of a question and checks its keys.
func asked(v tidemark.View, id int, keys [][]tidemark.Value) (*tidemark.Table, *wire.Refusal) {
	t := v.Schema().Table(id)
	if t == nil || t.Out != "" {
		return nil, badAsk(tidemark.CodeSchema, fmt.Sprintf("table %d does not sync", id))
	}
	for _, key := range keys {
		if key != nil && len(key) != len(t.Key) {
			return nil, badAsk(tidemark.CodeProtocol, fmt.Sprintf("a key of %s has %d values, not %d", t.Name, len(t.Key), len(key)))
		}
	}
	return t, nil
}

func badAsk(code tidemark.Code, message string) *wire.Refusal {
	return &wire.Refusal{Code: code, Message: message}
}
