package wire

import "github.com/tidemarkdb/tidemark"

// Batch brings confirmed changes. A live batch (More false, Cursor "") turns
// the state at From into the state at To. Catch-up comes as chunks: rows in
// order of the seq at which each last changed, each with its state now; all
// but the last have More set and are staged; the last makes them visible at To.
type Batch struct {
	From    tidemark.Seq
	To      tidemark.Seq
	Term    string
	Schema  string // schema at To
	Sum     uint64 // sum of all cells at To; only when More is false
	More    bool
	Cursor  string // position behind this chunk, for Hello.Staged and Ack
	Changes []tidemark.Change
	Raw     []byte // the encoded changes, when already encoded; a decoded batch has both
}

func (m *Batch) write(w *writer) {
	w.kind(kindBatch)
	w.int(int64(m.To))
	w.sum(m.Sum)
	if m.Raw != nil {
		w.raw(m.Raw)
	} else {
		w.changes(m.Changes)
	}
	w.int(int64(m.To-m.From) - 1) // 0 for what comes most: one more changeset
	w.str(m.Term)
	w.str(m.Schema)
	w.bool(m.More)
	w.str(m.Cursor)
}

func (m *Batch) read(a *array) {
	m.To = a.seq()
	m.Sum = a.sum()
	if a.next() {
		start := a.r.space()
		m.Changes = a.r.changes()
		m.Raw = a.r.b[start:a.r.i:a.r.i]
	}
	m.From = m.To - 1 - a.seq()
	m.Term = a.str()
	m.Schema = a.str()
	m.More = a.bool()
	m.Cursor = a.str()
}

func (w *writer) changes(changes []tidemark.Change) {
	w.sep()
	w.b = AppendChanges(w.b, changes, false)
	w.set(len(changes) == 0)
}
