package wire

import "github.com/tidemarkdb/tidemark"

// Leases brings the blocks of ids that the replica holds, one per table, in
// place of those that it held before. It comes in front of the batch whose
// rows use up a block.
type Leases struct {
	List []tidemark.Lease
}

func (m *Leases) write(w *writer) {
	w.kind(kindLeases)
	w.list(len(m.List), func(in *writer, i int) {
		l := &m.List[i]
		in.int(int64(l.Table))
		in.values([]tidemark.Value{tidemark.Int(l.First), tidemark.Int(l.Last)})
	})
}

func (m *Leases) read(a *array) {
	a.list(func(in *array) {
		l := tidemark.Lease{Table: in.place()}
		l.First, l.Last = in.pair()
		m.List = append(m.List, l)
	})
}
