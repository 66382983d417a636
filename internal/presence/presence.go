// Package presence keeps who is present in the scopes of one space, in memory
// and nowhere else: who joined with which state, who is to be told of it, who
// is gone because nothing was heard of him.
//
// A shell makes a Listener for each connection, admits it when its replica was
// welcomed, hands Receive what it says and End its end. It calls Tick when Due
// says so, and Next for each listener that has room, as often as there is
// something.
//
// What is told is written once for all listeners of a scope. A listener takes
// it at its own pace from a log that all share; one that is so slow that the
// log has moved on is told of everyone anew. So a listener costs a few words,
// however slow it is, and a scope at most its states twice and a log.
//
// Caveats. Nothing here locks: the shell sees to it that one goroutine at a
// time is in a Hall and its listeners. Times are milliseconds of any one clock.
package presence

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/wire"
)

// All is the one scope of a space that declares none.
const All = "all"

// Times, milliseconds.
const (
	Silence = 30_000 // a listener of which nothing was heard for so long is gone
	Grace   = 10_000 // how long one stays whose connection was lost
	Pause   = 33     // at least between two tellings of a scope
	longest = 2_000  // at most, however many listen
	sweep   = 1_000  // between two looks for who is gone
)

// Bounds beside those of package wire.
const (
	maxParts  = 64        // of one listener
	chunk     = 64 << 10  // bytes of one message, about
	maxLog    = 1 << 20   // bytes that the log of a scope keeps
	maxUntold = 256 << 10 // bytes of casts that wait to be told in a scope
	perSecond = 32 << 20  // bytes that a scope's tellings should cost all listeners together
)

// Rates of one listener, per second; twice of it may come at once.
const (
	stateRate = 200
	castRate  = 20
	byteRate  = 128 << 10
	penalty   = 20 // milliseconds that something declined costs
)

// Limits of a Hall.
type Limits struct {
	Peers int // of one scope; default 1000, negative: nobody can be present
}

// Hall is all of one space.
type Hall struct {
	limits Limits
	rooms  map[string]*room // by scope, those in which somebody is
	size   int              // peers in all of them
}

// New makes an empty one.
func New(l Limits) *Hall {
	if l.Peers == 0 {
		l.Peers = 1000
	}
	return &Hall{limits: l, rooms: map[string]*room{}}
}

// Peers returns how many peers there are in all scopes.
func (h *Hall) Peers() int { return h.size }

// Listener is one connection.
type Listener struct {
	Tag any // the shell's own

	id, principal string // "" until it was admitted
	scoped        bool
	granted       []string // the scopes in which it may be present, sorted
	heard         int64
	seats         map[string]*seat // by scope
	parts         int
	states        bucket
	casts, bytes  bucket
}

// Admit notes whom the listener speaks for. One that spoke for another replica
// before leaves as that one.
func (h *Hall) Admit(now int64, l *Listener, id, principal string) {
	if l.id != id || l.principal != principal {
		h.End(now, l, true)
	}
	l.id, l.principal, l.heard = id, principal, now
}

// Grant says in which scopes the listener may be present, sorted; where none are
// declared, in All. It leaves the others at once: out is what it is to be told.
// The list is kept, and must not be changed.
func (h *Hall) Grant(l *Listener, scopes []string, scoped bool) (out []*wire.Declined) {
	l.granted, l.scoped = scopes, scoped
	for _, scope := range slices.Sorted(maps.Keys(l.seats)) {
		if l.may(scope) {
			continue
		}
		for _, part := range slices.Sorted(maps.Keys(l.seats[scope].parts)) {
			h.leave(l, scope, part)
			out = append(out, notGranted(scope, part))
		}
	}
	return out
}

// notGranted declines in the same words where there is no such scope.
func notGranted(scope, part string) *wire.Declined {
	d := &wire.Declined{
		Scope: short(scope), Part: short(part), Code: tidemark.CodeForbidden,
		Message: "there is no scope " + short(scope) + ", or this session's principal may not read it",
	}
	if scope == All {
		d.Hint = "this space declares scopes: name one"
	}
	return d
}

