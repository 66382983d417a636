package wire

// Token renews, on the open connection, what Hello or the Authorization header
// said of who the replica's principal is. Renewed or a Refusal answers it.
type Token struct {
	Token string
}

func (m *Token) write(w *writer) {
	w.kind(kindToken)
	w.str(m.Token)
}

func (m *Token) read(a *array) { m.Token = a.str() }

// Renewed says how long the session lasts with the new token.
type Renewed struct {
	Expires int64 // Unix milliseconds by the server's clock, 0 never
}

func (m *Renewed) write(w *writer) {
	w.kind(kindRenewed)
	w.int(m.Expires)
}

func (m *Renewed) read(a *array) { m.Expires = a.int() }
