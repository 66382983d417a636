package hub

import (
	"context"
	"fmt"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/wire"
)

// Session is one connected replica, or one HTTP round trip. Its methods run
// under the same lock as the hub's.
type Session struct {
	// RoundTrip says that the other side sent all its messages before it heard
	// any answer. They prove nothing about its having stored a ticket. Set it
	// before the first Receive.
	RoundTrip bool

	hub       *Hub
	principal tidemark.Principal

	replica  string // "" until Hello was taken
	readOnly bool
	nameless bool // its Hello had no name, it hears of it in Welcome
	proved   bool // it has shown that it keeps its ticket
	deaf     bool // a message was refused for good: drop what follows until the next Hello
	over     bool // nothing more can be said in this session

	at     tidemark.Seq // what the other side reaches with what it was sent
	acked  tidemark.Seq // what it said that it has
	place  *tidemark.Cursor
	reach  *reach // nil: the space declares no scopes
	schema string // hash of the schema that it has
	offset int64  // what its clock lacked when it said hello
	asks   []wire.Up
}

// NewSession makes a session that waits for Hello. principal is who the shell
// found the other side to be; the zero one without authentication. Tokens are
// the shell's: what Hello says of one is not looked at, and Token is none of
// the messages that Receive takes.
func (h *Hub) NewSession(principal tidemark.Principal) *Session {
	return &Session{hub: h, principal: principal}
}

// Principal returns on whose behalf the session speaks.
func (s *Session) Principal() tidemark.Principal { return s.principal }

// Renew goes on with what a newer token of the same principal says. It reports
// false, and does nothing, when the token is of another.
func (s *Session) Renew(principal tidemark.Principal) bool {
	if principal.ID != s.principal.ID {
		return false
	}
	if s.anew(principal) {
		s.reach.unsure = true // Next finds out, before anything else is said
	}
	s.principal = principal
	return true
}

// Replica returns the name of the replica, "" before Hello was taken.
func (s *Session) Replica() string { return s.replica }

// Seq returns the seq that the replica reaches with what it was sent.
func (s *Session) Seq() tidemark.Seq { return s.at }

// Superseded reports whether the replica speaks on a newer session by now.
// Whatever this one says is refused.
func (s *Session) Superseded() bool { return s.replica != "" && s.hub.current[s.replica] != s }

// End forgets the session. What it handed in is still judged.
func (s *Session) End() {
	if s.hub.current[s.replica] == s {
		delete(s.hub.current, s.replica)
		s.hub.leases.forget(s.replica)
	}
	if s.reach != nil && !s.over {
		s.hub.listeners.end(s)
	}
	s.over = true
}

// Receive takes one message. A push comes back as a submission for the next
// group; everything else is answered at once, except questions, which Next
// answers as soon as the session is at head. A Refusal with Fatal ends the
// session. An error is one of the store: nothing was done, and the session
// should end without a word about it.
func (s *Session) Receive(ctx context.Context, now int64, m wire.Up) ([]wire.Down, *Submission, error) {
	if s.over {
		return nil, nil, nil
	}
	if m, ok := m.(*wire.Hello); ok {
		down, err := s.hello(ctx, now, m)
		return down, nil, err
	}
	if s.deaf {
		return nil, nil, nil
	}
	if s.replica == "" {
		return s.refuse(fatal(tidemark.CodeProtocol, "the first message must be a hello", "")), nil, nil
	}
	if s.Superseded() {
		return s.refuse(superseded()), nil, nil
	}
	s.prove()
	switch m := m.(type) {
	case *wire.Push:
		down, sub := s.push(m)
		return down, sub, nil
	case *wire.Ack:
		s.ack(m)
		return nil, nil, nil
	case *wire.AskRanges, *wire.AskRows:
		return s.ask(m), nil, nil
	case *wire.Subscribe:
		return s.subscribe(m), nil, nil
	}
	return s.refuse(fatal(tidemark.CodeProtocol, fmt.Sprintf("a message of type %T cannot be taken", m), "")), nil, nil
}

// prove notes that the other side has stored the ticket of its Welcome: it
// says something after it.
func (s *Session) prove() {
	if !s.RoundTrip && !s.proved {
		s.proved, s.hub.confirmed[s.replica] = true, true
	}
}

func (s *Session) push(m *wire.Push) ([]wire.Down, *Submission) {
	if m.N <= 0 {
		return s.refuse(fatal(tidemark.CodeProtocol, fmt.Sprintf("a changeset cannot have number %d", m.N), "")), nil
	}
	if s.RoundTrip && s.nameless {
		// Were the answer lost, the replica would push the same again under another name.
		return s.refuse(fatal(tidemark.CodeProtocol, "a replica must have stored its name before it pushes", "")), nil
	}
	if s.readOnly {
		return s.refuse(fatal(tidemark.CodeForbidden, "a read-only copy cannot send changes", "make an ordinary clone to write")), nil
	}
	cs := tidemark.Changeset{
		Name: tidemark.Name{Replica: s.replica, N: m.N, Hash: m.ContentHash()},
		Salt: m.Salt, Was: m.Was, Seen: m.Seen, Schema: m.Schema, MadeAt: m.MadeAt, Body: m.Body,
	}
	return nil, &Submission{Session: s, Principal: s.principal, Changeset: cs, Offset: s.offset}
}

// ack believes no more than was sent: after a restore a replica may name a
// seq that this log does not have.
func (s *Session) ack(m *wire.Ack) {
	if m.Seq <= s.at {
		if s.acked = max(s.acked, m.Seq); s.reach != nil {
			s.reach.prune(s.acked)
		}
	}
}

// refuse answers with a refusal and does to the session what the refusal says.
func (s *Session) refuse(r *wire.Refusal) []wire.Down {
	if r.Fatal {
		s.End()
	}
	return []wire.Down{r}
}

// deafen refuses what the replica must answer with another Hello. Everything
// that it sent before it hears of that is dropped.
func (s *Session) deafen(r *wire.Refusal) []wire.Down {
	s.deaf = true
	return []wire.Down{r}
}

func fatal(code tidemark.Code, message, hint string) *wire.Refusal {
	return &wire.Refusal{Code: code, Message: message, Hint: hint, Fatal: true}
}

// superseded goes to a connection whose replica speaks on another one by now.
// If both are alive, the file was copied: coming back shows which is the copy.
func superseded() *wire.Refusal {
	return &wire.Refusal{Code: tidemark.CodeBusy, Message: "this replica is connected a second time, and the newer connection goes on"}
}
