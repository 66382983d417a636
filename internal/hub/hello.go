package hub

import (
	"context"
	"crypto/subtle"
	"fmt"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/planted"
	"github.com/tidemarkdb/tidemark/internal/wire"
)

// outcomesPerMessage bounds one Outcomes message at a hello.
const outcomesPerMessage = 1000

// hello opens the session, or opens it anew: first what the other side says of
// the space, then who it is, then what it missed.
func (s *Session) hello(ctx context.Context, now int64, m *wire.Hello) ([]wire.Down, error) {
	s.close()
	if r := s.hub.introduce(m); r != nil {
		return s.turnAway(r), nil
	}
	var down []wire.Down
	var refusal *wire.Refusal
	var known *tidemark.ReplicaState
	var r *reach
	err := s.hub.store.Group(ctx, func(tx tidemark.Tx) error {
		var err error
		if refusal, err = s.hub.place(tx, m); refusal != nil || err != nil {
			return err
		}
		if known, refusal, err = s.hub.identify(tx, s.principal.ID, m); refusal != nil || err != nil {
			return err
		}
		known.Contact, known.Agent, known.Seq = now, m.Agent, m.Seq
		if err := tx.SaveReplica(*known); err != nil {
			return err
		}
		var void bool
		if s.hub.schema.Scoped() {
			if r, void, refusal, err = s.greetScopes(tx, m); refusal != nil || err != nil {
				return err
			}
		}
		down, err = s.greeting(tx, now, m, known, r, void)
		return err
	})
	if err != nil {
		return nil, err
	}
	if refusal != nil {
		return s.turnAway(refusal), nil
	}
	if r != nil {
		// Grants that read what is not sequenced yet may read what is going to be
		// undone: Next evaluates them again, when it is.
		if r.unsure, err = s.hub.store.Dirty(ctx); err != nil {
			return nil, err
		}
	}
	s.open(m, known.ID, r)
	if m.Clock != 0 {
		s.offset = now - m.Clock
	}
	return down, nil
}

// turnAway answers a Hello that cannot be taken. Unless it is fatal, the
// replica may change what it says and try again.
func (s *Session) turnAway(r *wire.Refusal) []wire.Down {
	if r.Fatal {
		return s.refuse(r)
	}
	return s.deafen(r)
}

// close brings the session back to where it waits for Hello.
func (s *Session) close() {
	s.End()
	*s = Session{RoundTrip: s.RoundTrip, hub: s.hub, principal: s.principal}
}

// open sets the session to what the Hello said.
func (s *Session) open(m *wire.Hello, replica string, r *reach) {
	s.replica, s.readOnly, s.nameless = replica, m.ReadOnly, m.Replica == ""
	s.at, s.acked, s.schema = m.Seq, m.Seq, s.hub.state.SchemaHash
	if resync(m) {
		s.at, s.acked = s.hub.state.Head, s.hub.state.Head
	}
	if s.reach = r; r != nil {
		r.lagging = s.at < s.hub.state.Head
		s.hub.listeners.open(s)
	} else if m.Staged != "" && !resync(m) && !ofScopes(m.Staged) {
		_, c, _ := parseCursor(m.Staged)
		s.place = &c
	}
	delete(s.hub.confirmed, replica)
	s.hub.current[replica] = s
}

// resync reports whether the replica has no state to go on from. It compares
// everything, as of the head.
func resync(m *wire.Hello) bool { return m.Term == "" }

// introduce judges what needs no look into the store.
func (h *Hub) introduce(m *wire.Hello) *wire.Refusal {
	switch {
	case m.Protocol != wire.Protocol:
		return fatal(tidemark.CodeProtocol,
			fmt.Sprintf("the replica speaks protocol %d, this server speaks %d", m.Protocol, wire.Protocol),
			"install versions of both sides that belong together")
	case m.Space != "" && m.Space != h.state.Space:
		return fatal(tidemark.CodeWrongSpace,
			fmt.Sprintf("the copy is one of space %q, this is space %q", m.Space, h.state.Space),
			"sync it with the address that it was cloned from")
	case m.Incarnation != "" && m.Incarnation != h.state.Incarnation:
		return fatal(tidemark.CodeIncarnation,
			fmt.Sprintf("the copy belongs to another incarnation of space %q: this one was made anew", h.state.Space),
			"clone again beside the old copy; what is pending there stays there")
	case len(m.Held) > maxScopes || len(m.Want) > maxScopes:
		return fatal(tidemark.CodeTooLarge, fmt.Sprintf("the hello names more than %d scopes", maxScopes), "subscribe to fewer")
	case m.Seq < 0 || m.Settled < 0 || m.Seq > 0 && (m.Term == "" || m.Incarnation == ""):
		return fatal(tidemark.CodeProtocol, "the hello names a state that cannot be", "")
	}
	return nil
}

// place judges whether the replica's checkpoint, and what it has staged, lie
// in this log.
func (h *Hub) place(v tidemark.View, m *wire.Hello) (*wire.Refusal, error) {
	if resync(m) {
		return nil, nil
	}
	ok, err := h.passed(v, m.Term, m.Seq)
	if err != nil {
		return nil, err
	}
	if ok && m.Staged != "" && !h.schema.Scoped() && !ofScopes(m.Staged) {
		term, c, perr := parseCursor(m.Staged)
		if perr != nil {
			return fatal(tidemark.CodeProtocol, "the hello's cursor cannot be read", ""), nil
		}
		if ok, err = h.passed(v, term, c.Seq); err != nil {
			return nil, err
		}
		ok = ok && c.Seq >= m.Seq
	}
	if ok {
		return nil, nil
	}
	return &wire.Refusal{
		Code:    tidemark.CodeRestored,
		Message: fmt.Sprintf("the copy has seen seq %d of a log that this server does not have: an older file was put in its place", m.Seq),
		Hint:    "the copy compares everything with the server and keeps what the server lost as a rejected changeset",
	}, nil
}

