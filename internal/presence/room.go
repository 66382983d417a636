package presence

import (
	"math"
	"slices"
	"strings"

	"github.com/tidemarkdb/tidemark/internal/wire"
)

// room is one scope.
type room struct {
	scope   string
	members map[string]*member // by the peer's ID
	seats   map[*Listener]*seat

	changed map[string]bool // IDs whose state is to be told
	casts   [][]byte        // encoded, to be told
	untold  int             // bytes of casts
	dueAt   int64           // not before this
	sweepAt int64

	// What was told: the newest messages, encoded, and the place of the first.
	log   [][]byte
	first int64
	bytes int

	full     [][]byte // messages that tell of everyone, as of place fullAt; nil for none
	fullAt   int64
	fullID   int64 // tells it from those before
	fullSize int
	since    int // bytes that came to the log after it
}

// member is one peer.
type member struct {
	id, principal string
	state         []byte
	owner         *Listener // nil: its connection is lost
	part          string
	hidden        bool  // nothing was heard of its connection for too long
	until         int64 // without an owner: how long it stays
}

// seat is a listener's place in a scope.
type seat struct {
	room  *room
	parts map[string]*member
	at    int64 // place in the log of what is next; in front of the log: everyone has to be told
	from  int64 // what was told from here on is of interest even after everyone was told of
	full  int64 // ID of what tells of everyone, while that is being taken
	next  int   // message of it
}

func newRoom(scope string, now int64) *room {
	return &room{
		scope: scope, members: map[string]*member{}, seats: map[*Listener]*seat{}, changed: map[string]bool{},
		sweepAt: now + sweep,
	}
}

func (r *room) touch(id string) { r.changed[id] = true }

func (r *room) say(message []byte) {
	r.casts = append(r.casts, message)
	r.untold += len(message)
}

func (r *room) quiet() bool { return len(r.changed) == 0 && len(r.casts) == 0 }

// Due returns when Tick has something to do, 0 for never.
func (h *Hall) Due() (at int64) {
	for _, r := range h.rooms {
		due := r.sweepAt
		if !r.quiet() {
			due = min(due, max(r.dueAt, 1))
		}
		if at == 0 || due < at {
			at = due
		}
	}
	return at
}

// Tick does what is due, and returns the listeners for whom Next has something.
func (h *Hall) Tick(now int64) (who []*Listener) {
	for _, r := range h.rooms {
		if now >= r.sweepAt {
			h.sweep(now, r)
		}
		if r.quiet() || now < r.dueAt {
			continue
		}
		size := r.tell()
		pause := int64(size) * int64(len(r.seats)) * 1000 / perSecond
		r.dueAt = now + min(max(pause, Pause), longest)
		for l := range r.seats {
			who = append(who, l)
		}
	}
	return who
}

// sweep looks who is gone.
func (h *Hall) sweep(now int64, r *room) {
	r.sweepAt = now + sweep
	for _, m := range r.members {
		switch {
		case m.owner == nil && now >= m.until:
			h.remove(r, m)
		case m.owner != nil && !m.hidden && now-m.owner.heard >= Silence:
			m.hidden = true
			r.touch(m.id)
		}
	}
	h.tidy(r)
}

// tell writes what changed and what was cast into the log.
func (r *room) tell() (size int) {
	if len(r.changed) > 0 {
		list := make([]wire.Peer, 0, len(r.changed))
		for id := range r.changed {
			list = append(list, r.peer(id))
		}
		slices.SortFunc(list, byID)
		clear(r.changed)
		for _, b := range r.encode(list, false) {
			size += r.keep(b)
		}
	}
	for _, b := range r.casts {
		size += r.keep(b)
	}
	r.casts, r.untold = nil, 0
	return size
}

func byID(a, b wire.Peer) int { return strings.Compare(a.ID, b.ID) }

// peer is how a member, or one that is gone, is told of.
func (r *room) peer(id string) wire.Peer {
	m := r.members[id]
	if m == nil || m.hidden {
		return wire.Peer{ID: id}
	}
	return wire.Peer{ID: id, Principal: m.principal, State: m.state}
}

// encode writes messages that have a bounded size.
func (r *room) encode(list []wire.Peer, all bool) (messages [][]byte) {
	for begin := 0; begin < len(list) || begin == 0 && all; {
		end, size := begin, 0
		for end < len(list) && (size < chunk || end == begin) {
			size += len(list[end].ID) + len(list[end].Principal) + len(list[end].State) + 8
			end++
		}
		m := &wire.Peers{Scope: r.scope, All: all, List: list[begin:end]}
		messages = append(messages, wire.AppendDown(nil, m))
		if begin, all = end, false; end == len(list) {
			break
		}
	}
	return messages
}

func (r *room) keep(b []byte) int {
	r.log = append(r.log, b)
	r.bytes += len(b)
	r.since += len(b)
	drop := 0
	for r.bytes > maxLog && drop < len(r.log)-1 {
		r.bytes -= len(r.log[drop])
		r.log[drop] = nil
		drop++
	}
	r.log, r.first = r.log[drop:], r.first+int64(drop)
	return len(b)
}

// Next gives the next message for a listener, encoded, or nil when it was told
// everything. The bytes are shared.
func (h *Hall) Next(l *Listener) []byte {
	for _, s := range l.seats {
		if b := s.room.take(s); b != nil {
			return b
		}
	}
	return nil
}

func (r *room) take(s *seat) []byte {
	if s.at >= r.first {
		i := s.at - r.first
		if i >= int64(len(r.log)) {
			return nil
		}
		s.at++
		return r.log[i]
	}
	if s.full == 0 || s.full != r.fullID {
		r.everyone()
		s.full, s.next = r.fullID, 0
	}
	b := r.full[s.next]
	if s.next++; s.next == len(r.full) {
		s.at = max(r.first, min(s.from, r.fullAt))
		s.full, s.from = 0, math.MaxInt64
	}
	return b
}

// everyone sees to it that there is something to tell of everyone that the log
// goes on from, and that is not older than the log's end; where it is large, not
// much older, since writing it anew has those who are taking it begin again.
func (r *room) everyone() {
	if r.full != nil && r.fullAt >= r.first && (r.since == 0 || len(r.full) > 1 && r.since <= r.fullSize/4) {
		return
	}
	list := make([]wire.Peer, 0, len(r.members))
	for id, m := range r.members {
		if !m.hidden {
			list = append(list, r.peer(id))
		}
	}
	slices.SortFunc(list, byID)
	r.full = r.encode(list, true)
	r.fullAt, r.since, r.fullSize = r.first+int64(len(r.log)), 0, 0
	r.fullID++
	for _, b := range r.full {
		r.fullSize += len(b)
	}
}
