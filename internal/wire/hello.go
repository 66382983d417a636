package wire

import "github.com/tidemarkdb/tidemark"

// Hello opens a session. A replica that has no name yet leaves Replica and
// Ticket empty; one that knows nothing of the space leaves Incarnation empty.
type Hello struct {
	Protocol    int
	Space       string
	Incarnation string
	Term        string // term of the checkpoint
	Replica     string
	Ticket      string
	Schema      string // hash of the schema that the replica has
	Seq         tidemark.Seq
	Sum         uint64
	Staged      string // cursor of the last staged chunk, "" for none
	Settled     int64  // every changeset up to this n is settled on the replica
	ReadOnly    bool
	Agent       string // program and version, for logs
	Clock       int64  // replica's clock, Unix milliseconds
	Token       string // who the replica's principal is; "" where the Authorization header says so

	// Of a space with scopes.
	Held []string // scopes that the replica has whole at Seq
	Only bool     // it wants those of Want and no others
	Want []Want   // scopes in the order in which it wants them; those of the same priority come together
	Ask  int64    // comes back with the list that answers this
}

func (m *Hello) write(w *writer) {
	w.kind(kindHello)
	w.int(int64(m.Protocol))
	w.str(m.Space)
	w.str(m.Incarnation)
	w.str(m.Term)
	w.str(m.Replica)
	w.str(m.Ticket)
	w.str(m.Schema)
	w.int(int64(m.Seq))
	w.sum(m.Sum)
	w.str(m.Staged)
	w.int(m.Settled)
	w.bool(m.ReadOnly)
	w.str(m.Agent)
	w.int(m.Clock)
	w.str(m.Token)
	w.strs(m.Held)
	w.bool(m.Only)
	writeWants(w, m.Want)
	w.int(m.Ask)
}

func (m *Hello) read(a *array) {
	m.Protocol = a.place()
	m.Space = a.str()
	m.Incarnation = a.str()
	m.Term = a.str()
	m.Replica = a.str()
	m.Ticket = a.str()
	m.Schema = a.str()
	m.Seq = a.seq()
	m.Sum = a.sum()
	m.Staged = a.str()
	m.Settled = a.int()
	m.ReadOnly = a.bool()
	m.Agent = a.str()
	m.Clock = a.int()
	m.Token = a.str()
	m.Held = a.strs()
	m.Only = a.bool()
	m.Want = a.wants()
	m.Ask = a.int()
}