// passed reports whether this log had seq while the term ran.
func (h *Hub) passed(v tidemark.View, term string, seq tidemark.Seq) (bool, error) {
	if planted.Is(planted.IgnoreTerm) {
		return true, nil
	}
	end, known, err := v.TermEnd(term)
	if err != nil || !known {
		return false, err
	}
	return seq <= end && seq <= h.state.Head, nil
}

// identify finds out which replica this is and gives it its next ticket. The
// ticket before stays good until the replica has proved that it has the new
// one, and brings that one again: a Hello may come twice, or its answer be lost.
func (h *Hub) identify(tx tidemark.Tx, principal string, m *wire.Hello) (*tidemark.ReplicaState, *wire.Refusal, error) {
	ticket, err := h.random("ticket")
	if err != nil {
		return nil, nil, err
	}
	if m.Replica == "" {
		id, err := h.random("replica")
		return &tidemark.ReplicaState{ID: id, Principal: principal, Ticket: ticket}, nil, err
	}
	r, err := tx.Replica(m.Replica)
	if err != nil {
		return nil, nil, err
	}
	if refusal := h.recognise(r, principal, m); refusal != nil {
		return nil, refusal, nil
	}
	r.Principal = principal
	if same(m.Ticket, r.Ticket) {
		r.Previous, r.Ticket = r.Ticket, ticket
	}
	// What the replica has settled is settled, also where this file lost it.
	r.Settled = max(r.Settled, m.Settled)
	r.LastN = max(r.LastN, r.Settled)
	return r, nil, nil
}

// recognise refuses a replica that is not the one that it says. An older
// ticket belongs to a file that was copied, or restored from a backup.
func (h *Hub) recognise(r *tidemark.ReplicaState, principal string, m *wire.Hello) *wire.Refusal {
	fork := &wire.Refusal{Code: tidemark.CodeFork, Hint: "the copy takes a name of its own and keeps what is pending"}
	switch {
	case r == nil || m.Replica == tidemark.FileReplica:
		fork.Message = "this server gave no replica that name"
		return fork
	case r.Principal != "" && r.Principal != principal && !planted.Is(planted.AnyHands):
		return stranger(principal)
	case same(m.Ticket, r.Ticket), planted.Is(planted.IgnoreTicket):
		return nil
	case r.Previous != "" && same(m.Ticket, r.Previous) && !h.confirmed[r.ID]:
		return nil
	}
	fork.Message = "the file is a copy of a replica that went on elsewhere, or an older state of it"
	return fork
}

// stranger refuses a copy to whoever is not its principal. One that was made
// before there was authentication belongs to nobody: its ticket is enough, and
// from then on it is theirs.
func stranger(principal string) *wire.Refusal {
	if principal == "" {
		return fatal(tidemark.CodeForbidden, "this copy belongs to somebody, and this server asks nobody who they are",
			"serve with the keys that its tokens were signed with")
	}
	return fatal(tidemark.CodeForbidden, "this copy belongs to somebody else", "sign in as the one who made it, or clone anew")
}

func same(a, b string) bool { return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1 }

// Expiry is how Welcome and Renewed tell the end of a token's life.
func Expiry(p tidemark.Principal) int64 {
	if p.Expires.IsZero() {
		return 0
	}
	return min(max(1, p.Expires.UnixMilli()), 1<<53)
}

// greeting is Welcome and everything that was decided while the replica was away.
func (s *Session) greeting(tx tidemark.Tx, now int64, m *wire.Hello, r *tidemark.ReplicaState, scopes *reach, void bool) ([]wire.Down, error) {
	st := s.hub.state
	var down []wire.Down
	if !m.ReadOnly {
		// In front of Welcome: a replica that has nothing else to wait for may
		// hang up as soon as it has that.
		blocks, err := s.hub.greetLeases(tx, r.ID)
		if err != nil {
			return nil, err
		}
		if blocks != nil {
			down = append(down, blocks)
		}
	}
	welcome := &wire.Welcome{
		Protocol: wire.Protocol, Space: st.Space, Incarnation: st.Incarnation, Term: st.Term,
		Replica: r.ID, Ticket: r.Ticket, Head: st.Head, Schema: st.SchemaHash, DigestKey: st.DigestKey,
		Time: now, Limits: s.hub.opts.Limits, Resync: resync(m),
		Principal: s.principal.ID, Expires: Expiry(s.principal), Ask: m.Ask,
	}
	down = append(down, welcome)
	if scopes != nil {
		welcome.Scopes = scopes.list
	}
	if void {
		down = append(down, scopes.said())
	}
	if m.Schema != st.SchemaHash {
		sm, err := schemaMessage(tx, st.SchemaHash)
		if err != nil {
			return nil, err
		}
		down = append(down, sm)
	}
	for n := m.Settled; ; {
		list, err := tx.Outcomes(r.ID, n, outcomesPerMessage)
		if err != nil {
			return nil, err
		}
		if len(list) == 0 {
			return down, nil
		}
		down = append(down, &wire.Outcomes{List: list})
		n = list[len(list)-1].N
	}
}