func (l *Listener) may(scope string) bool {
	if !l.scoped {
		return scope == All
	}
	_, ok := slices.BinarySearch(l.granted, scope)
	return ok
}

// Joined reports whether the listener is present anywhere.
func (l *Listener) Joined() bool { return len(l.seats) > 0 }

// Alive notes that something was heard of the listener's connection.
func (h *Hall) Alive(now int64, l *Listener) {
	l.heard = now
	for _, s := range l.seats {
		for _, m := range s.parts {
			if m.hidden {
				m.hidden = false
				s.room.touch(m.id)
			}
		}
	}
}

// End takes the listener out. When the end was not a clean one its peers stay
// for a moment, so that one that comes right back was never gone.
func (h *Hall) End(now int64, l *Listener, clean bool) {
	for _, s := range l.seats {
		for _, m := range s.parts {
			m.owner, m.until = nil, min(l.heard+Silence, now+Grace)
			if clean || m.hidden {
				h.remove(s.room, m)
			}
		}
		delete(s.room.seats, l)
		h.tidy(s.room)
	}
	l.seats, l.parts, l.id = nil, 0, ""
}

// Receive takes a Presence or a Cast. What cannot be done is declined, and
// wait says for how many milliseconds the listener should not be read.
func (h *Hall) Receive(now int64, l *Listener, m wire.Up) (declined *wire.Declined, wait int64) {
	h.Alive(now, l)
	switch m := m.(type) {
	case *wire.Presence:
		wait = l.states.charge(now, stateRate)
		declined = h.present(now, l, m)
	case *wire.Cast:
		declined = h.cast(now, l, m)
	}
	if declined != nil {
		wait = max(wait, penalty)
	}
	return declined, wait
}

func (h *Hall) present(now int64, l *Listener, m *wire.Presence) *wire.Declined {
	no := func(code tidemark.Code, message, hint string) *wire.Declined {
		return &wire.Declined{Scope: short(m.Scope), Part: short(m.Part), Code: code, Message: message, Hint: hint}
	}
	if d := h.closed(l, m.Scope, m.Part, no); d != nil {
		return d
	}
	if m.State == nil {
		h.leave(l, m.Scope, m.Part)
		return nil
	}
	if len(m.State) > wire.MaxState {
		return no(tidemark.CodeTooLarge, fmt.Sprintf("a state of %d bytes is too large, %d are the most", len(m.State), wire.MaxState), "put what is large into a table")
	}
	var state bytes.Buffer
	if m.State[0] != '{' || json.Compact(&state, m.State) != nil {
		return no(tidemark.CodeProtocol, "a state must be a JSON object", "")
	}
	if !isPart(m.Part) {
		return no(tidemark.CodeProtocol, fmt.Sprintf("a part is at most %d letters, digits, - and _", wire.MaxPart), "")
	}
	return h.join(now, l, m.Scope, m.Part, state.Bytes(), no)
}

// closed says why nobody can be present in a scope, or this listener not.
func (h *Hall) closed(l *Listener, scope, part string, no func(tidemark.Code, string, string) *wire.Declined) *wire.Declined {
	switch {
	case l.id == "":
		return no(tidemark.CodeProtocol, "the session was not welcomed yet", "say Hello first, and wait for Welcome")
	case l.scoped && !l.may(scope):
		return notGranted(scope, part)
	case !l.may(scope):
		return no(tidemark.CodeNotFound, "there is no scope "+short(scope), "this space declares no scopes: its one scope is "+All)
	case h.limits.Peers < 0:
		return no(tidemark.CodeUsage, "this server has presence switched off", "")
	}
	return nil
}

func (h *Hall) join(now int64, l *Listener, scope, part string, state []byte, no func(tidemark.Code, string, string) *wire.Declined) *wire.Declined {
	r := h.rooms[scope]
	if r == nil {
		r = newRoom(scope, now)
		h.rooms[scope] = r
	}
	defer h.tidy(r)
	id := l.peer(part)
	m := r.members[id]
	if m == nil || m.owner != l {
		if l.parts == maxParts {
			return no(tidemark.CodeBusy, fmt.Sprintf("a session has at most %d states", maxParts), "")
		}
		if m == nil && len(r.members) >= h.limits.Peers {
			return no(tidemark.CodeBusy, fmt.Sprintf("%d peers are present already, which is the most", len(r.members)), "try again later, or have the server's limit of peers raised")
		}
	}
	if m == nil {
		m = &member{id: id}
		r.members[id] = m
		h.size++
	}
	if m.owner != l {
		h.disown(r, m)
		m.owner, m.part = l, part
		l.seat(r).parts[part] = m
		l.parts++
	}
	m.principal, m.state, m.hidden = l.principal, state, false
	r.touch(id)
	return nil
}

