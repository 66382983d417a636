package wire

import "github.com/tidemarkdb/tidemark"

// Push sends one sealed changeset. One whose body is larger than the server
// takes is sent without it: Body is nil and Hash says which it is, so that it
// gets its outcome, rejected(too_large), and delays nothing behind it.
type Push struct {
	N      int64
	Salt   tidemark.Salt
	Was    *tidemark.Name
	Seen   tidemark.Seq
	Schema string
	MadeAt int64
	Body   []byte        // encoded changes, see AppendChanges; exactly these bytes are hashed
	Hash   tidemark.Hash // only in place of Body
}

func (m *Push) write(w *writer) {
	w.kind(kindPush)
	w.int(m.N)
	w.bin(m.Salt[:])
	w.int(int64(m.Seen))
	w.raw(m.Body)
	w.int(m.MadeAt)
	w.str(m.Schema)
	w.name(m.Was)
	w.bin(m.Hash[:])
}

func (m *Push) read(a *array) {
	m.N = a.int()
	a.bin(m.Salt[:])
	m.Seen = a.seq()
	m.Body = a.raw()
	m.MadeAt = a.int()
	m.Schema = a.str()
	m.Was = a.name()
	a.bin(m.Hash[:])
}

// ContentHash returns the hash that names the changeset.
func (m *Push) ContentHash() tidemark.Hash {
	if m.Body == nil {
		return m.Hash
	}
	return HashOf(m.Salt, m.Body)
}

// name writes a changeset's name: replica, number, hash; null for none.
func (w *writer) name(n *tidemark.Name) {
	w.sep()
	if n == nil {
		w.b = append(w.b, "null"...)
	} else {
		in := writer{b: w.b}
		in.str(n.Replica)
		in.int(n.N)
		in.bin(n.Hash[:])
		w.b = in.end()
	}
	w.set(n == nil)
}

func (a *array) name() *tidemark.Name {
	if !a.next() {
		return nil
	}
	if a.r.peek() == 'n' {
		a.r.literal("null")
		return nil
	}
	in := a.r.array()
	n := &tidemark.Name{Replica: in.str(), N: in.int()}
	in.bin(n.Hash[:])
	in.close()
	return n
}
