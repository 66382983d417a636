package wire

import "github.com/tidemarkdb/tidemark"

// What one peer may say at most, bytes of JSON.
const (
	MaxState = 4 << 10  // of a state
	MaxCast  = 16 << 10 // of the body of a cast
	MaxPart  = 64       // bytes of the name of a part
)

// Presence says what a replica's state in a scope is from now on. Peers or
// Declined answers it.
type Presence struct {
	Scope string
	State []byte // JSON object; nil: it leaves
	Part  string // tells the states of one replica apart, "" where it has one
}

func (m *Presence) write(w *writer) {
	w.kind(kindPresence)
	w.str(m.Scope)
	w.raw(m.State)
	w.str(m.Part)
}

func (m *Presence) read(a *array) {
	m.Scope = a.str()
	m.State = a.raw()
	m.Part = a.str()
}

// Cast says something to everyone who is present in a scope.
type Cast struct {
	Scope string
	Body  []byte // JSON
	Part  string // which state's peer says it
}

func (m *Cast) write(w *writer) {
	w.kind(kindCast)
	w.str(m.Scope)
	w.raw(m.Body)
	w.str(m.Part)
}

func (m *Cast) read(a *array) {
	m.Scope = a.str()
	m.Body = a.raw()
	m.Part = a.str()
}

// Peers brings states of peers that are new or others than before.
type Peers struct {
	Scope string
	All   bool // forget whom was told before: these are the first of all who are there
	List  []Peer
}

// Peer is one who is present in a scope.
type Peer struct {
	ID        string // name of the replica; where the state has a part, a colon and the part
	Principal string
	State     []byte // JSON object; nil: gone
}

func (m *Peers) write(w *writer) {
	w.kind(kindPeers)
	w.str(m.Scope)
	w.bool(m.All)
	w.list(len(m.List), func(in *writer, i int) {
		p := &m.List[i]
		in.str(p.ID)
		in.str(p.Principal)
		in.raw(p.State)
	})
}

func (m *Peers) read(a *array) {
	m.Scope = a.str()
	m.All = a.bool()
	a.list(func(in *array) {
		m.List = append(m.List, Peer{ID: in.str(), Principal: in.str(), State: in.raw()})
	})
}

// Heard brings what a peer cast.
type Heard struct {
	Scope     string
	ID        string // of the peer
	Principal string
	Body      []byte // JSON
}

func (m *Heard) write(w *writer) {
	w.kind(kindHeard)
	w.str(m.Scope)
	w.str(m.ID)
	w.str(m.Principal)
	w.raw(m.Body)
}

func (m *Heard) read(a *array) {
	m.Scope = a.str()
	m.ID = a.str()
	m.Principal = a.str()
	m.Body = a.raw()
}

// Declined says that a Presence or a Cast was not carried out. The session
// goes on, and a state that was there before stays.
type Declined struct {
	Scope   string
	Part    string
	Code    tidemark.Code
	Message string
	Hint    string
}

func (m *Declined) write(w *writer) {
	w.kind(kindDeclined)
	w.str(m.Scope)
	w.str(m.Part)
	w.str(string(m.Code))
	w.str(m.Message)
	w.str(m.Hint)
}

func (m *Declined) read(a *array) {
	m.Scope = a.str()
	m.Part = a.str()
	m.Code = tidemark.Code(a.str())
	m.Message = a.str()
	m.Hint = a.str()
}
