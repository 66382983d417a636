package hub

import (
	"fmt"
	"maps"
	"reflect"
	"slices"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/wire"
)

// maxScopes bounds the scopes of one session, and what a replica may name.
const maxScopes = 10_000

// reach is what a session of a space with scopes may have, wants and has. Lists
// are sorted and shared: a change makes a new one.
type reach struct {
	only bool
	want map[string]int64 // priorities of the scopes that the replica named
	ask  int64            // what it called that

	granted []string // what the principal may read as of the last durable commit
	list    []string // those of granted that are wanted, as the replica was told
	ready   []string // those of list that the replica has whole at Session.at
	stale   bool     // granted is another than list was made from
	moved   bool     // granted is another than the shell was told
	unsure  bool     // granted was made for other claims, or of rows that nobody had sequenced

	rounds  [][]string            // the others of list, in the order in which they are filled
	floor   tidemark.Seq          // rounds begin here when this is not -1, see Fallback
	begin   tidemark.Seq          // of the catch-up under way
	place   *tidemark.ScopeCursor // how far it is; nil: none is under way
	touched map[string]bool       // ready scopes of which its chunks spoke
	resumed bool                  // it goes on from a cursor: nobody knows of what its chunks spoke
	lagging bool                  // something happened in a ready scope and was not sent

	filled []filled // rounds of which it is not known that the replica has them
	owed   bool     // Scopes must be said again
}

// filled is a round that was sent to its end.
type filled struct {
	begin  tidemark.Seq // what went up to here it did not bring
	at     tidemark.Seq
	scopes []string
}

// Granted lists the scopes that the session's principal may read, sorted; nil
// where none are declared. It must not be changed.
func (s *Session) Granted() (scopes []string, scoped bool) {
	if s.reach == nil {
		return nil, false
	}
	return s.reach.granted, true
}

// GrantsMoved reports whether Granted is another list than when it was last asked.
func (s *Session) GrantsMoved() bool {
	if s.reach == nil || !s.reach.moved {
		return false
	}
	s.reach.moved = false
	return true
}

// newReach takes what a Hello says of scopes.
func newReach(m *wire.Hello, granted, public []string) *reach {
	r := &reach{granted: granted, moved: true, floor: -1}
	r.wants(m.Only, m.Want, m.Ask)
	r.list = r.wanted(public)
	held := slices.Clone(m.Held)
	slices.Sort(held)
	r.ready = common(slices.Compact(held), r.list)
	r.restart(public)
	return r
}

func (r *reach) wants(only bool, list []wire.Want, ask int64) {
	r.only, r.want, r.ask = only, nil, ask
	if len(list) == 0 {
		return
	}
	r.want = make(map[string]int64, len(list))
	for _, w := range list {
		r.want[w.Scope] = w.Priority
	}
}

// wanted lists what is granted and wanted; what is public cannot be left out.
func (r *reach) wanted(public []string) []string {
	if !r.only {
		return r.granted
	}
	var list []string
	for _, scope := range r.granted {
		if _, ok := r.want[scope]; ok || has(public, scope) {
			list = append(list, scope)
		}
	}
	return list
}

// restart begins the catch-up anew, with the scopes that are not ready by now
// in rounds by their priority. What is public comes with the first of them at the
// latest, since rows of any scope may refer to it.
func (r *reach) restart(public []string) {
	r.lagging = r.lagging || r.place != nil
	r.place, r.touched, r.resumed, r.rounds = nil, nil, false, nil
	missing := without(r.list, r.ready)
	if len(missing) == 0 {
		r.ready = r.list // one list for both
		return
	}
	first := r.want[missing[0]]
	for _, scope := range missing {
		first = min(first, r.want[scope])
	}
	rounds := map[int64][]string{}
	for _, scope := range missing {
		priority := r.want[scope]
		if has(public, scope) {
			priority = first
		}
		rounds[priority] = append(rounds[priority], scope)
	}
	for _, priority := range slices.Sorted(maps.Keys(rounds)) {
		r.rounds = append(r.rounds, rounds[priority])
	}
}

