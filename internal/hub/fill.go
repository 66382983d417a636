package hub

import (
	"slices"
	"strings"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/wire"
)

// next is Next in a space with scopes.
func (s *Session) next(v tidemark.View, st tidemark.SpaceState) ([]wire.Down, error) {
	r := s.reach
	if r.unsure {
		granted, err := v.Granted(s.principal)
		if err != nil {
			return nil, err
		}
		r.grant(granted)
	}
	var down []wire.Down
	if m := s.rescope(); m != nil {
		if down = append(down, m); s.over {
			return down, nil
		}
	}
	var rest []wire.Down
	var err error
	switch {
	case len(s.asks) > 0 && s.live():
		rest, err = s.answerLive(v, st)
	case r.behind():
		rest, err = s.fill(v, st)
	}
	if err != nil {
		r.owed = r.owed || len(down) > 0
		return nil, err
	}
	return append(down, rest...), nil
}

// answerLive answers a question as of the head. What the session holds is the
// same there as where it is.
func (s *Session) answerLive(v tidemark.View, st tidemark.SpaceState) ([]wire.Down, error) {
	down, err := s.answer(v, st)
	if err != nil || s.at >= st.Head {
		return down, err
	}
	b := &wire.Batch{From: s.at, To: st.Head, Term: st.Term, Schema: st.SchemaHash}
	s.at = st.Head
	return append(append(s.leases(), b), down...), nil
}

// fill reads the next chunk: what the ready scopes miss from where the session
// is, and all of the scopes whose round it is. As with Session.chunk a row that
// changes meanwhile moves to the end and is sent again.
func (s *Session) fill(v tidemark.View, st tidemark.SpaceState) ([]wire.Down, error) {
	r := s.reach
	begin, after := r.begin, tidemark.ScopeCursor{}
	if r.place != nil {
		after = *r.place
	} else if begin = st.Head; r.floor >= 0 {
		begin = r.floor
	}
	k := chunk{limit: s.hub.opts.Chunk, known: s.at, last: after}
	if from := s.from(begin); len(from) > 0 {
		if err := v.Feed(after, from, k.take); err != nil {
			return nil, err
		}
	}
	b := &wire.Batch{From: s.at, To: st.Head, Term: st.Term, Schema: st.SchemaHash, More: k.more, Parts: k.parts}
	if !k.more {
		if err := s.complete(v, b); err != nil {
			return nil, err
		}
	}
	down, err := s.schemaAt(v, st)
	if err != nil {
		return nil, err
	}
	if r.begin = begin; k.more {
		s.goOn(b, k.last)
	} else {
		s.filled(st.Head)
	}
	return append(append(down, s.leases()...), b), nil
}

// from lists the session's scopes as Feed wants them.
func (s *Session) from(begin tidemark.Seq) []tidemark.ScopeFrom {
	ready, round := s.reach.ready, s.reach.round()
	out := make([]tidemark.ScopeFrom, 0, len(ready)+len(round))
	for len(ready)+len(round) > 0 {
		if len(round) == 0 || len(ready) > 0 && ready[0] < round[0] {
			out, ready = append(out, tidemark.ScopeFrom{Scope: ready[0], After: s.at}), ready[1:]
		} else {
			out, round = append(out, tidemark.ScopeFrom{Scope: round[0], After: -1, Gone: begin}), round[1:]
		}
	}
	return out
}

// chunk collects what Feed streams, by scope.
type chunk struct {
	limit, size int
	known       tidemark.Seq // where the ready scopes are
	parts       []wire.Part
	at          map[string]int // places in parts
	last        tidemark.ScopeCursor
	more        bool
	deaths      map[rowID][]place // rows that were deleted
}

