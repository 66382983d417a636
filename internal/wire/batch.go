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

	// Parts stand in place of Changes and Sum where scopes are declared: one per
	// scope in which something happened, and per scope that is whole for the first time.
	Parts []Part
}

// Part is what a batch says of one scope. A row that is in several scopes may
// stand in several parts; it is changed once.
type Part struct {
	Scope   string
	Sum     uint64 // of the rows of the scope at To; only when More is false
	Changes []tidemark.Change
	Raw     []byte // as in Batch
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
	w.list(len(m.Parts), func(in *writer, i int) { m.Parts[i].write(in) })
}

func (p *Part) write(w *writer) {
	w.str(p.Scope)
	w.sum(p.Sum)
	if p.Raw != nil {
		w.raw(p.Raw)
	} else {
		w.changes(p.Changes)
	}
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
	a.list(func(in *array) { m.Parts = append(m.Parts, readPart(in)) })
}

func readPart(a *array) Part {
	p := Part{Scope: a.str(), Sum: a.sum()}
	if a.next() {
		start := a.r.space()
		p.Changes = a.r.changes()
		p.Raw = a.r.b[start:a.r.i:a.r.i]
	}
	return p
}

func (w *writer) changes(changes []tidemark.Change) {
	w.sep()
	w.b = AppendChanges(w.b, changes, false)
	w.set(len(changes) == 0)
}
