package wire

import (
	"slices"

	"github.com/tidemarkdb/tidemark"
)

// Shorthand leaves out of messages what both ends of a session know: the term
// and schema of a batch, the schema of a push, the replica of an outcome. Each
// end has one per session (one per HTTP round trip), passes what it sends
// through Up or Down before encoding, and what it decoded through ReadUp or
// ReadDown. Reading restores what was left out and leaves alone what was
// written in full, so a sender need not use it; a reader must.
//
// It is the shells' business: engines see and make full messages.
type Shorthand struct {
	pushed  string // schema of the last Hello or Push
	replica string // name that the last Welcome gave
	term    string // term of the last Welcome
	schema  string // schema that the server named last
}

// Up returns the message to encode. The given one is not changed.
func (s *Shorthand) Up(m Up) Up {
	p, ok := m.(*Push)
	if ok && p.Schema == s.pushed && p.Schema != "" {
		c := *p
		c.Schema = ""
		return &c
	}
	s.ReadUp(m)
	return m
}

// ReadUp restores a message that was decoded.
func (s *Shorthand) ReadUp(m Up) {
	switch m := m.(type) {
	case *Hello:
		s.pushed = m.Schema
	case *Push:
		recall(&m.Schema, &s.pushed)
	}
}

// Down returns the message to encode. The given one is not changed. A live
// batch comes back without term and schema to nearly every session, see Brief,
// so that its bytes can be shared.
func (s *Shorthand) Down(m Down) Down {
	switch m := m.(type) {
	case *Outcomes:
		return &Outcomes{List: s.outcomes(m.List)}
	case *Batch:
		if s.Brief(m) {
			c := *m
			c.Term, c.Schema = "", ""
			return &c
		}
	}
	s.ReadDown(m)
	return m
}

// Brief reports whether Down will leave term and schema out of a batch.
func (s *Shorthand) Brief(m *Batch) bool {
	return m.Term == s.term && m.Schema == s.schema
}

func (s *Shorthand) outcomes(list []tidemark.Outcome) []tidemark.Outcome {
	list = slices.Clone(list)
	for i := range list {
		if list[i].Replica == s.replica {
			list[i].Replica = ""
		}
	}
	return list
}

// ReadDown restores a message that was decoded.
func (s *Shorthand) ReadDown(m Down) {
	switch m := m.(type) {
	case *Welcome:
		s.replica, s.term, s.schema = m.Replica, m.Term, m.Schema
	case *Schema:
		s.schema = m.Hash
	case *Batch:
		recall(&m.Term, &s.term)
		recall(&m.Schema, &s.schema)
	case *Outcomes:
		for i := range m.List {
			if m.List[i].Replica == "" {
				m.List[i].Replica = s.replica
			}
		}
	}
}

// recall fills in what was left out and remembers what was not.
func recall(field, known *string) {
	if *field == "" {
		*field = *known
	} else {
		*known = *field
	}
}
