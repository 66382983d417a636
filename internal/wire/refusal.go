package wire

import "github.com/tidemarkdb/tidemark"

// Refusal ends a session or answers a message that cannot be taken. It is
// never an outcome: whatever was pending stays pending.
type Refusal struct {
	Code    tidemark.Code
	Message string
	Hint    string
	Retry   int64 // milliseconds to wait before coming back; 0: the replica's own backoff
	Fatal   bool  // coming back as it is will not help
}

func (m *Refusal) write(w *writer) {
	w.kind(kindRefusal)
	w.str(string(m.Code))
	w.str(m.Message)
	w.str(m.Hint)
	w.int(m.Retry)
	w.bool(m.Fatal)
}

func (m *Refusal) read(a *array) {
	m.Code = tidemark.Code(a.str())
	m.Message = a.str()
	m.Hint = a.str()
	m.Retry = a.int()
	m.Fatal = a.bool()
}