func (k *chunk) take(at tidemark.ScopeCursor, c tidemark.Change) bool {
	if k.size += sizeOf(&c); k.size > k.limit && len(k.parts) > 0 {
		k.more = true
		return false
	}
	if c.Op == tidemark.Delete && at.Seq <= k.known {
		c.Op = tidemark.Forget // a ready scope may have the row again since
	}
	i, seen := k.at[at.Scope]
	if !seen {
		if k.at == nil {
			k.at = map[string]int{}
		}
		i = len(k.parts)
		k.at[at.Scope], k.parts = i, append(k.parts, wire.Part{Scope: at.Scope})
	}
	k.follow(rowID{at.Table, at.KeyID}, i, c.Op)
	k.parts[i].Changes = append(k.parts[i].Changes, c)
	k.last = at
	return true
}

// place is where a change stands in a chunk.
type place struct{ part, change int }

// follow turns the delete of a row that is there again, in another scope, into
// a forget: parts say in no order between them what came first.
func (k *chunk) follow(row rowID, part int, op tidemark.Op) {
	switch op {
	case tidemark.Delete:
		if k.deaths == nil {
			k.deaths = map[rowID][]place{}
		}
		k.deaths[row] = append(k.deaths[row], place{part, len(k.parts[part].Changes)})
	case tidemark.Insert:
		for _, p := range k.deaths[row] {
			k.parts[p.part].Changes[p.change].Op = tidemark.Forget
		}
	}
}

// complete gives the last chunk a part with its sum for every scope in which
// something happened and for those that are whole now.
func (s *Session) complete(v tidemark.View, b *wire.Batch) error {
	r := s.reach
	scopes := map[string]bool{}
	for scope := range r.touched {
		scopes[scope] = true
	}
	if r.resumed {
		for _, scope := range r.ready {
			scopes[scope] = true
		}
	}
	for _, scope := range r.round() {
		scopes[scope] = true
	}
	for i := range b.Parts {
		delete(scopes, b.Parts[i].Scope)
	}
	for scope := range scopes {
		b.Parts = append(b.Parts, wire.Part{Scope: scope})
	}
	slices.SortFunc(b.Parts, func(a, b wire.Part) int { return strings.Compare(a.Scope, b.Scope) })
	names := make([]string, len(b.Parts))
	for i := range b.Parts {
		names[i] = b.Parts[i].Scope
	}
	sums, err := v.ScopeSums(names)
	if err != nil {
		return err
	}
	for i := range sums {
		b.Parts[i].Sum = sums[i]
	}
	return nil
}

// goOn notes that a chunk was not the last.
func (s *Session) goOn(b *wire.Batch, last tidemark.ScopeCursor) {
	r := s.reach
	if r.touched == nil {
		r.touched = map[string]bool{}
	}
	for i := range b.Parts {
		r.touched[b.Parts[i].Scope] = true
	}
	r.place = &last
	b.Cursor = r.formatCursor(b.Term)
}

// filled notes that a chunk was the last: the scopes of the round are ready.
func (s *Session) filled(head tidemark.Seq) {
	r := s.reach
	s.at, r.lagging = head, false
	r.place, r.touched, r.resumed = nil, nil, false
	round := r.round()
	if len(round) == 0 {
		return
	}
	s.hub.listeners.join(s, round)
	r.filled = append(r.filled, filled{r.begin, head, round})
	if r.rounds = r.rounds[1:]; len(r.rounds) == 0 {
		r.rounds, r.floor, r.ready = nil, -1, r.list
		return
	}
	r.ready = joined(r.ready, round)
}

// greetScopes finds out which scopes the session has. void says that what the
// replica has staged must go.
func (s *Session) greetScopes(tx tidemark.Tx, m *wire.Hello) (r *reach, void bool, refusal *wire.Refusal, err error) {
	granted, err := tx.Granted(s.principal)
	if err != nil {
		return nil, false, nil, err
	}
	r = newReach(m, granted, tx.Schema().Public)
	if len(r.list) > maxScopes {
		return nil, false, tooManyScopes(len(r.list)), nil
	}
	if m.Staged == "" {
		return r, false, nil, nil
	}
	if !resync(m) {
		if ok, err := r.resume(s.hub, tx, m.Staged); ok || err != nil {
			return r, false, nil, err
		}
	}
	return r, true, nil, nil
}
