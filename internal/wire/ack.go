package wire

import "github.com/tidemarkdb/tidemark"

// Ack says what the replica has applied durably; it also proves that the
// ticket of the last Welcome is stored.
type Ack struct {
	Seq    tidemark.Seq
	Cursor string // last staged chunk
}

func (m *Ack) write(w *writer) {
	w.kind(kindAck)
	w.int(int64(m.Seq))
	w.str(m.Cursor)
}

func (m *Ack) read(a *array) {
	m.Seq = a.seq()
	m.Cursor = a.str()
}