// disown takes a peer from the connection that had it.
func (h *Hall) disown(r *room, m *member) {
	if m.owner == nil {
		return
	}
	s := m.owner.seats[r.scope]
	delete(s.parts, m.part)
	m.owner.parts--
	if len(s.parts) == 0 {
		delete(m.owner.seats, r.scope)
		delete(r.seats, m.owner)
	}
	m.owner = nil
}

func (h *Hall) leave(l *Listener, scope, part string) {
	s := l.seats[scope]
	if s == nil || s.parts[part] == nil {
		return
	}
	m, r := s.parts[part], s.room
	h.disown(r, m)
	h.remove(r, m)
	h.tidy(r)
}

// remove forgets a peer that has no owner any more.
func (h *Hall) remove(r *room, m *member) {
	delete(r.members, m.id)
	h.size--
	r.touch(m.id)
}

// tidy forgets a scope in which nobody is.
func (h *Hall) tidy(r *room) {
	if len(r.members) == 0 {
		delete(h.rooms, r.scope)
	}
}

func (h *Hall) cast(now int64, l *Listener, m *wire.Cast) *wire.Declined {
	no := func(code tidemark.Code, message, hint string) *wire.Declined {
		return &wire.Declined{Scope: short(m.Scope), Part: short(m.Part), Code: code, Message: message, Hint: hint}
	}
	if d := h.closed(l, m.Scope, m.Part, no); d != nil {
		return d
	}
	s := l.seats[m.Scope]
	switch {
	case s == nil || s.parts[m.Part] == nil:
		return no(tidemark.CodeUsage, "who casts must be present", "join with a state first")
	case len(m.Body) > wire.MaxCast:
		return no(tidemark.CodeTooLarge, fmt.Sprintf("a cast of %d bytes is too large, %d are the most", len(m.Body), wire.MaxCast), "put what is large into a table")
	}
	size := int64(len(m.Body)) + 128
	if !l.casts.take(now, 1, castRate) || !l.bytes.take(now, size, byteRate) || s.room.untold+len(m.Body) > maxUntold {
		return no(tidemark.CodeRateLimited, "too many casts", "cast less often; what must arrive belongs into a table")
	}
	heard := &wire.Heard{Scope: m.Scope, ID: l.peer(m.Part), Principal: l.principal}
	if m.Body != nil {
		var body bytes.Buffer
		if json.Compact(&body, m.Body) != nil {
			return no(tidemark.CodeProtocol, "a cast must be JSON", "")
		}
		heard.Body = body.Bytes()
	}
	s.room.say(wire.AppendDown(nil, heard))
	return nil
}

// peer is the ID of the peer that a part of this listener's replica is.
func (l *Listener) peer(part string) string {
	if part == "" {
		return l.id
	}
	return l.id + ":" + part
}

func (l *Listener) seat(r *room) *seat {
	s := l.seats[r.scope]
	if s == nil {
		s = &seat{room: r, parts: map[string]*member{}, at: -1, from: r.first + int64(len(r.log))}
		if l.seats == nil {
			l.seats = map[string]*seat{}
		}
		l.seats[r.scope], r.seats[l] = s, s
	}
	return s
}

func isPart(s string) bool {
	return len(s) <= wire.MaxPart && strings.IndexFunc(s, func(r rune) bool {
		return !('a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || r == '-' || r == '_')
	}) < 0
}

// short keeps what a stranger wrote from being sent back at length.
func short(s string) string {
	if len(s) <= wire.MaxPart {
		return s
	}
	return strings.ToValidUTF8(s[:wire.MaxPart], "") + "..."
}
