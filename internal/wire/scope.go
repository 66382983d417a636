package wire

// Want is a scope that a replica subscribes to. Those of a lower priority come
// first; 0 is that of a scope that is not named.
type Want struct {
	Scope    string
	Priority int64
}

// Subscribe changes what a session wants: Only, Want and Ask as in Hello. Scopes answers it.
type Subscribe struct {
	Only bool
	Want []Want
	Ask  int64
}

func (m *Subscribe) write(w *writer) {
	w.kind(kindSubscribe)
	w.bool(m.Only)
	writeWants(w, m.Want)
	w.int(m.Ask)
}

func (m *Subscribe) read(a *array) {
	m.Only = a.bool()
	m.Want = a.wants()
	m.Ask = a.int()
}

// Scopes lists the scopes of the session from here on, sorted: those that the
// replica wants and its principal may read. What it has of others it drops at
// once, also when they come back later. Chunks that it has staged are void.
type Scopes struct {
	List []string
	Ask  int64 // of the Hello or the Subscribe that said last what is wanted
}

func (m *Scopes) write(w *writer) {
	w.kind(kindScopes)
	w.strs(m.List)
	w.int(m.Ask)
}

func (m *Scopes) read(a *array) {
	m.List = a.strs()
	m.Ask = a.int()
}

func writeWants(w *writer, wants []Want) {
	w.list(len(wants), func(in *writer, i int) {
		in.str(wants[i].Scope)
		in.int(wants[i].Priority)
	})
}

func (a *array) wants() (wants []Want) {
	a.list(func(in *array) { wants = append(wants, Want{Scope: in.str(), Priority: in.int()}) })
	return wants
}
