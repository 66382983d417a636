package wire

import (
	"encoding/binary"

	"github.com/tidemarkdb/tidemark"
)

// Welcome answers Hello.
type Welcome struct {
	Protocol    int
	Space       string
	Incarnation string
	Term        string
	Replica     string
	Ticket      string
	Head        tidemark.Seq
	Schema      string
	DigestKey   [16]byte
	Time        int64 // server's clock, Unix milliseconds
	Limits      Limits
	Resync      bool     // the replica is older than what the server keeps: compare everything
	Principal   string   // who the server takes the replica's principal for, "" without authentication
	Expires     int64    // until when, Unix milliseconds by the server's clock, 0 never
	Scopes      []string // of the session, as in the message Scopes; nil where none are declared
	Ask         int64    // that of Hello
}

// Limits are what the server takes at most; 0 means no limit of its own.
type Limits struct {
	Message   int `json:"message"`   // bytes of one message
	Changeset int `json:"changeset"` // bytes of one changeset's body
	Row       int `json:"row"`       // bytes of one row
}

func (m *Welcome) write(w *writer) {
	w.kind(kindWelcome)
	w.int(int64(m.Protocol))
	w.str(m.Space)
	w.str(m.Incarnation)
	w.str(m.Term)
	w.str(m.Replica)
	w.str(m.Ticket)
	w.int(int64(m.Head))
	w.str(m.Schema)
	w.bin(m.DigestKey[:])
	w.int(m.Time)
	w.ints([]int{m.Limits.Message, m.Limits.Changeset, m.Limits.Row})
	w.bool(m.Resync)
	w.str(m.Principal)
	w.int(m.Expires)
	w.strs(m.Scopes)
	w.int(m.Ask)
}

func (m *Welcome) read(a *array) {
	m.Protocol = a.place()
	m.Space = a.str()
	m.Incarnation = a.str()
	m.Term = a.str()
	m.Replica = a.str()
	m.Ticket = a.str()
	m.Head = a.seq()
	m.Schema = a.str()
	a.bin(m.DigestKey[:])
	m.Time = a.int()
	if a.next() {
		in := a.r.array()
		m.Limits = Limits{Message: in.place(), Changeset: in.place(), Row: in.place()}
		in.close()
	}
	m.Resync = a.bool()
	m.Principal = a.str()
	m.Expires = a.int()
	m.Scopes = a.strs()
	m.Ask = a.int()
}

// sum writes a sum of hashes as 8 bytes, most significant first.
func (w *writer) sum(n uint64) {
	var p [8]byte
	binary.BigEndian.PutUint64(p[:], n)
	w.bin(p[:])
}

func (a *array) sum() uint64 {
	var p [8]byte
	a.bin(p[:])
	return binary.BigEndian.Uint64(p[:])
}