// round lists the scopes that are being filled, or are next.
func (r *reach) round() []string {
	if len(r.rounds) == 0 {
		return nil
	}
	return r.rounds[0]
}

// behind reports whether there is something to send that is no live batch.
func (r *reach) behind() bool {
	return r.lagging || r.stale || r.unsure || r.owed || r.place != nil || len(r.rounds) > 0
}

// grant takes over what the principal may read now.
func (r *reach) grant(granted []string) {
	r.unsure = false
	if slices.Equal(granted, r.granted) {
		return
	}
	r.granted, r.stale, r.moved = granted, true, true
}

// rescope sets the session to what is granted and wanted now. It returns the
// message that says so, nil when nothing is other than the replica was told, or
// a refusal that ends the session.
func (s *Session) rescope() wire.Down {
	r := s.reach
	if !r.stale {
		return r.again()
	}
	r.stale = false
	list := r.wanted(s.hub.schema.Public)
	if slices.Equal(list, r.list) {
		return r.again()
	}
	if len(list) > maxScopes {
		s.End()
		return tooManyScopes(len(list))
	}
	s.hub.listeners.leave(s, without(r.ready, list))
	r.list, r.ready = list, common(r.ready, list)
	r.restart(s.hub.schema.Public)
	return r.said()
}

// again says Scopes once more where that is owed.
func (r *reach) again() wire.Down {
	if !r.owed {
		return nil
	}
	return r.said()
}

func (r *reach) said() wire.Down {
	r.owed = false
	return &wire.Scopes{List: r.list, Ask: r.ask}
}

func tooManyScopes(n int) *wire.Refusal {
	return fatal(tidemark.CodeTooLarge,
		fmt.Sprintf("there are %d scopes for this replica, a session has at most %d", n, maxScopes),
		"subscribe to some of them")
}

// subscribe changes what the session wants. It is always answered by Scopes.
func (s *Session) subscribe(m *wire.Subscribe) []wire.Down {
	r := s.reach
	switch {
	case r == nil:
		return s.refuse(badAsk(tidemark.CodeUsage, "this space declares no scopes to subscribe to"))
	case len(m.Want) > maxScopes:
		return s.refuse(badAsk(tidemark.CodeTooLarge, fmt.Sprintf("more than %d scopes at once", maxScopes)))
	}
	r.wants(m.Only, m.Want, m.Ask)
	r.stale, r.owed = true, true
	before := r.list
	down := s.rescope()
	if !s.over && slices.Equal(before, r.list) {
		r.restart(s.hub.schema.Public) // in the order of the new priorities; what is staged is void
	}
	return []wire.Down{down}
}

// anew reports whether a principal's grants must be evaluated anew for another token.
func (s *Session) anew(p tidemark.Principal) bool {
	return s.reach != nil && !reflect.DeepEqual(s.principal.Claims, p.Claims)
}

// prune forgets rounds that the replica has for sure. One that was filled at
// the very seq that it names may have come after the batch that it speaks of.
func (r *reach) prune(acked tidemark.Seq) {
	r.filled = slices.DeleteFunc(r.filled, func(f filled) bool { return f.at < acked })
	if len(r.filled) == 0 {
		r.filled = nil
	}
}

// fallback takes back what may be lost of what was sent behind acked: scopes
// that became whole since are filled again, from where the replica may have
// them, and what its scopes are is said again.
func (s *Session) fallback() {
	r := s.reach
	r.owed, r.lagging, r.place = true, true, nil
	floor := s.acked
	if len(r.filled) > 0 {
		var doubtful []string
		for _, f := range r.filled {
			doubtful, floor = append(doubtful, f.scopes...), min(floor, f.begin)
		}
		slices.Sort(doubtful)
		doubtful = common(r.ready, slices.Compact(doubtful))
		s.hub.listeners.leave(s, doubtful)
		r.ready, r.filled = without(r.ready, doubtful), nil
	}
	if r.floor < 0 || floor < r.floor {
		r.floor = floor
	}
	r.restart(s.hub.schema.Public)
}
